//! What byob refuses: each before the first write, with the record as it was, and with help.

use serde_json::Value;

use crate::common::{Output, TestEnvironment};

use super::world::{STRANGER, World, wait};
use super::{BUCKET_AND_KEY, ONE_BUCKET};

/// Runs a command that must be refused with 1 and write nothing: not to AWS, not to the record.
#[track_caller]
fn refused(env: &TestEnvironment, arguments: &str) -> Output {
    refused_with(env, "", arguments)
}

#[track_caller]
fn refused_with(env: &TestEnvironment, faults: &str, arguments: &str) -> Output {
    let (tree, record) = (env.tree(), std::fs::read(env.record_path()).ok());
    let output = env.sandbox_with(faults, arguments).exits(1);
    assert_eq!(env.written(&tree), [""; 0], "{output}");
    assert_eq!(std::fs::read(env.record_path()).ok(), record, "the record was written: {output}");
    output
}

/// The findings of a plan that cannot be applied, and that nothing else happens for it: `plan` and `apply` refuse alike.
#[track_caller]
fn findings(env: &TestEnvironment) -> String {
    findings_with(env, "", "")
}

#[track_caller]
fn findings_with(env: &TestEnvironment, faults: &str, flags: &str) -> String {
    let plan = refused_with(env, faults, &format!("plan {flags}"));
    let apply = refused_with(env, faults, &format!("apply --auto-approve {flags}"));
    assert!(apply.stderr.contains("nothing was written"), "{apply}");
    let rules = |output: &Output| {
        let data = output.data();
        let text = data.lines().filter(|line| !line.starts_with("byob apply --approve"));
        let text: Vec<&str> = text.collect();
        text.join("\n")
    };
    assert_eq!(rules(&plan), rules(&apply), "plan and apply show the same");
    assert!(
        !plan.stdout.contains("--approve"),
        "a plan that cannot be applied offers no line to approve: {plan}"
    );
    let json = refused_with(env, faults, &format!("plan --format json {flags}")).json();
    let mut text = String::new();
    for finding in json["findings"].as_array().unwrap() {
        let part = |name: &str| finding[name].as_str().unwrap();
        assert_eq!(finding["waived"], Value::Null);
        for part in [part("rule"), part("address")] {
            assert!(plan.stdout.contains(part), "the text does not have {part}: {plan}");
        }
        text.push_str(&format!(
            "{} {} {}: {}\n  help: {}\n",
            part("severity"),
            part("rule"),
            part("address"),
            part("message"),
            part("help")
        ));
    }
    let masked = Output { stdout: text, ..plan };
    masked.data()
}

#[test]
fn the_wrong_account() {
    let env = TestEnvironment::applied(ONE_BUCKET);
    env.edit("account_id = \"123456789012\"", "account_id = \"210987654321\"");
    insta::assert_snapshot!(refused(&env, "plan"), @"");
}

#[test]
fn a_bucket_that_somebody_else_has() {
    let env = TestEnvironment::new(ONE_BUCKET);
    env.sandbox("plan").exits(0);
    let world = wait(World::of(&env));
    wait(world.0.add_foreign_bucket("acme-wandb-storage", "us-east-1", STRANGER)).unwrap();
    insta::assert_snapshot!(findings(&env), @"");
}

#[test]
fn a_bucket_that_exists_even_where_it_equals_the_configuration() {
    let env = TestEnvironment::applied(ONE_BUCKET);
    // Everything byob made stands, but nothing proves it any more: neither record nor tags.
    std::fs::remove_dir_all(env.dir().join(".byob/sandbox/record")).unwrap();
    insta::assert_snapshot!(findings(&env), @"");
    let world = wait(World::of(&env));
    wait(world.s3("us-east-1").delete_bucket_tagging().bucket("acme-wandb-storage").send()).unwrap();
    insta::assert_snapshot!(findings(&env), @"");
}

#[test]
fn an_empty_bucket_of_ones_own_that_byob_did_not_make() {
    let env = TestEnvironment::new(ONE_BUCKET);
    env.sandbox("plan").exits(0);
    let world = wait(World::of(&env));
    wait(world.s3("us-east-1").create_bucket().bucket("acme-wandb-storage").send()).unwrap();
    insta::assert_snapshot!(findings(&env), @"");
}

#[test]
fn an_alias_on_somebody_elses_key() {
    let env = TestEnvironment::new(BUCKET_AND_KEY);
    env.sandbox("plan").exits(0);
    let kms = wait(World::of(&env)).kms("us-east-1");
    let key = wait(kms.create_key().send()).unwrap().key_metadata.unwrap();
    wait(kms.create_alias().alias_name("alias/acme-wandb").target_key_id(key.key_id).send()).unwrap();
    insta::assert_snapshot!(findings(&env), @"");
}

#[test]
fn an_alias_that_was_moved_to_another_key() {
    let env = TestEnvironment::applied(BUCKET_AND_KEY);
    let kms = wait(World::of(&env)).kms("us-east-1");
    let key = wait(kms.create_key().send()).unwrap().key_metadata.unwrap();
    wait(kms.update_alias().alias_name("alias/acme-wandb").target_key_id(key.key_id).send()).unwrap();
    insta::assert_snapshot!(findings(&env), @"");
    insta::assert_snapshot!(env.sandbox("drift").exits(2), @"");
}

#[test]
fn a_recorded_bucket_that_vanished() {
    let env = TestEnvironment::applied(ONE_BUCKET);
    wait(wait(World::of(&env)).s3("us-east-1").delete_bucket().bucket("acme-wandb-storage").send()).unwrap();
    insta::assert_snapshot!(findings(&env), @"");
    insta::assert_snapshot!(env.sandbox("drift").exits(2), @"");
    // Only what somebody asks for by name makes it again.
    let plan = env.sandbox("plan --recreate bucket.storage").exits(0);
    assert!(plan.stdout.lines().last().unwrap().contains(" --recreate bucket.storage"), "{plan}");
    env.sandbox("apply --recreate bucket.storage --auto-approve").exits(0);
    env.is_settled();
}

#[test]
fn a_recorded_bucket_that_another_account_took() {
    let env = TestEnvironment::applied(ONE_BUCKET);
    let world = wait(World::of(&env));
    wait(world.s3("us-east-1").delete_bucket().bucket("acme-wandb-storage").send()).unwrap();
    wait(world.0.add_foreign_bucket("acme-wandb-storage", "us-east-1", STRANGER)).unwrap();
    insta::assert_snapshot!(findings(&env), @"");
    insta::assert_snapshot!(env.sandbox("drift").exits(2), @"");
}

#[test]
fn a_bucket_that_answers_as_another_accounts() {
    let env = TestEnvironment::applied(ONE_BUCKET);
    insta::assert_snapshot!(findings_with(&env, "foreign-owner=acme-wandb-storage", ""), @"");
    let env = TestEnvironment::new(ONE_BUCKET);
    env.sandbox_with("foreign-owner=acme-wandb-storage", "plan").exits(0);
}

#[test]
fn a_recorded_bucket_that_may_not_be_looked_at() {
    let env = TestEnvironment::applied(ONE_BUCKET);
    insta::assert_snapshot!(refused_with(&env, "deny=s3:ListBucket", "plan"), @"");
    insta::assert_snapshot!(refused_with(&env, "deny=s3:ListBucket+s3:ListAllMyBuckets", "plan"), @"");
}

#[test]
fn a_foreign_key_that_is_disabled_or_about_to_be_deleted() {
    const ARN: &str = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555";
    let config = format!("{ONE_BUCKET}encryption = {{ type = \"sse-kms\", key = \"{ARN}\" }}\n");
    let env = TestEnvironment::new(&config);
    env.sandbox("plan").exits(0);
    let kms = wait(World::of(&env)).kms("us-east-1");
    wait(kms.disable_key().key_id(ARN).send()).unwrap();
    insta::assert_snapshot!(findings(&env), @"");
    wait(kms.schedule_key_deletion().key_id(ARN).send()).unwrap();
    insta::assert_snapshot!(findings(&env), @"");
    wait(kms.cancel_key_deletion().key_id(ARN).send()).unwrap();
    wait(kms.enable_key().key_id(ARN).send()).unwrap();
    env.sandbox("apply --auto-approve").exits(0);
    env.is_settled();
}

#[test]
fn a_key_that_data_still_needs() {
    let env =
        TestEnvironment::new(&BUCKET_AND_KEY.replace("[key.storage]", "[key.storage]\nprotect = false"));
    env.sandbox("apply --auto-approve").exits(0);
    let s3 = wait(World::of(&env)).s3("us-east-1");
    wait(s3.put_object().bucket("acme-wandb-storage").key("runs/1").body(b"data".to_vec().into()).send())
        .unwrap();
    env.edit("encryption = { type = \"sse-kms\", key = \"key.storage\" }\n", "");
    env.edit("[key.storage]\nprotect = false\nalias = \"acme-wandb\"\n", "");
    insta::assert_snapshot!(findings(&env), @"");
    // The bucket leaves the record: the key is still remembered as needed.
    env.write("byob.toml", &format!("forget = [\"bucket.storage\"]\n{}", env.read("byob.toml")));
    env.edit("[bucket.storage]\nname = \"acme-wandb-storage\"\n", "");
    insta::assert_snapshot!(findings(&env), @"");
    env.edit("forget = [\"bucket.storage\"]", "forget = [\"bucket.storage\", \"key.storage\"]");
    let before = env.tree();
    env.sandbox("apply --auto-approve").exits(0);
    assert_eq!(env.written(&before), [""; 0]);
}

#[test]
fn a_new_name_for_an_existing_bucket() {
    let env = TestEnvironment::applied(ONE_BUCKET);
    env.edit("acme-wandb-storage", "acme-wandb-archive");
    insta::assert_snapshot!(findings(&env), @"");
}

#[test]
fn another_region_for_an_existing_bucket() {
    let env = TestEnvironment::applied(ONE_BUCKET);
    env.edit("name = \"acme-wandb-storage\"", "name = \"acme-wandb-storage\"\nregion = \"eu-west-1\"");
    insta::assert_snapshot!(findings(&env), @"");
}

#[test]
fn a_prefix_named_bucket_under_another_label() {
    let env = TestEnvironment::applied(
        &ONE_BUCKET.replace("name =", "name_prefix =").replace("acme-wandb-storage", "acme"),
    );
    env.edit("[bucket.storage]", "[bucket.archive]");
    insta::assert_snapshot!(refused(&env, "plan"), @"");
}

#[test]
fn a_deletion_under_protection() {
    let env = TestEnvironment::applied(BUCKET_AND_KEY);
    insta::assert_snapshot!(refused(&env, "destroy --auto-approve"), @"");
    let config = env.read("byob.toml");
    env.write("byob.toml", config.split_once("[bucket.storage]").unwrap().0);
    insta::assert_snapshot!(findings(&env), @"");
}

#[test]
fn a_policy_that_locks_its_own_caller_out() {
    let env = TestEnvironment::applied(ONE_BUCKET);
    env.edit(
        "name = \"acme-wandb-storage\"",
        "name = \"acme-wandb-storage\"\nextra_statements = [{ Sid = \"Freeze\", Effect = \"Deny\", Principal = \"*\", \
         Action = \"s3:PutBucketPolicy\", Resource = \"arn:aws:s3:::acme-wandb-storage\" }]",
    );
    // Another role may well put it: the plan stands, the apply is refused.
    env.sandbox("plan").exits(0);
    insta::assert_snapshot!(refused(&env, "apply --auto-approve").talk(), @"");
}

#[test]
fn missing_rights_are_named_before_the_first_write() {
    let env = TestEnvironment::new(BUCKET_AND_KEY);
    insta::assert_snapshot!(
        refused_with(&env, "deny=s3:PutBucketPolicy+kms:CreateAlias+s3:PutBucketCORS", "apply --auto-approve").talk(),
        @""
    );
    // Who may not ask for its rights is told so, and goes on.
    let env = TestEnvironment::new(ONE_BUCKET);
    insta::assert_snapshot!(
        env.sandbox_with("deny=iam:SimulatePrincipalPolicy+iam:GetRole", "apply --auto-approve").exits(0).talk(),
        @""
    );
}

#[test]
fn a_principal_of_ones_own_account_that_does_not_exist() {
    let env = TestEnvironment::applied(ONE_BUCKET);
    env.edit(
        "name = \"acme-wandb-storage\"",
        "name = \"acme-wandb-storage\"\nextra_statements = [{ Sid = \"Gone\", Effect = \"Allow\", Principal = { AWS = \
         \"arn:aws:iam::123456789012:role/gone\" }, Action = \"s3:ListBucket\", Resource = \"arn:aws:s3:::acme-wandb-storage\" }]",
    );
    insta::assert_snapshot!(refused(&env, "apply --auto-approve").talk(), @"");
}

#[test]
fn nobody_to_ask_and_no_approval() {
    let env = TestEnvironment::new(ONE_BUCKET);
    insta::assert_snapshot!(refused(&env, "apply"), @"");
    insta::assert_snapshot!(refused(&env, "destroy"), @"");
    assert!(!env.dir().join(".byob").exists(), "nothing was contacted");
}

#[test]
fn a_damaged_record() {
    let env = TestEnvironment::applied(ONE_BUCKET);
    let text = env.read(env.record_path());
    env.write(env.record_path(), &text.replacen("us-east-1", "us-east-2", 1));
    insta::assert_snapshot!(refused(&env, "plan"), @"");
    insta::assert_snapshot!(refused(&env, "apply --auto-approve"), @"");
    env.write(env.record_path(), &text[..text.len() / 2]);
    insta::assert_snapshot!(refused(&env, "apply --auto-approve"), @"");
}

#[test]
fn a_record_of_a_newer_byob() {
    let env = TestEnvironment::applied(ONE_BUCKET);
    let mut record = env.record();
    record["format_version"] = "99.0".into();
    env.write(env.record_path(), &record.to_string());
    insta::assert_snapshot!(refused(&env, "plan"), @"");
    insta::assert_snapshot!(refused(&env, "apply --auto-approve"), @"");
}

#[test]
fn no_record_is_not_no_drift() {
    let env = TestEnvironment::new(ONE_BUCKET);
    insta::assert_snapshot!(refused(&env, "drift"), @"");
}

#[test]
fn a_target_that_does_not_exist() {
    let env = TestEnvironment::applied(ONE_BUCKET);
    insta::assert_snapshot!(findings_with(&env, "", "--target bucket.storag"), @"");
}
