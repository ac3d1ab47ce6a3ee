//! `byob verify`: it passes on what byob itself applied, fails for what was changed behind its back, and leaves nothing
//! behind, whatever happens to it.

use aws_sdk_s3::types::{
    CorsConfiguration, CorsRule, ServerSideEncryption, ServerSideEncryptionByDefault,
    ServerSideEncryptionConfiguration, ServerSideEncryptionRule,
};
use serde_json::{Value, json};

use super::world::{World, wait};
use super::{BUCKET_AND_KEY, ONE_BUCKET};
use crate::common::{EXAMPLE, Output, TestEnvironment};

const VISION: &str = "acme-wandb-vision";
const STORAGE: &str = "acme-wandb-storage";

/// What verify says as JSON.
fn verified(env: &TestEnvironment, code: i32) -> Value {
    env.sandbox("verify --format json").exits(code).json()
}

/// The ids of the checks that failed, with their addresses.
fn failures(report: &Value) -> Vec<String> {
    let checks = report["checks"].as_array().unwrap().iter();
    let failed = checks.filter(|check| check["outcome"] == "failed");
    failed
        .map(|check| format!("{} {}", check["address"].as_str().unwrap(), check["id"].as_str().unwrap()))
        .collect()
}

fn check<'a>(report: &'a Value, id: &str) -> &'a Value {
    let mut found = report["checks"].as_array().unwrap().iter().filter(|check| check["id"] == id);
    let check = found.next().unwrap_or_else(|| panic!("no check {id} in {report:#}"));
    assert_eq!(found.next(), None, "{id} is there twice");
    check
}

/// Insists that nothing is in a bucket: no object, no version, no marker, no upload.
#[track_caller]
fn nothing_in(env: &TestEnvironment, bucket: &str, region: &str) {
    let left = wait(async {
        let s3 = World::of(env).await.s3(region);
        let versions = s3.list_object_versions().bucket(bucket).send().await.unwrap();
        let uploads = s3.list_multipart_uploads().bucket(bucket).send().await.unwrap();
        format!("{:?} {:?} {:?}", versions.versions(), versions.delete_markers(), uploads.uploads())
    });
    assert_eq!(left, "[] [] []");
}

/// Changes the policy of a bucket behind byob's back.
fn repolicy(env: &TestEnvironment, bucket: &str, region: &str, change: impl Fn(&mut Vec<Value>)) {
    wait(async {
        let s3 = World::of(env).await.s3(region);
        let text = s3.get_bucket_policy().bucket(bucket).send().await.unwrap().policy.unwrap();
        let mut policy: Value = serde_json::from_str(&text).unwrap();
        change(policy["Statement"].as_array_mut().unwrap());
        s3.put_bucket_policy().bucket(bucket).policy(policy.to_string()).send().await.unwrap();
    });
}

#[test]
fn what_byob_applied_works_for_wandb_and_for_nobody_else() {
    let env = TestEnvironment::applied(EXAMPLE);
    let report = verified(&env, 0);
    assert_eq!(failures(&report), [""; 0]);
    let skipped: Vec<&Value> =
        report["checks"].as_array().unwrap().iter().filter(|check| check["outcome"] == "skipped").collect();
    assert_eq!(skipped.len(), 1, "{skipped:#?}");
    assert_eq!(skipped[0]["id"], "cors foreign");
    assert_eq!(report["summary"]["failed"], 0);
    assert!(report["summary"]["passed"].as_u64().unwrap() > 50, "{report:#}");
    let of_vision = |id: &str| {
        let checks = report["checks"].as_array().unwrap();
        checks
            .iter()
            .any(|check| check["id"] == id && check["address"].as_str().unwrap().starts_with("bucket.vision"))
    };
    for id in [
        "s3:PutObject",
        "kms:Decrypt",
        "encryption",
        "multipart",
        "signed-put",
        "signed-get",
        "plain-http",
        "clean",
    ] {
        assert!(of_vision(id), "{id}");
    }
    let name = report["buckets"][0]["name"].as_str().unwrap();
    nothing_in(&env, name, "us-east-1");
    nothing_in(&env, VISION, "eu-west-1");
    env.is_settled();
}

#[test]
fn one_line_a_check_says_what_it_proves() {
    let env = TestEnvironment::applied(ONE_BUCKET);
    insta::assert_snapshot!(env.sandbox("verify"), @r"
    SANDBOX: this is not AWS
    byob.toml   account 123456789012   1 bucket   recorded <date>, serial 2

    bucket.storage   acme-wandb-storage   us-east-1
      ✓ exists                       `acme-wandb-storage` exists and is account 123456789012's
      ✓ region                       it stands in us-east-1, the region of the storage address that W&B
                                     is given
      ✓ GetObject*                   the bucket policy lets W&B read objects
      ✓ GetEncryptionConfiguration   the bucket policy lets W&B read the default encryption
      ✓ ListBucket                   the bucket policy lets W&B list objects
      ✓ ListBucketMultipartUploads   the bucket policy lets W&B list unfinished uploads
      ✓ ListBucketVersions           the bucket policy lets W&B list versions
      ✓ AbortMultipartUpload         the bucket policy lets W&B abort uploads
      ✓ DeleteObject                 the bucket policy lets W&B delete objects
      ✓ PutObject                    the bucket policy lets W&B write objects
      ✓ GetBucketCORS                the bucket policy lets W&B read the CORS rules
      ✓ GetBucketLocation            the bucket policy lets W&B read the region
      ✓ GetBucketVersioning          the bucket policy lets W&B read the versioning
      ✓ whole                        W&B may do all of that for every object, whenever and as whichever
                                     of its roles it asks
      ✓ nobody-else                  the bucket policy lets in nobody whom byob.toml does not name
      ✓ not-public                   the bucket is not public, neither by its policy nor by ACLs
      ✓ default-encryption           new objects are encrypted by default as byob.toml says
      ✓ put                          this caller can write an object
      ✓ head                         this caller can look at it (HEAD)
      ✓ encryption                   a new object is encrypted as byob.toml says
      ✓ get                          this caller reads back what was written
      ✓ list                         this caller finds it in the list of its folder
      ✓ multipart                    this caller can upload in parts (create, one part, complete)
      ✓ signed-put                   a pre-signed PUT works with an ordinary HTTP client
      ✓ signed-get                   a pre-signed GET works with an ordinary HTTP client
      ✓ cors etag                    scripts of https://wandb.ai see the header ETag
      ✓ cors https://wandb.ai        pages of https://wandb.ai may use GET, HEAD, PUT (CORS preflight)
      ✓ cors https://byob-verify.invalid
          pages of https://byob-verify.invalid may use GET, HEAD, PUT (CORS preflight)
      · cors foreign                 pages of other origins are refused (CORS preflight)
          not looked at: cors_origins lets every origin in; name the origins of W&B's pages to shut
            others out
      ✓ delete                       this caller can delete it
      ✓ clean                        what verify itself wrote is gone again, versions, delete markers
                                     and uploads too

    30 checks passed, 1 not looked at
    ");
}

#[test]
fn a_missing_action_fails_with_its_cure() {
    let env = TestEnvironment::applied(ONE_BUCKET);
    repolicy(&env, STORAGE, "us-east-1", |statements| {
        statements[0]["Action"].as_array_mut().unwrap().retain(|action| action != "s3:DeleteObject");
    });
    let report = verified(&env, 2);
    assert_eq!(failures(&report), ["bucket.storage.policy s3:DeleteObject"]);
    let failed = check(&report, "s3:DeleteObject");
    assert_eq!(failed["cure"], "byob plan shows what was changed, byob apply puts byob's own policy back");
    assert_eq!(failed["wandb"], "deleted runs and artifacts stay and cost");
    let text = env.sandbox("verify").exits(2);
    assert!(text.stdout.contains("W&B would show: deleted runs and artifacts stay and cost"), "{text}");
    let junit = env.sandbox("verify --format junit").exits(2).stdout;
    assert!(junit.contains("<testsuite name=\"byob verify\""), "{junit}");
    assert!(junit.contains("failures=\"1\""), "{junit}");
    // The cure cures.
    env.sandbox("apply --auto-approve").exits(0);
    verified(&env, 0);
}

#[test]
fn a_key_policy_without_the_principal_fails() {
    let env = TestEnvironment::applied(BUCKET_AND_KEY);
    let key = env.key_arn();
    wait(async {
        let kms = World::of(&env).await.kms("us-east-1");
        let text = kms.get_key_policy().key_id(&key).send().await.unwrap().policy.unwrap();
        let mut policy: Value = serde_json::from_str(&text).unwrap();
        policy["Statement"].as_array_mut().unwrap().retain(|one| one["Sid"] != "WandbAccountAccess");
        kms.put_key_policy().key_id(&key).policy(policy.to_string()).send().await.unwrap();
    });
    let failed = failures(&verified(&env, 2));
    assert_eq!(
        failed,
        ["kms:Decrypt", "kms:Describe*", "kms:Encrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*"]
            .map(|action| format!("bucket.storage.encryption {action}"))
    );
}

/// Gives the bucket one CORS rule behind byob's back.
fn cors(env: &TestEnvironment, origin: &str, methods: &[&str]) {
    wait(async {
        let s3 = World::of(env).await.s3("us-east-1");
        let rule = CorsRule::builder()
            .allowed_origins(origin)
            .set_allowed_methods(Some(methods.iter().map(|&method| method.to_owned()).collect()))
            .allowed_headers("*")
            .expose_headers("ETag")
            .build()
            .unwrap();
        let cors = CorsConfiguration::builder().cors_rules(rule).build().unwrap();
        s3.put_bucket_cors().bucket(STORAGE).cors_configuration(cors).send().await.unwrap();
    });
}

#[test]
fn cors_without_put_fails() {
    let env = TestEnvironment::applied(ONE_BUCKET);
    cors(&env, "*", &["GET", "HEAD"]);
    let report = verified(&env, 2);
    assert_eq!(
        failures(&report),
        ["https://wandb.ai", "https://byob-verify.invalid"]
            .map(|origin| format!("bucket.storage.cors cors {origin}"))
    );
    let seen = check(&report, "cors https://wandb.ai")["seen"].as_str().unwrap();
    assert_eq!(seen, "a preflight is refused: PUT: HTTP 403 (AccessForbidden)");
    // Every origin is to be let in: one of W&B's that still is does not show that.
    cors(&env, "https://wandb.ai", &["GET", "HEAD", "PUT"]);
    assert_eq!(failures(&verified(&env, 2)), ["bucket.storage.cors cors https://byob-verify.invalid"]);
}

#[test]
fn encryption_that_was_changed_behind_its_back_fails() {
    let env = TestEnvironment::applied(BUCKET_AND_KEY);
    wait(async {
        let s3 = World::of(&env).await.s3("us-east-1");
        let by_default = ServerSideEncryptionByDefault::builder()
            .sse_algorithm(ServerSideEncryption::Aes256)
            .build()
            .unwrap();
        let rule =
            ServerSideEncryptionRule::builder().apply_server_side_encryption_by_default(by_default).build();
        let encryption = ServerSideEncryptionConfiguration::builder().rules(rule).build().unwrap();
        let put = s3.put_bucket_encryption().bucket(STORAGE).server_side_encryption_configuration(encryption);
        put.send().await.unwrap();
    });
    let report = verified(&env, 2);
    assert_eq!(
        failures(&report),
        ["default-encryption", "encryption"].map(|id| format!("bucket.storage.encryption {id}"))
    );
    let seen = check(&report, "encryption")["seen"].as_str().unwrap();
    let wanted = format!(
        "the object's headers say AES256, and byob.toml aws:kms with {}, bucket key on",
        env.key_arn()
    );
    assert_eq!(seen, wanted);
}

#[test]
fn the_wrong_region_fails() {
    let env = TestEnvironment::applied(ONE_BUCKET);
    env.edit("region = \"us-east-1\"", "region = \"eu-west-1\"");
    let report = verified(&env, 2);
    assert_eq!(failures(&report), ["bucket.storage region"]);
    assert_eq!(
        check(&report, "region")["seen"],
        "the bucket stands in us-east-1, and W&B would be told eu-west-1"
    );
}

#[test]
fn plain_http_that_is_answered_fails_and_so_does_somebody_else() {
    let env = TestEnvironment::applied(EXAMPLE);
    repolicy(&env, VISION, "eu-west-1", |statements| {
        statements.retain(|one| one["Sid"] != "ByobTlsOnly");
        statements.push(
            json!({"Sid": "Vendor", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::999988887777:root"},
            "Action": "s3:GetObject", "Resource": "arn:aws:s3:::acme-wandb-vision/*"}),
        );
    });
    let report = verified(&env, 2);
    assert_eq!(
        failures(&report),
        ["nobody-else", "guards", "plain-http"].map(|id| format!("bucket.vision.policy {id}"))
    );
    assert_eq!(
        check_of(&report, "bucket.vision.policy", "plain-http")["seen"],
        "an object was handed out over plain HTTP"
    );
}

fn check_of<'a>(report: &'a Value, address: &str, id: &str) -> &'a Value {
    let checks = report["checks"].as_array().unwrap();
    checks.iter().find(|check| check["address"] == address && check["id"] == id).unwrap()
}

#[test]
fn before_the_first_apply_it_says_that_there_is_no_bucket() {
    let env = TestEnvironment::new(ONE_BUCKET);
    let output = env.sandbox("verify").exits(2);
    assert!(output.stdout.contains("seen: there is no bucket `acme-wandb-storage`"), "{output}");
    assert!(output.stdout.contains("cure: byob apply makes it"), "{output}");
}

#[test]
fn without_a_record_the_configuration_says_what_there_is() {
    let env = TestEnvironment::applied(EXAMPLE);
    std::fs::remove_dir_all(env.record_path().parent().unwrap()).unwrap();
    verified(&env, 0);
}

/// Once, after each of its writes in turn.
#[test]
fn an_interrupt_leaves_nothing_behind() {
    let env = TestEnvironment::applied(EXAMPLE);
    let name = verified(&env, 0)["buckets"][0]["name"].as_str().unwrap().to_owned();
    let mut interrupted = 0;
    for write in 1..40 {
        let output = env.sandbox_with(&format!("interrupt-after={write}"), "verify");
        nothing_in(&env, &name, "us-east-1");
        nothing_in(&env, VISION, "eu-west-1");
        if output.code == Some(0) {
            break;
        }
        interrupted += 1;
        assert_eq!(output.code, Some(1), "{output}");
        assert!(output.stderr.contains("interrupted; what verify had written is removed again"), "{output}");
        assert!(output.stdout.contains("later checks were not made"), "{output}");
    }
    assert!(interrupted >= 8, "{interrupted}");
}

#[test]
fn a_lost_answer_leaves_nothing_behind() {
    for (config, bucket) in [(ONE_BUCKET, STORAGE), (&EXAMPLE.replace("acme-wandb-vision", STORAGE), STORAGE)]
    {
        let env = TestEnvironment::applied(config);
        let region = if config == ONE_BUCKET { "us-east-1" } else { "eu-west-1" };
        for operation in [
            "PutObject",
            "PutObject:3",
            "CreateMultipartUpload",
            "UploadPart",
            "CompleteMultipartUpload",
            "DeleteObject",
        ] {
            let output = env.sandbox_with(&format!("lose={operation}"), "verify");
            nothing_in(&env, bucket, region);
            assert!(!output.stdout.contains("left behind"), "{operation}: {output}");
        }
    }
}

#[test]
fn what_cannot_be_removed_is_told_with_the_line_that_removes_it() {
    let env = TestEnvironment::applied(EXAMPLE);
    let output = env.sandbox_with("deny=s3:DeleteObjectVersion", "verify --format json").exits(2);
    let report = output.json();
    assert_eq!(failures(&report), ["bucket.vision clean"]);
    let clean = check_of(&report, "bucket.vision", "clean");
    let line = "aws s3api delete-object --region eu-west-1 --bucket acme-wandb-vision --key .byob-verify/";
    assert!(clean["cure"].as_str().unwrap().contains(line), "{clean:#}");
    assert!(clean["seen"].as_str().unwrap().contains("DeleteObject: AccessDenied"), "{clean:#}");
}

#[test]
fn a_caller_without_rights_is_told_which_it_lacks() {
    let env = TestEnvironment::applied(ONE_BUCKET);
    let output = env.sandbox_with("deny=s3:PutObject", "verify --format json").exits(2);
    let report = output.json();
    assert_eq!(
        failures(&report),
        ["put", "multipart", "signed-put"].map(|id| format!("bucket.storage {id}"))
    );
    let cure = check(&report, "put")["cure"].as_str().unwrap();
    assert!(
        cure.starts_with(
            "either this caller lacks s3:PutObject below arn:aws:s3:::acme-wandb-storage/.byob-verify/"
        ),
        "{cure}"
    );
    // What a comparison needs is asked for as everywhere.
    let unread = env.sandbox_with("deny=s3:GetBucketPolicy", "verify").exits(1);
    assert!(unread.stderr.contains("s3:GetBucketPolicy"), "{unread}");
}

/// W&B's own role, which no identity policy helps: what the bucket policy gives it is all it has.
const SELF_MANAGED: &str = r#"version = 1

[aws]
region = "us-east-1"
account_id = "123456789012"

[wandb]
deployment = "self-managed"
principals = ["arn:aws:iam::123456789012:role/wandb-node"]

[bucket.storage]
name = "acme-wandb-storage"
encryption = { type = "sse-kms", key = "key.storage" }
versioning = "enabled"

[key.storage]
alias = "acme-wandb"
"#;

#[test]
fn as_wandbs_own_role_its_access_is_proved_and_the_caller_cleans_up() {
    let env = TestEnvironment::applied(SELF_MANAGED);
    let verify = |code| -> Output {
        env.sandbox("verify --as arn:aws:iam::123456789012:role/wandb-node --format json").exits(code)
    };
    let report = verify(0).json();
    assert_eq!(report["role"], "arn:aws:iam::123456789012:role/wandb-node");
    assert!(check(&report, "put")["proves"].as_str().unwrap().contains("role/wandb-node can write"));
    nothing_in(&env, STORAGE, "us-east-1");
    repolicy(&env, STORAGE, "us-east-1", |statements| {
        statements[0]["Action"].as_array_mut().unwrap().retain(|action| action != "s3:PutObject");
    });
    let failed = failures(&verify(2).json());
    assert_eq!(
        failed,
        [
            "bucket.storage.policy s3:PutObject",
            "bucket.storage put",
            "bucket.storage multipart",
            "bucket.storage signed-put"
        ]
    );
    // The caller itself may all the same.
    assert_eq!(failures(&verified(&env, 2)), ["bucket.storage.policy s3:PutObject"]);
    nothing_in(&env, STORAGE, "us-east-1");
}

#[test]
fn a_role_that_cannot_be_assumed_is_said_at_once() {
    let env = TestEnvironment::applied(ONE_BUCKET);
    let output = env.sandbox("verify --as arn:aws:iam::123456789012:role/nobody").exits(1);
    assert!(output.stderr.contains("cannot act as arn:aws:iam::123456789012:role/nobody"), "{output}");
    let words = output.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("is not authorized to perform: sts:AssumeRole"), "{output}");
    let wrong = env.sandbox("verify --as wandb").exits(1);
    assert!(wrong.stderr.contains("`wandb` is no ARN"), "{wrong}");
}

#[test]
fn nothing_to_verify_is_no_success() {
    let env = TestEnvironment::applied(
        &BUCKET_AND_KEY.replace("[bucket.storage]", "[bucket.storage]\nprotect = false"),
    );
    let at = BUCKET_AND_KEY.find("[bucket.storage]").unwrap();
    let key = BUCKET_AND_KEY.find("[key.storage]").unwrap();
    env.write("byob.toml", &format!("{}{}", &BUCKET_AND_KEY[..at], &BUCKET_AND_KEY[key..]));
    let output = env.sandbox("verify").exits(1);
    assert!(output.stderr.contains("there is no bucket in byob.toml"), "{output}");
}
