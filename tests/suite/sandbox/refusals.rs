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
        if part("severity") == "note" {
            continue;
        }
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
    insta::assert_snapshot!(refused(&env, "plan"), @r"
    error: the sandbox in .byob/sandbox belongs to account 123456789012, not 210987654321
    [exit 1]
    ");
}

#[test]
fn a_bucket_that_somebody_else_has() {
    let env = TestEnvironment::new(ONE_BUCKET);
    env.sandbox("plan").exits(0);
    let world = wait(World::of(&env));
    wait(world.0.add_foreign_bucket("acme-wandb-storage", "us-east-1", STRANGER)).unwrap();
    insta::assert_snapshot!(findings(&env), @r"
    error BYOB002 bucket.storage: bucket `acme-wandb-storage` exists and AWS does not let this caller look at it: most likely it belongs to another account
      help: bucket names are global: choose another name; if it is yours, the caller needs s3:ListBucket on it
    ");
}

#[test]
fn a_bucket_that_exists_even_where_it_equals_the_configuration() {
    let env = TestEnvironment::applied(ONE_BUCKET);
    // Everything byob made stands, but nothing proves it any more: neither record nor tags.
    std::fs::remove_dir_all(env.dir().join(".byob/sandbox/record")).unwrap();
    insta::assert_snapshot!(findings(&env), @"
    error BYOB003 bucket.storage: `acme-wandb-storage` is recorded elsewhere: it carries byob:lineage = <uuid>
      help: find the record with that lineage (the tags byob:stack and byob:address say which configuration made it) and use it; where it is lost for good: byob import bucket.storage --from-lineage <uuid>
    ");
    let world = wait(World::of(&env));
    wait(world.s3("us-east-1").delete_bucket_tagging().bucket("acme-wandb-storage").send()).unwrap();
    insta::assert_snapshot!(findings(&env), @r"
    error BYOB001 bucket.storage: `acme-wandb-storage` exists already, and nothing proves that byob made it
      help: to take it over as it is, and see what would change: byob import bucket.storage; else choose another name
    ");
}

#[test]
fn an_empty_bucket_of_ones_own_that_byob_did_not_make() {
    let env = TestEnvironment::new(ONE_BUCKET);
    env.sandbox("plan").exits(0);
    let world = wait(World::of(&env));
    wait(world.s3("us-east-1").create_bucket().bucket("acme-wandb-storage").send()).unwrap();
    insta::assert_snapshot!(findings(&env), @r"
    error BYOB001 bucket.storage: `acme-wandb-storage` exists already, and nothing proves that byob made it
      help: to take it over as it is, and see what would change: byob import bucket.storage; else choose another name
    ");
}

#[test]
fn an_alias_on_somebody_elses_key() {
    let env = TestEnvironment::new(BUCKET_AND_KEY);
    env.sandbox("plan").exits(0);
    let kms = wait(World::of(&env)).kms("us-east-1");
    let key = wait(kms.create_key().send()).unwrap().key_metadata.unwrap();
    wait(kms.create_alias().alias_name("alias/acme-wandb").target_key_id(key.key_id).send()).unwrap();
    insta::assert_snapshot!(findings(&env), @r#"
    error BYOB008 key.storage.alias: `alias/acme-wandb` already points at `arn:aws:kms:us-east-1:123456789012:key/<uuid>`
      help: choose another alias; to take that key over as it is: byob import key.storage; to use it without managing it: encryption = { type = "sse-kms", key = "arn:aws:kms:us-east-1:123456789012:key/<uuid>" }
    "#);
}

#[test]
fn an_alias_that_was_moved_to_another_key() {
    let env = TestEnvironment::applied(BUCKET_AND_KEY);
    let kms = wait(World::of(&env)).kms("us-east-1");
    let key = wait(kms.create_key().send()).unwrap().key_metadata.unwrap();
    wait(kms.update_alias().alias_name("alias/acme-wandb").target_key_id(key.key_id).send()).unwrap();
    insta::assert_snapshot!(findings(&env), @"
    error BYOB008 key.storage.alias: `alias/acme-wandb` already points at `arn:aws:kms:us-east-1:123456789012:key/<uuid>`
      help: it was moved off our key `arn:aws:kms:us-east-1:123456789012:key/<uuid>` outside byob: point it back (aws kms update-alias), or choose another alias
    ");
    insta::assert_snapshot!(env.sandbox("drift").exits(2), @r"
    SANDBOX: this is not AWS
    byob.toml   account 123456789012   1 bucket, 1 key   recorded <date>, serial 2

    key.storage   alias/acme-wandb
      ! alias   alias/acme-wandb → (removed)
          other: byob and W&B go by the key's ARN, not by this alias; whoever goes by it finds no key,
            or another

    1 of 13 recorded addresses drifted (29 attributes read): 1 other
    byob plan shows the way back, byob apply goes it. byob apply --refresh-only accepts what is live
      into the record; to keep it, write it into byob.toml too.
    [exit 2]
    ");
}

#[test]
fn a_recorded_bucket_that_vanished() {
    let env = TestEnvironment::applied(ONE_BUCKET);
    wait(wait(World::of(&env)).s3("us-east-1").delete_bucket().bucket("acme-wandb-storage").send()).unwrap();
    insta::assert_snapshot!(findings(&env), @r"
    error BYOB004 bucket.storage: `acme-wandb-storage` was deleted outside byob; its data may be lost
      help: to make it again, empty: --recreate bucket.storage; to drop it: take out its table
    ");
    insta::assert_snapshot!(env.sandbox("drift").exits(2), @r"
    SANDBOX: this is not AWS
    byob.toml   account 123456789012   1 bucket   recorded <date>, serial 2

    bucket.storage
      ! bucket   acme-wandb-storage → absent
          breakage: it was deleted outside byob, and its data with it

    1 of 8 recorded addresses drifted (0 attributes read): 1 breakage
    byob plan shows the way back, byob apply goes it. byob apply --refresh-only accepts what is live
      into the record; to keep it, write it into byob.toml too.
    [exit 2]
    ");
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
    insta::assert_snapshot!(findings(&env), @r"
    error BYOB005 bucket.storage: `acme-wandb-storage` now belongs to another account: it was deleted outside byob and somebody else took the name
      help: tell W&B and everybody who writes to it at once; then take out its table and use another name
    ");
    insta::assert_snapshot!(env.sandbox("drift").exits(2), @r#"
    SANDBOX: this is not AWS
    byob.toml   account 123456789012   1 bucket   recorded <date>, serial 2

    bucket.storage
      ! bucket   acme-wandb-storage → "another account's"
          exposure: it belongs to somebody else now: whoever still writes to this name gives them the
            data

    1 of 8 recorded addresses drifted (0 attributes read): 1 exposure
    byob plan shows the way back, byob apply goes it. byob apply --refresh-only accepts what is live
      into the record; to keep it, write it into byob.toml too.
    [exit 2]
    "#);
}

#[test]
fn a_bucket_that_answers_as_another_accounts() {
    let env = TestEnvironment::applied(ONE_BUCKET);
    insta::assert_snapshot!(findings_with(&env, "foreign-owner=acme-wandb-storage", ""), @r"
    error BYOB005 bucket.storage: `acme-wandb-storage` now belongs to another account: it was deleted outside byob and somebody else took the name
      help: tell W&B and everybody who writes to it at once; then take out its table and use another name
    ");
}

#[test]
fn a_recorded_bucket_that_may_not_be_looked_at() {
    let env = TestEnvironment::applied(ONE_BUCKET);
    insta::assert_snapshot!(refused_with(&env, "deny=s3:ListBucket", "plan"), @r"
    SANDBOX: this is not AWS
    byob.toml   account 123456789012   1 bucket   recorded <date>, serial 2

    error BYOB002 bucket.storage: AWS does not let this caller look at `acme-wandb-storage`
      help: the caller needs s3:ListBucket on the bucket (and s3:ListAllMyBuckets to tell whether it is
        still ours)

    1 error: nothing can be applied
    [exit 1]
    ");
    insta::assert_snapshot!(refused_with(&env, "deny=s3:ListBucket+s3:ListAllMyBuckets", "plan"), @r"
    SANDBOX: this is not AWS
    byob.toml   account 123456789012   1 bucket   recorded <date>, serial 2

    error BYOB002 bucket.storage: AWS does not let this caller look at `acme-wandb-storage`
      help: the caller needs s3:ListBucket on the bucket (and s3:ListAllMyBuckets to tell whether it is
        still ours)

    1 error: nothing can be applied
    [exit 1]
    ");
}

#[test]
fn a_foreign_key_that_is_disabled_or_about_to_be_deleted() {
    const ARN: &str = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555";
    let config = format!("{ONE_BUCKET}encryption = {{ type = \"sse-kms\", key = \"{ARN}\" }}\n");
    let env = TestEnvironment::new(&config);
    env.sandbox("plan").exits(0);
    let kms = wait(World::of(&env)).kms("us-east-1");
    wait(kms.disable_key().key_id(ARN).send()).unwrap();
    insta::assert_snapshot!(findings(&env), @r"
    error BYOB009 bucket.storage.encryption: the key `arn:aws:kms:us-east-1:123456789012:key/<uuid>` is Disabled: S3 could neither write nor read objects under it
      help: let its owner enable it (or cancel its deletion), or name another key
    ");
    wait(kms.schedule_key_deletion().key_id(ARN).send()).unwrap();
    insta::assert_snapshot!(findings(&env), @r"
    error BYOB009 bucket.storage.encryption: the key `arn:aws:kms:us-east-1:123456789012:key/<uuid>` is PendingDeletion: S3 could neither write nor read objects under it
      help: let its owner enable it (or cancel its deletion), or name another key
    ");
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
    insta::assert_snapshot!(findings(&env), @r#"
    error BYOB010 key.storage: objects in `acme-wandb-storage` were encrypted under `arn:aws:kms:us-east-1:123456789012:key/<uuid>`, or are to be; without it they are unreadable for ever
      help: to keep the key and drop it from the record: forget = ["key.storage"]
    "#);
    // The bucket leaves the record: the key is still remembered as needed.
    env.write("byob.toml", &format!("forget = [\"bucket.storage\"]\n{}", env.read("byob.toml")));
    env.edit("[bucket.storage]\nname = \"acme-wandb-storage\"\n", "");
    insta::assert_snapshot!(findings(&env), @r#"
    error BYOB010 key.storage: objects in `acme-wandb-storage` were encrypted under `arn:aws:kms:us-east-1:123456789012:key/<uuid>`, or are to be; without it they are unreadable for ever
      help: to keep the key and drop it from the record: forget = ["key.storage"]
    "#);
    env.edit("forget = [\"bucket.storage\"]", "forget = [\"bucket.storage\", \"key.storage\"]");
    let before = env.tree();
    env.sandbox("apply --auto-approve").exits(0);
    assert_eq!(env.written(&before), [""; 0]);
}

#[test]
fn a_new_name_for_an_existing_bucket() {
    let env = TestEnvironment::applied(ONE_BUCKET);
    env.edit("acme-wandb-storage", "acme-wandb-archive");
    insta::assert_snapshot!(findings(&env), @r#"
    error BYOB007 bucket.storage: the name cannot change: it is `acme-wandb-storage` and would become `acme-wandb-archive`
      help: a bucket keeps its name for life; put the old one back, or give the new one a table of its own (and take the old one out with forget = ["bucket.storage"], or protect = false and byob destroy)
    "#);
}

#[test]
fn another_region_for_an_existing_bucket() {
    let env = TestEnvironment::applied(ONE_BUCKET);
    env.edit("name = \"acme-wandb-storage\"", "name = \"acme-wandb-storage\"\nregion = \"eu-west-1\"");
    insta::assert_snapshot!(findings(&env), @r#"
    error BYOB007 bucket.storage: `acme-wandb-storage` is in us-east-1 and the configuration says eu-west-1
      help: a bucket never changes its region: write region = "us-east-1"
    "#);
}

#[test]
fn a_prefix_named_bucket_under_another_label() {
    let env = TestEnvironment::applied(
        &ONE_BUCKET.replace("name =", "name_prefix =").replace("acme-wandb-storage", "acme"),
    );
    env.edit("[bucket.storage]", "[bucket.archive]");
    insta::assert_snapshot!(refused(&env, "plan"), @r"
    SANDBOX: this is not AWS
    byob.toml   account 123456789012   1 bucket   recorded <date>, serial 2

    error BYOB011 bucket.archive: `bucket.storage` is `acme-file-storage-oasis-insight`, made from the
      prefix `acme`; under `bucket.archive` it would be a new bucket
      help: if it is the same bucket: byob state mv bucket.storage bucket.archive; if it is a new one,
        give it another prefix or a name

    1 error: nothing can be applied
    [exit 1]
    ");
}

#[test]
fn a_deletion_under_protection() {
    let env = TestEnvironment::applied(BUCKET_AND_KEY);
    insta::assert_snapshot!(refused(&env, "destroy --auto-approve"), @r#"
    SANDBOX: this is not AWS
    byob.toml   account 123456789012   1 bucket, 1 key   recorded <date>, serial 2
    Destroy: everything byob has recorded is to go (--destroy).

    error BYOB006 bucket.storage: `acme-wandb-storage` is protected and would be deleted
      help: to delete it: protect = false in [bucket.storage], byob apply, then this again; to keep it
        and drop it from the record: forget = ["bucket.storage"]
    error BYOB006 key.storage:
      `arn:aws:kms:us-east-1:123456789012:key/<uuid>` is protected and
      would be deleted
      help: to delete it: protect = false in [key.storage], byob apply, then this again; to keep it and
        drop it from the record: forget = ["key.storage"]

    2 errors: nothing can be applied
    error: nothing was written
      help: mend the errors above, then plan again
    [exit 1]
    "#);
    let config = env.read("byob.toml");
    env.write("byob.toml", config.split_once("[bucket.storage]").unwrap().0);
    insta::assert_snapshot!(findings(&env), @r#"
    error BYOB006 bucket.storage: `acme-wandb-storage` is protected and would be deleted
      help: to delete it: protect = false in [bucket.storage], byob apply, then this again; to keep it and drop it from the record: forget = ["bucket.storage"]
    error BYOB006 key.storage: `arn:aws:kms:us-east-1:123456789012:key/<uuid>` is protected and would be deleted
      help: to delete it: protect = false in [key.storage], byob apply, then this again; to keep it and drop it from the record: forget = ["key.storage"]
    "#);
}

#[test]
fn a_policy_that_locks_its_own_caller_out() {
    let env = TestEnvironment::applied(ONE_BUCKET);
    env.edit(
        "name = \"acme-wandb-storage\"",
        "name = \"acme-wandb-storage\"\nextra_statements = [{ Sid = \"Freeze\", Effect = \"Deny\", Principal = \"*\", \
         Action = \"s3:PutBucketPolicy\", Resource = \"arn:aws:s3:::acme-wandb-storage\" }]",
    );
    // Another role may well put it: the plan stands and says who is left, the apply is refused.
    let plan = env.sandbox("plan").exits(0).to_string();
    let head: Vec<&str> = plan.lines().take_while(|line| !line.is_empty()).collect();
    insta::assert_snapshot!(head.join("\n"), @"
    SANDBOX: this is not AWS
    byob.toml   account 123456789012   1 bucket   recorded <date>, serial 2
    bucket.storage.policy: statement `Freeze` keeps everybody from changing this policy again; the root
      user of the account always can
    bucket.storage.policy: statement `Freeze` would keep
      arn:aws:sts::123456789012:assumed-role/byob-sandbox/sandbox from changing this policy again; byob
      apply refuses to put it as that caller
    ");
    insta::assert_snapshot!(refused(&env, "apply --auto-approve").talk(), @r"
    SANDBOX: an embedded stand-in for AWS, account 123456789012, kept in .byob/sandbox; nothing here is real
    error: bucket.storage.policy: statement `Freeze` would deny
           arn:aws:sts::123456789012:assumed-role/byob-sandbox/sandbox itself the reading, putting or
           deleting of this policy; nothing was written
      help: only the account's root user could mend that; leave the caller out of the Deny
    ");
}

#[test]
fn missing_rights_are_named_before_the_first_write() {
    let env = TestEnvironment::new(BUCKET_AND_KEY);
    insta::assert_snapshot!(
        refused_with(&env, "deny=s3:PutBucketPolicy+kms:CreateAlias+s3:PutBucketCORS", "apply --auto-approve").talk(),
        @r#"
    SANDBOX: an embedded stand-in for AWS, account 123456789012, kept in .byob/sandbox; nothing here is real
    error: arn:aws:sts::123456789012:assumed-role/byob-sandbox/sandbox lacks rights that the steps need;
           nothing was written
      kms:CreateAlias on arn:aws:kms:us-east-1:123456789012:alias/acme-wandb
      s3:PutBucketCORS on arn:aws:s3:::acme-wandb-storage
      s3:PutBucketPolicy on arn:aws:s3:::acme-wandb-storage
      help: give the caller this statement, in an IAM policy of its own:
    {
      "Action": [
        "kms:CreateAlias",
        "s3:PutBucketCORS",
        "s3:PutBucketPolicy"
      ],
      "Effect": "Allow",
      "Resource": [
        "arn:aws:kms:us-east-1:123456789012:alias/acme-wandb",
        "arn:aws:s3:::acme-wandb-storage"
      ]
    }
    "#
    );
    // Who may not ask for its rights is told so, and goes on.
    let env = TestEnvironment::new(ONE_BUCKET);
    insta::assert_snapshot!(
        env.sandbox_with("deny=iam:SimulatePrincipalPolicy+iam:GetRole", "apply --auto-approve").exits(0).talk(),
        @r"
    SANDBOX: an embedded stand-in for AWS, account 123456789012, kept in .byob/sandbox; nothing here is real
    note: whether the caller has the rights for these steps could not be asked (iam:SimulatePrincipalPolicy); going on
    ✓ bucket.storage   done
    ✓ bucket.storage.tags   done
    ✓ bucket.storage.public_access_block   done
    ✓ bucket.storage.ownership   done
    ✓ bucket.storage.encryption   done
    ✓ bucket.storage.cors   done
    ✓ bucket.storage.policy   done
    ✓ applied 7 steps in <time> s, read back, converged
    "
    );
}

#[test]
fn nobody_to_ask_and_no_approval() {
    let env = TestEnvironment::new(ONE_BUCKET);
    insta::assert_snapshot!(refused(&env, "apply"), @r"
    error: nobody approved this, and there is no terminal to ask on; nothing was contacted
      help: byob plan prints the line with the digest: byob apply --approve sha256:… (or --plan FILE, or
            --auto-approve)
    [exit 1]
    ");
    insta::assert_snapshot!(refused(&env, "destroy"), @r"
    error: nobody approved this, and there is no terminal to ask on; nothing was contacted
      help: byob plan --destroy prints the line with the digest: byob destroy --approve sha256:… (or
            --plan FILE, or --auto-approve)
    [exit 1]
    ");
    assert!(!env.dir().join(".byob").exists(), "nothing was contacted");
}

#[test]
fn a_damaged_record() {
    let env = TestEnvironment::applied(ONE_BUCKET);
    let text = env.read(env.record_path());
    env.write(env.record_path(), &text.replacen("us-east-1", "us-east-2", 1));
    insta::assert_snapshot!(refused(&env, "plan"), @r"
    error: .byob/sandbox/record/byob.state.json: the record is damaged: its checksum does not fit its
           content: something other than byob changed it
      help: the newest good copy is .byob/sandbox/record/history/byob.state.json.<old>; put it
            back with: cp .byob/sandbox/record/history/byob.state.json.<old>
            .byob/sandbox/record/byob.state.json
    [exit 1]
    ");
    insta::assert_snapshot!(refused(&env, "apply --auto-approve"), @r"
    error: .byob/sandbox/record/byob.state.json: the record is damaged: its checksum does not fit its
           content: something other than byob changed it
      help: the newest good copy is .byob/sandbox/record/history/byob.state.json.<old>; put it
            back with: cp .byob/sandbox/record/history/byob.state.json.<old>
            .byob/sandbox/record/byob.state.json
    [exit 1]
    ");
    env.write(env.record_path(), &text[..text.len() / 2]);
    insta::assert_snapshot!(refused(&env, "apply --auto-approve"), @r"
    error: .byob/sandbox/record/byob.state.json: the record is damaged: it ends too early, in line 131
      help: the newest good copy is .byob/sandbox/record/history/byob.state.json.<old>; put it
            back with: cp .byob/sandbox/record/history/byob.state.json.<old>
            .byob/sandbox/record/byob.state.json
    [exit 1]
    ");
}

#[test]
fn a_record_of_a_newer_byob() {
    let env = TestEnvironment::applied(ONE_BUCKET);
    let mut record = env.record();
    record["format_version"] = 99.into();
    env.write(env.record_path(), &record.to_string());
    insta::assert_snapshot!(refused(&env, "plan"), @r"
    error: .byob/sandbox/record/byob.state.json: the record has format 99 (written by byob 0.1.0); this
           byob knows formats up to 1
      help: use the byob that wrote it, or a newer one; records are not taken back to older formats
    [exit 1]
    ");
    insta::assert_snapshot!(refused(&env, "apply --auto-approve"), @r"
    error: .byob/sandbox/record/byob.state.json: the record has format 99 (written by byob 0.1.0); this
           byob knows formats up to 1
      help: use the byob that wrote it, or a newer one; records are not taken back to older formats
    [exit 1]
    ");
}

#[test]
fn no_record_is_not_no_drift() {
    let env = TestEnvironment::new(ONE_BUCKET);
    insta::assert_snapshot!(refused(&env, "drift"), @r"
    error: there is no record at .byob/sandbox/record/byob.state.json, so nothing can be said about
           drift
      help: `byob apply` makes the first record; where it exists already, bring it here, or correct
            [state] in byob.toml
    [exit 1]
    ");
}

#[test]
fn a_target_that_does_not_exist() {
    let env = TestEnvironment::applied(ONE_BUCKET);
    insta::assert_snapshot!(findings_with(&env, "", "--target bucket.storag"), @r"
    error BYOB019 bucket.storag: --target names something that is neither configured nor recorded
      help: byob state list and byob.toml say what there is
    ");
}

#[test]
fn an_action_that_aws_does_not_have_is_not_tried_again_as_if_a_role_were_new() {
    let env = TestEnvironment::applied(ONE_BUCKET);
    env.edit(
        "name = \"acme-wandb-storage\"",
        "name = \"acme-wandb-storage\"\nextra_statements = [{ Sid = \"Typo\", Effect = \"Deny\", Principal = { AWS = \
         \"arn:aws:iam::111122223333:root\" }, Action = \"s3:GetObjct\", Resource = \"arn:aws:s3:::acme-wandb-storage/*\" }]",
    );
    insta::assert_snapshot!(env.sandbox("apply --auto-approve").exits(1).talk(), @r#"
    SANDBOX: an embedded stand-in for AWS, account 123456789012, kept in .byob/sandbox; nothing here is real
    ✗ bucket.storage.policy   failed: AWS refused PutBucketPolicy on acme-wandb-storage: MalformedPolicy "Action does not apply to any resource(s) in statement" (request <id>)
      ✗ bucket.storage.policy   AWS refused PutBucketPolicy on acme-wandb-storage: MalformedPolicy
                                "Action does not apply to any resource(s) in statement" (request
                                <id>)
        help: byob plan shows the policy; correct that statement in byob.toml

    done 0, failed 1, not started 0 (<time> s)
    The record is saved; the same command, with the same approval, goes on from here.
    "#);
}

/// A bucket that is still to be made has no policy: where nobody but others may write it, W&B stays out, and the first plan
/// says so rather than the second.
#[test]
fn a_new_bucket_whose_policy_is_left_to_others_keeps_wandb_out() {
    let env = TestEnvironment::new(&format!("{ONE_BUCKET}unmanaged = [\"policy\"]\n"));
    let plan = env.sandbox("plan").exits(1);
    assert!(plan.stdout.contains("error BYOB023 bucket.storage.policy"), "{plan}");
    env.sandbox("apply --auto-approve").exits(1);
    assert!(env.record().is_null());
    // Left out for now, it can be made; whoever owns the policy then lets it in.
    env.edit("unmanaged", "wandb_access = false\nunmanaged");
    env.sandbox("apply --auto-approve").exits(0);
    env.is_settled();
}
