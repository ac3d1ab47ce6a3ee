//! Plan and drift as pages.

use serde_json::json;

use crate::common::TestEnvironment;

use super::BUCKET_AND_KEY;
use super::world::{World, wait};

/// What no page may have: whatever runs, or asks for something else.
fn assert_alone(page: &str) {
    assert!(page.starts_with("<!doctype html>\n"), "{page}");
    assert!(page.ends_with("</html>\n"), "{page}");
    for word in ["<script", "<link", "<img", " src=", " href=", "url(", "@import"] {
        assert!(!page.contains(word), "{word}");
    }
    assert!(page.contains("default-src 'none'"), "{page}");
}

#[test]
fn a_plan_is_one_page_with_its_digest_and_who_reaches_what() {
    let env = TestEnvironment::new(BUCKET_AND_KEY);
    let page = env.sandbox("plan --format html").exits(0).stdout;
    assert_alone(&page);
    let digest = env.sandbox("plan --format json").json()["digest"].as_str().unwrap().to_owned();
    assert!(page.contains(&format!("apply --approve {digest}")), "{page}");
    for words in
        ["SANDBOX: this is not AWS", "W&amp;B Dedicated Cloud (830241207209)", "+ use", "by the key policy"]
    {
        assert!(page.contains(words), "{words} in {page}");
    }
    // The same plan is the same page.
    assert_eq!(env.sandbox("plan --format html").exits(0).stdout, page);
}

#[test]
fn drift_is_a_page_too() {
    let env = TestEnvironment::new(BUCKET_AND_KEY);
    env.sandbox("apply --auto-approve").exits(0);
    let page = env.sandbox("drift --format html").exits(0).stdout;
    assert_alone(&page);
    assert!(page.contains("No drift."), "{page}");
    // What nobody changed is drawn as it stands.
    assert!(page.contains("stays as it is"), "{page}");
    let policy = json!({ "Version": "2012-10-17", "Statement": {
        "Sid": "Oops", "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::acme-wandb-storage/*",
    } });
    let s3 = wait(World::of(&env)).s3("us-east-1");
    wait(s3.delete_public_access_block().bucket("acme-wandb-storage").send()).unwrap();
    wait(s3.put_bucket_policy().bucket("acme-wandb-storage").policy(policy.to_string()).send()).unwrap();
    let page = env.sandbox("drift --format html").exits(2).stdout;
    assert_alone(&page);
    for words in ["access grew", "+ read", "− write", "exposure: ", "Access, recorded and now"] {
        assert!(page.contains(words), "{words} in {page}");
    }
}
