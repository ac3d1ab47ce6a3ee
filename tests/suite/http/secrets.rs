//! What byob is given to keep to itself: credentials, session tokens and external ids stand in nothing that it writes or
//! says. Recognisable values are planted, and looked for in every file, object and output.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::json;

use super::harness::{Customer, Endpoint, at_both_places, s3};
use crate::common::Output;

const PLANTED: [(&str, &str); 3] = [
    ("AWS_ACCESS_KEY_ID", "AKIAPLANTEDPLANTED07"),
    ("AWS_SECRET_ACCESS_KEY", "planted-secret-access-key-7"),
    ("AWS_SESSION_TOKEN", "planted-session-token-7"),
];
const EXTERNAL_ID: &str = "planted-external-id-7";

const TABLES: &str = "[bucket.storage]\nname = \"UNIQUE-storage\"\nencryption = { type = \"sse-kms\", key = \
                      \"key.storage\" }\n[key.storage]\nalias = \"UNIQUE-storage\"\n";

at_both_places! {
    no_planted_secret_is_found_in_anything_that_byob_wrote_or_said;
}

fn run(customer: &Customer, arguments: &str) -> Output {
    let mut command = customer.env().command(arguments);
    command.envs(PLANTED);
    customer.env().finish(command.spawn().unwrap())
}

#[track_caller]
fn is_clean(what: &str, text: &str) {
    let planted = PLANTED.iter().map(|(_, value)| *value).chain([EXTERNAL_ID]);
    for secret in planted {
        assert!(!text.contains(secret), "{secret} stands in {what}:\n{text}");
    }
}

/// Every file below a folder but byob.toml, and who may read it.
fn look_through(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            look_through(&path);
            continue;
        }
        if path.file_name().is_some_and(|name| name == "byob.toml") {
            continue;
        }
        is_clean(&path.display().to_string(), &String::from_utf8_lossy(&fs::read(&path).unwrap()));
        let is_public = [".gitignore", "good.json"].iter().any(|name| path.ends_with(name));
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert!(is_public || mode == 0o600, "{}: mode {mode:o}", path.display());
    }
}

fn no_planted_secret_is_found_in_anything_that_byob_wrote_or_said(endpoint: &'static Endpoint) {
    let in_s3 = "[state]\ns3 = { bucket = \"UNIQUE-state\", key = \"byob.state.json\" }\n";
    for (state, place) in [("", "a file"), (in_s3, "S3")] {
        let customer = Customer::new(endpoint, "dedicated-cloud", &format!("{state}{TABLES}"));
        let said = |arguments: &str, code: i32| {
            let output = run(&customer, arguments);
            is_clean(arguments, &format!("{}{}", output.stdout, output.stderr));
            assert_eq!(output.code, Some(code), "{place}: {arguments}: {output}");
        };
        if !state.is_empty() {
            said("state init", 0);
        }
        said("plan --verbose --out plan.json", 0);
        said("apply --auto-approve --verbose", 0);
        said("drift --format json", 0);
        said("output --format json", 0);
        said("state pull", 0);
        said("state history", 0);
        customer.env().edit("[key.storage]", "[key.storage]\nrotation_days = 400");
        said("apply --auto-approve --verbose", 0);
        look_through(&customer.env().dir());
        if !state.is_empty() {
            for suffix in ["", ".journal", ".lock"] {
                let key = format!("byob.state.json{suffix}");
                let object = json!({ "Bucket": customer.name("state"), "Key": key });
                let body = customer.boto(&[s3("get_object", object)]).remove(0);
                is_clean(&key, body["Body"].as_str().unwrap());
            }
        }
        // Errors: a role that cannot be had, an endpoint that does not answer.
        let role = format!(
            "[aws]\nassume_role = {{ role_arn = \"arn:aws:iam::{}:role/nobody\", external_id = \"{EXTERNAL_ID}\" }}",
            endpoint.account
        );
        customer.env().edit("[aws]", &role);
        let output = run(&customer, "plan --verbose");
        is_clean("a plan under a role", &format!("{}{}", output.stdout, output.stderr));
        let mut command = customer.env().command("plan --verbose");
        command.envs(PLANTED).env("AWS_ENDPOINT_URL", "http://127.0.0.1:9");
        let output = customer.env().finish(command.spawn().unwrap());
        is_clean("a plan without an endpoint", &format!("{}{}", output.stdout, output.stderr));
        assert_eq!(output.code, Some(1), "{output}");
        customer.env().edit("external_id = ", "external_id = 7 # ");
        let output = run(&customer, "validate");
        assert_eq!(output.code, Some(1), "{output}");
    }
}
