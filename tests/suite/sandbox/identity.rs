//! Identity goes before address: a renamed table moves the record, an imported bucket is taken as it is.

use serde_json::{Value, json};

use crate::common::TestEnvironment;

use super::faults::unprotected;
use super::world::{World, wait};
use super::{BUCKET_AND_KEY, ONE_BUCKET};

/// The tags of a bucket.
fn tags(env: &TestEnvironment, bucket: &str) -> Value {
    let s3 = wait(World::of(env)).s3("us-east-1");
    let tags = wait(s3.get_bucket_tagging().bucket(bucket).send()).unwrap();
    tags.tag_set().iter().map(|tag| (tag.key().to_owned(), Value::from(tag.value()))).collect()
}

/// One file of the world as JSON, without the tags.
fn but_its_tags(env: &TestEnvironment, folder: &str) -> Value {
    let name = env.names(folder).remove(0);
    let text = env.read(format!(".byob/sandbox/{folder}/{name}.json"));
    let mut value: Value = serde_json::from_str(&text).unwrap();
    take_tags(&mut value);
    value
}

fn take_tags(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.retain(|key, _| key != "tags" && key != "tagging");
            object.values_mut().for_each(take_tags);
        }
        Value::Array(items) => items.iter_mut().for_each(take_tags),
        _ => {}
    }
}

#[test]
fn a_renamed_bucket_table_moves_the_record_and_one_tag() {
    let env = TestEnvironment::applied(ONE_BUCKET);
    let (before, rest) = (tags(&env, "acme-wandb-storage"), but_its_tags(&env, "buckets"));
    env.edit("[bucket.storage]", "[bucket.artifacts]");
    insta::assert_snapshot!(env.sandbox("plan").exits(0), @"
    SANDBOX: this is not AWS
    byob.toml   account 123456789012   1 bucket   recorded <date>, serial 2

    bucket.artifacts   acme-wandb-storage   us-east-1
      > bucket   taken into the record: recorded as bucket.storage until now
          writes to AWS: PutBucketTagging

    6 notes: TLS is not required, old TLS is allowed, CORS allows any origin, versioning is off,
      unfinished uploads are kept, W&B's whole account is granted (byob plan --notes)

    0 to create, 0 to update, 0 to delete, 1 to adopt
    byob apply --approve sha256:<digest> --sandbox
    ");
    env.sandbox("apply --auto-approve").exits(0);
    let mut expected = before;
    expected["byob:address"] = json!("bucket.artifacts");
    assert_eq!(tags(&env, "acme-wandb-storage"), expected);
    assert_eq!(but_its_tags(&env, "buckets"), rest);
    let record = env.record();
    let addresses: Vec<&String> = record["resources"].as_object().unwrap().keys().collect();
    assert!(addresses.iter().all(|address| address.starts_with("bucket.artifacts")), "{addresses:?}");
    env.is_settled();
}

#[test]
fn a_renamed_key_table_moves_the_record_and_one_tag() {
    let env = TestEnvironment::applied(BUCKET_AND_KEY);
    let (arn, rest) = (env.key_arn(), but_its_tags(&env, "keys"));
    let kms = wait(World::of(&env)).kms("us-east-1");
    let key_tags = || -> Value {
        let tags = wait(kms.list_resource_tags().key_id(&arn).send()).unwrap();
        tags.tags().iter().map(|tag| (tag.tag_key().to_owned(), Value::from(tag.tag_value()))).collect()
    };
    let mut expected = key_tags();
    let before = env.tree();
    env.edit("key.storage\" }", "key.main\" }");
    env.edit("[key.storage]", "[key.main]");
    insta::assert_snapshot!(env.sandbox("plan").exits(0), @"
    SANDBOX: this is not AWS
    byob.toml   account 123456789012   1 bucket, 1 key   recorded <date>, serial 2

    key.main   alias/acme-wandb   us-east-1
      > key   taken into the record: recorded as key.storage until now
          writes to AWS: TagResource

    0 to create, 0 to update, 0 to delete, 1 to adopt
    byob apply --approve sha256:<digest> --sandbox
    ");
    env.sandbox("apply --auto-approve").exits(0);
    expected["byob:address"] = json!("key.main");
    assert_eq!(key_tags(), expected);
    assert_eq!(but_its_tags(&env, "keys"), rest);
    assert_eq!(env.written(&before).len(), 1, "the key's file alone");
    assert_eq!(env.key_arn(), arn);
    env.is_settled();
}

#[test]
fn two_tables_may_swap_their_labels() {
    let two = format!("{ONE_BUCKET}\n[bucket.archive]\nname = \"acme-wandb-archive\"\n");
    let env = TestEnvironment::applied(&two);
    env.write(
        "byob.toml",
        &two.replace("[bucket.storage]", "[bucket.x]")
            .replace("[bucket.archive]", "[bucket.storage]")
            .replace("[bucket.x]", "[bucket.archive]"),
    );
    let plan = env.sandbox("plan --format json").exits(0).json();
    assert_eq!(plan["summary"]["adopt"], 2);
    assert_eq!(plan["summary"]["delete"], 0);
    env.sandbox("apply --auto-approve").exits(0);
    env.is_settled();
}

#[test]
fn a_bucket_made_by_hand_is_imported_and_planned_without_a_write() {
    let env = TestEnvironment::applied(ONE_BUCKET);
    // As if somebody had made the same bucket by hand: no record, no tags.
    let s3 = wait(World::of(&env)).s3("us-east-1");
    wait(s3.delete_bucket_tagging().bucket("acme-wandb-storage").send()).unwrap();
    std::fs::remove_dir_all(env.dir().join(".byob/sandbox/record")).unwrap();
    let before = env.tree();
    insta::assert_snapshot!(env.sandbox("import bucket.storage").exits(0), @"
    SANDBOX: this is not AWS
    byob.toml   account 123456789012   1 bucket   recorded by import, serial 1

    No changes. AWS matches the configuration and the record (17 attributes read).
    imported bucket.storage into .byob/sandbox/record/byob.state.json; nothing was written to AWS
    note: the policy of acme-wandb-storage has statements under byob's names already (WandbAccountAccess, Byob…): they are byob's from now on; take them out of the tool that put them, or the two undo each other's work
    ");
    let plan = env.sandbox("plan --format json").exits(0).json();
    for step in plan["steps"].as_array().unwrap() {
        assert_eq!(step["calls"], json!([]), "{step}");
    }
    env.sandbox("apply --auto-approve").exits(0);
    assert_eq!(env.written(&before), [""; 0]);
    env.is_settled();
    insta::assert_snapshot!(env.sandbox("import bucket.storage").exits(1), @"
    error: bucket.storage is recorded already; nothing was recorded
      help: byob plan says how each bucket and key of byob.toml stands now
    [exit 1]
    ");
}

#[test]
fn an_imported_bucket_is_brought_to_its_configuration_and_keeps_its_tags() {
    let env = TestEnvironment::new(ONE_BUCKET);
    env.sandbox("plan").exits(0);
    let s3 = wait(World::of(&env)).s3("us-east-1");
    wait(s3.create_bucket().bucket("acme-wandb-storage").send()).unwrap();
    let tag = aws_sdk_s3::types::Tag::builder().key("CostCentre").value("42").build().unwrap();
    let tagging = aws_sdk_s3::types::Tagging::builder().tag_set(tag).build().unwrap();
    wait(s3.put_bucket_tagging().bucket("acme-wandb-storage").tagging(tagging).send()).unwrap();
    insta::assert_snapshot!(env.sandbox("import bucket.storage").exits(0), @"
    SANDBOX: this is not AWS
    byob.toml   account 123456789012   1 bucket   recorded by import, serial 1

    Access
      W&B Dedicated Cloud (830241207209) gains
        on the objects of bucket.storage   read, write, delete, abort uploads
        on bucket.storage                  list objects, versions, uploads; read location, CORS,
          versioning, encryption
      Nobody else gains access; the bucket is not public.
            proved for bucket policy, key policy, ACL and public access block
            not checked: identity policies of account 830241207209 (a policy grants that account)

    bucket.storage   acme-wandb-storage   us-east-1
      + cors     GET, HEAD, PUT from any origin (*); headers *; exposes ETag; 3000 s   (managed from now
                 on)
      + policy   1 statement   (managed from now on)
          + Allow WandbAccountAccess
          +   who   arn:aws:iam::830241207209:root
          +   what  s3:GetObject*, s3:GetEncryptionConfiguration, s3:ListBucket,
          +       s3:ListBucketMultipartUploads, s3:ListBucketVersions, s3:AbortMultipartUpload,
          +       s3:DeleteObject, s3:PutObject, s3:GetBucketCORS, s3:GetBucketLocation,
          +       s3:GetBucketVersioning
          +   on    arn:aws:s3:::acme-wandb-storage, arn:aws:s3:::acme-wandb-storage/*

    5 notes: TLS is not required, old TLS is allowed, CORS allows any origin, versioning is off, W&B's
      whole account is granted (byob plan --notes)

    2 to create, 0 to update, 0 to delete; access grows
    byob apply --approve sha256:<digest> --sandbox
    imported bucket.storage into .byob/sandbox/record/byob.state.json; nothing was written to AWS
    ");
    env.sandbox("apply --auto-approve").exits(0);
    assert_eq!(tags(&env, "acme-wandb-storage"), json!({ "CostCentre": "42" }));
    env.is_settled();
}

#[test]
fn a_key_made_by_hand_is_imported_by_its_alias() {
    let env = TestEnvironment::new(BUCKET_AND_KEY);
    env.sandbox("plan").exits(0);
    let kms = wait(World::of(&env)).kms("us-east-1");
    let key = wait(kms.create_key().description("by hand").send()).unwrap().key_metadata.unwrap();
    wait(kms.create_alias().alias_name("alias/acme-wandb").target_key_id(&key.key_id).send()).unwrap();
    let before = env.tree();
    let import = env.sandbox("import key.storage").exits(0);
    insta::assert_snapshot!(import.talk(), @r"
    SANDBOX: an embedded stand-in for AWS, account 123456789012, kept in .byob/sandbox; nothing here is real
    imported key.storage into .byob/sandbox/record/byob.state.json; nothing was written to AWS
    ");
    assert_eq!(env.written(&before), [""; 0]);
    env.sandbox("apply --auto-approve").exits(0);
    assert_eq!(env.names("keys"), [key.key_id]);
    env.is_settled();
}

#[test]
fn what_cannot_be_imported_is_said() {
    let env = TestEnvironment::new(BUCKET_AND_KEY);
    insta::assert_snapshot!(env.sandbox("import bucket.storage").exits(1), @"
    error: bucket.storage: `acme-wandb-storage` does not exist; byob apply would create it; nothing was
           recorded
      help: byob plan says how each bucket and key of byob.toml stands now
    [exit 1]
    ");
    insta::assert_snapshot!(env.sandbox("import key.storage").exits(1), @"
    error: key.storage: `alias/acme-wandb` does not exist; byob apply would create it; nothing was
           recorded
      help: byob plan says how each bucket and key of byob.toml stands now
    [exit 1]
    ");
    insta::assert_snapshot!(env.sandbox("import bucket.vision").exits(1), @"
    error: bucket.vision has no table in byob.toml; an import takes the live root that a table already
           describes; nothing was recorded
      help: byob plan says how each bucket and key of byob.toml stands now
    [exit 1]
    ");
    insta::assert_snapshot!(env.sandbox("import bucket").exits(1), @"
    error: invalid value 'bucket' for '[ADDRESS]...': `bucket` is not an address; addresses look like `bucket.storage`, `bucket.storage.policy` or `key.vision`

    For more information, try '--help'.
    [exit 1]
    ");
    assert!(env.record().is_null());
}

/// A bucket that another record made is taken only by somebody who names that record, and is never deleted from here.
#[test]
fn what_another_record_claims_is_imported_only_by_its_lineage() {
    let env = TestEnvironment::applied(ONE_BUCKET);
    let lineage = env.record()["lineage"].as_str().unwrap().to_owned();
    std::fs::remove_dir_all(env.dir().join(".byob/sandbox/record")).unwrap();
    let before = env.tree();
    insta::assert_snapshot!(env.sandbox("import bucket.storage").exits(1), @"
    error: bucket.storage: `acme-wandb-storage` is recorded elsewhere: it carries byob:lineage =
           <uuid>; nothing was recorded
      help: find the record with that lineage (the tags byob:stack and byob:address say which
            configuration made it) and use it: two records with one bucket change and delete behind each
            other's backs; where it is lost for good: byob --sandbox import bucket.storage
            --from-lineage <uuid>
    [exit 1]
    ");
    assert!(env.record().is_null());
    let wrong = "import bucket.storage --from-lineage 00000000-0000-4000-8000-000000000000";
    env.sandbox(wrong).exits(1);
    assert!(env.record().is_null());

    let said = env.sandbox(&format!("import bucket.storage --from-lineage {lineage}")).exits(0);
    assert!(said.talk().contains("takes it for its own as before"), "{said}");
    assert_eq!(env.written(&before), [""; 0]);
    env.write("byob.toml", &unprotected(ONE_BUCKET));
    env.sandbox("apply --auto-approve").exits(0);
    let before = env.tree();
    insta::assert_snapshot!(env.sandbox("destroy --auto-approve").exits(1), @r#"
    SANDBOX: this is not AWS
    byob.toml   account 123456789012   1 bucket   recorded <date>, serial 3
    Destroy: everything byob has recorded is to go (--destroy).

    error BYOB003 bucket.storage: `acme-wandb-storage` would be deleted, and another record claims it:
      it carries byob:lineage = <uuid>
      help: to keep it and drop it from this record: forget = ["bucket.storage"]; where that other
        record is lost for good, take its tag byob:lineage off, then this again

    1 error: nothing can be applied
    error: nothing was written
      help: mend the errors above, then plan again
    [exit 1]
    "#);
    assert_eq!(env.written(&before), [""; 0]);
}

/// A lost record, and a key that no alias leads to any more: its tags do.
#[test]
fn a_key_without_its_alias_is_recovered_by_its_tags() {
    let env = TestEnvironment::applied(BUCKET_AND_KEY);
    let (key, record) = (env.key_arn(), env.record());
    wait(async {
        let kms = World::of(&env).await.kms("us-east-1");
        kms.delete_alias().alias_name("alias/acme-wandb").send().await.unwrap();
    });
    std::fs::remove_dir_all(env.dir().join(".byob/sandbox/record")).unwrap();
    let said = env.sandbox("import --recover").exits(0);
    assert!(said.stderr.contains("recovered bucket.storage, key.storage"), "{said}");
    assert_eq!((env.key_arn(), &env.record()["lineage"]), (key.clone(), &record["lineage"]));
    env.sandbox("apply --auto-approve").exits(0);
    env.is_settled();
    assert_eq!(env.names("keys").len(), 1);

    // Two that say the same: nobody but a person can tell.
    wait(async {
        let kms = World::of(&env).await.kms("us-east-1");
        let tags = kms.list_resource_tags().key_id(&key).send().await.unwrap().tags.unwrap();
        kms.create_key().set_tags(Some(tags)).send().await.unwrap();
        kms.delete_alias().alias_name("alias/acme-wandb").send().await.unwrap();
    });
    std::fs::remove_dir_all(env.dir().join(".byob/sandbox/record")).unwrap();
    let refused = env.sandbox("import --recover").exits(1);
    assert!(refused.stderr.contains("several keys say that they are key.storage"), "{refused}");
    assert!(refused.stderr.contains(&key) && env.record().is_null(), "{refused}");
    // The alias decides.
    wait(async {
        let kms = World::of(&env).await.kms("us-east-1");
        kms.create_alias().alias_name("alias/acme-wandb").target_key_id(&key).send().await.unwrap();
    });
    env.sandbox("import --recover").exits(0);
    assert_eq!(env.key_arn(), key);
}

/// Two stacks of one account may have the same labels: what one of them made is not the other's to recover.
#[test]
fn another_stacks_key_is_not_recovered_for_its_label() {
    let env = TestEnvironment::applied(BUCKET_AND_KEY);
    let (theirs, record) = (env.key_arn(), env.record());
    std::fs::remove_dir_all(env.dir().join(".byob/sandbox/record")).unwrap();
    let other = BUCKET_AND_KEY
        .replacen("version = 1", "version = 1\nstack = \"other\"", 1)
        .replace("acme-wandb-storage", "other-wandb-storage")
        .replace("alias = \"acme-wandb\"", "alias = \"other-wandb\"");
    env.write("byob.toml", &other);
    let refused = env.sandbox("import --recover").exits(1);
    assert!(refused.stderr.contains("exists and carries the tag byob:lineage"), "{refused}");
    let lineage = record["lineage"].as_str().unwrap();
    env.sandbox(&format!("import --recover --from-lineage {lineage}")).exits(1);
    assert!(env.record().is_null());
    // Beside its own bucket it makes its own key.
    env.sandbox("apply --auto-approve").exits(0);
    assert_ne!(env.key_arn(), theirs);
    let own = env.key_arn();
    std::fs::remove_dir_all(env.dir().join(".byob/sandbox/record")).unwrap();
    wait(async {
        let kms = World::of(&env).await.kms("us-east-1");
        kms.delete_alias().alias_name("alias/other-wandb").send().await.unwrap();
    });
    env.sandbox("import --recover").exits(0);
    assert_eq!(env.key_arn(), own);
}

const TWO_KEYS: &str = "[bucket.other]\nname = \"acme-wandb-other\"\nencryption = { type = \"sse-kms\", key = \"key.other\" }\n\
                        [key.other]\nalias = \"acme-other\"\n";

fn lose_the_record(env: &TestEnvironment) {
    std::fs::remove_dir_all(env.dir().join(".byob/sandbox/record")).unwrap();
}

fn recorded_key(env: &TestEnvironment, address: &str) -> String {
    env.record()["resources"][address]["identity"].as_str().unwrap_or_default().to_owned()
}

/// Somebody pointed one key's alias at the other: each table gets its own key back.
#[test]
fn an_alias_that_leads_to_another_tables_key_recovers_nothing_twice() {
    let env = TestEnvironment::applied(&format!("{BUCKET_AND_KEY}{TWO_KEYS}"));
    let keys = ["key.storage", "key.other"].map(|address| recorded_key(&env, address));
    wait(async {
        let kms = World::of(&env).await.kms("us-east-1");
        let update = kms.update_alias().alias_name("alias/acme-wandb").target_key_id(&keys[1]);
        update.send().await.unwrap();
    });
    lose_the_record(&env);
    env.sandbox("import --recover").exits(0);
    assert_eq!(["key.storage", "key.other"].map(|address| recorded_key(&env, address)), keys);
    // The alias itself is for a person to point back.
    let plan = env.sandbox("plan").exits(1);
    assert!(plan.stdout.contains("error BYOB008 key.storage.alias"), "{plan}");
    wait(async {
        let kms = World::of(&env).await.kms("us-east-1");
        let update = kms.update_alias().alias_name("alias/acme-wandb").target_key_id(&keys[0]);
        update.send().await.unwrap();
    });
    env.is_settled();
}

/// An alias may be pointed at anything: a key that says it is another stack's is not this record's.
#[test]
fn an_alias_that_leads_to_another_stacks_key_recovers_none_of_it() {
    let env = TestEnvironment::applied(BUCKET_AND_KEY);
    let key = env.key_arn();
    wait(async {
        let kms = World::of(&env).await.kms("us-east-1");
        let stack =
            aws_sdk_kms::types::Tag::builder().tag_key("byob:stack").tag_value("other").build().unwrap();
        kms.tag_resource().key_id(&key).tags(stack).send().await.unwrap();
    });
    lose_the_record(&env);
    let said = env.sandbox("import --recover").exits(0);
    assert!(said.stderr.contains("recovered bucket.storage into"), "{said}");
    assert!(said.stderr.contains("key.storage does not carry"), "{said}");
}

/// What may not be looked for is not absent: a second key would be made.
#[test]
fn a_key_that_cannot_be_looked_for_is_an_error() {
    let env = TestEnvironment::applied(BUCKET_AND_KEY);
    wait(async {
        let kms = World::of(&env).await.kms("us-east-1");
        kms.delete_alias().alias_name("alias/acme-wandb").send().await.unwrap();
    });
    lose_the_record(&env);
    let refused = env.sandbox_with("deny=kms:ListKeys", "import --recover").exits(1);
    assert!(refused.stderr.contains("key.storage cannot be looked for"), "{refused}");
    assert!(env.record().is_null());
    // Single keys that may not be read are other teams' mostly: told, and no error.
    let warned = env.sandbox_with("deny=kms:ListResourceTags", "import --recover").exits(0);
    let words = warned.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        words.contains(
            "one key may not be looked at (kms:DescribeKey, kms:ListResourceTags): should key.storage be one"
        ),
        "{warned}"
    );
    assert_eq!(recorded_key(&env, "key.storage"), "");
    assert_ne!(recorded_key(&env, "bucket.storage"), "");
}

/// Nothing but tags: they are shown, and a person says whose the key is.
#[test]
fn a_key_alone_is_recovered_by_the_lineage_that_is_shown() {
    let at = BUCKET_AND_KEY.find("[bucket.storage]").unwrap();
    let from = BUCKET_AND_KEY.find("[key.storage]").unwrap();
    let key_alone = format!("{}{}", &BUCKET_AND_KEY[..at], &BUCKET_AND_KEY[from..]);
    let env = TestEnvironment::applied(&key_alone);
    let (key, lineage) = (env.key_arn(), env.record()["lineage"].as_str().unwrap().to_owned());
    wait(async {
        let kms = World::of(&env).await.kms("us-east-1");
        kms.delete_alias().alias_name("alias/acme-wandb").send().await.unwrap();
    });
    lose_the_record(&env);
    let shown = env.sandbox("import --recover").exits(1);
    assert!(shown.stderr.contains(&key) && shown.stderr.contains(&lineage), "{shown}");
    env.sandbox(&format!("import --recover --from-lineage {lineage}")).exits(0);
    assert_eq!(env.key_arn(), key);
}

/// A run that died left the key without its alias, and the record lost sight of it: its tags lead to it.
#[test]
fn a_key_without_its_alias_is_imported_by_its_tags() {
    let env = TestEnvironment::applied(BUCKET_AND_KEY);
    let key = env.key_arn();
    env.sandbox("state rm key.storage").exits(0);
    wait(async {
        let kms = World::of(&env).await.kms("us-east-1");
        kms.delete_alias().alias_name("alias/acme-wandb").send().await.unwrap();
    });
    env.sandbox("import key.storage").exits(0);
    assert_eq!(recorded_key(&env, "key.storage"), key);
}

/// An alias goes before a label, in a recovery too: here the labels changed places after the record was lost.
#[test]
fn keys_are_recovered_by_their_aliases_whatever_their_labels() {
    let env = TestEnvironment::applied(&format!("{BUCKET_AND_KEY}{TWO_KEYS}"));
    let keys = ["key.storage", "key.other"].map(|address| recorded_key(&env, address));
    let swapped = env
        .read("byob.toml")
        .replace("key.storage", "key.x")
        .replace("key.other", "key.storage")
        .replace("key.x", "key.other");
    env.write("byob.toml", &swapped);
    lose_the_record(&env);
    env.sandbox("import --recover").exits(0);
    assert_eq!(["key.other", "key.storage"].map(|address| recorded_key(&env, address)), keys);
    env.sandbox("apply --auto-approve").exits(0);
    env.is_settled();
    // One whose table is gone is told.
    env.write("byob.toml", BUCKET_AND_KEY);
    lose_the_record(&env);
    let said = env.sandbox("import --recover").exits(0);
    let words = said.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        words.contains(&format!("{} (byob:address = key.storage) is this stack's and no table's", keys[1])),
        "{said}"
    );
    // A stack that was renamed is named.
    env.write("byob.toml", &BUCKET_AND_KEY.replacen("version = 1", "version = 1\nstack = \"new\"", 1));
    lose_the_record(&env);
    let refused = env.sandbox("import --recover").exits(1);
    assert!(refused.stderr.contains("made by another stack: default"), "{refused}");
}

/// What is hidden is not absent: the next apply would make another, or leave it out.
#[test]
fn nothing_is_recovered_past_what_may_not_be_looked_at() {
    let env = TestEnvironment::applied(BUCKET_AND_KEY);
    lose_the_record(&env);
    for (deny, said) in [("kms:DescribeKey", "key.storage is hidden"), ("s3:ListBucket", "bucket.storage is")]
    {
        let refused = env.sandbox_with(&format!("deny={deny}"), "import --recover").exits(1);
        assert!(refused.stderr.contains(said), "{refused}");
        assert!(env.record().is_null());
    }
    env.sandbox("import --recover").exits(0);
    env.is_settled();
}

/// Which bucket's data is under which key no tag says: W&B keeps the use of it, and it stays.
#[test]
fn a_recovered_key_counts_as_used_by_every_bucket() {
    let env = TestEnvironment::applied(&format!("{BUCKET_AND_KEY}protect = false\n"));
    let plain = std::fs::read_to_string(env.dir().join("byob.toml"))
        .unwrap()
        .replace("encryption = { type = \"sse-kms\", key = \"key.storage\" }", "encryption = \"sse-s3\"");
    let bucket = recorded_key(&env, "bucket.storage");
    wait(async {
        let s3 = World::of(&env).await.s3("us-east-1");
        s3.put_object().bucket(&bucket).key("x").send().await.unwrap();
    });
    env.write("byob.toml", &plain);
    env.sandbox("apply --auto-approve").exits(0);
    lose_the_record(&env);
    let said = env.sandbox("import --recover").exits(0);
    assert!(said.stderr.contains("each counts as used by every bucket"), "{said}");
    assert_eq!(env.record()["resources"]["bucket.storage"]["keys_used"][0], env.key_arn());
    let plan = env.sandbox("plan").exits(0);
    assert!(plan.stdout.contains("0 to create, 1 to update, 0 to delete"), "{plan}");
    env.sandbox("apply --auto-approve").exits(0);
    env.is_settled();
    let gone = plain.split("[key.storage]").next().unwrap().to_owned();
    env.write("byob.toml", &gone);
    let plan = env.sandbox("plan").exits(1);
    assert!(plan.stdout.contains("BYOB010"), "{plan}");
}

/// Found by a reader: a bucket that names another stack's was recovered into that stack's lineage.
#[test]
fn another_stacks_bucket_is_not_recovered() {
    let env = TestEnvironment::applied(ONE_BUCKET);
    lose_the_record(&env);
    let other = ONE_BUCKET.replacen("version = 1", "version = 1\nstack = \"other\"", 1);
    env.write("byob.toml", &other);
    env.sandbox("import --recover").exits(1);
    assert!(env.record().is_null());
}

/// Found by a reader: what stands in the policy of a key that is taken over was not shown, and was gone.
#[test]
fn the_policy_of_a_key_that_is_taken_over_by_its_alias_is_shown() {
    let env = TestEnvironment::applied(BUCKET_AND_KEY);
    let key = env.key_arn();
    wait(async {
        let kms = World::of(&env).await.kms("us-east-1");
        let policy = kms.get_key_policy().key_id(&key).send().await.unwrap();
        let mut policy: Value = serde_json::from_str(policy.policy().unwrap()).unwrap();
        policy["Statement"].as_array_mut().unwrap().push(json!({"Sid": "TeamX", "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::999999999999:root"}, "Action": "kms:Decrypt", "Resource": "*"}));
        kms.put_key_policy().key_id(&key).policy(policy.to_string()).send().await.unwrap();
    });
    env.sandbox("state rm key.storage").exits(0);
    let plan = env.sandbox("plan").exits(0);
    assert!(plan.stdout.contains("key.storage") && plan.stdout.contains("TeamX"), "{plan}");
    // Another stack's is not taken, whatever the lineage says.
    wait(async {
        let kms = World::of(&env).await.kms("us-east-1");
        let stack =
            aws_sdk_kms::types::Tag::builder().tag_key("byob:stack").tag_value("other").build().unwrap();
        kms.tag_resource().key_id(&key).tags(stack).send().await.unwrap();
    });
    let refused = env.sandbox("plan").exits(1);
    assert!(refused.stdout.contains("byob:stack = other"), "{refused}");
}

/// A slip with `--out` costs nothing.
#[test]
fn a_plan_takes_the_place_of_nothing_but_a_plan() {
    let env = TestEnvironment::applied(ONE_BUCKET);
    let before = env.read("byob.toml");
    let refused = env.sandbox("plan --out byob.toml").exits(1);
    assert!(refused.stderr.contains("is there already and is no plan"), "{refused}");
    assert_eq!(env.read("byob.toml"), before);
    env.sandbox("plan --out plan.json").exits(0);
    env.sandbox("plan --out plan.json").exits(0);
}
