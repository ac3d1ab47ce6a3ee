use std::os::unix::fs::PermissionsExt;
use std::time::Instant;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart, Tag, Tagging};
use byob_sandbox::{Options, Sandbox, SandboxError, Seed};

use super::{bucket, iam, kms, options, s3};

#[tokio::test]
async fn a_world_is_the_same_when_it_is_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    let theirs = "arn:aws:kms:us-east-1:999988887777:key/11111111-2222-3333-4444-555555555555";
    let seed = Seed {
        foreign_keys: vec![theirs.into()],
        roles: vec!["arn:aws:iam::123456789012:role/seeded".into()],
    };
    let first = Sandbox::open(Options { seed, ..options(Some(dir.path().into())) }).await.unwrap();
    let client = bucket(&first, "kept").await;
    let tagging =
        Tagging::builder().tag_set(Tag::builder().key("k").value("v").build().unwrap()).build().unwrap();
    client.put_bucket_tagging().bucket("kept").tagging(tagging).send().await.unwrap();
    client
        .put_object()
        .bucket("kept")
        .key("a/b")
        .body(ByteStream::from_static(b"body"))
        .send()
        .await
        .unwrap();
    let upload =
        client.create_multipart_upload().bucket("kept").key("up").content_type("a/b").send().await.unwrap();
    let upload_id = upload.upload_id().unwrap().to_owned();
    let part = client.upload_part().bucket("kept").key("up").upload_id(&upload_id).part_number(1);
    let part = part.body(ByteStream::from_static(b"part")).send().await.unwrap();
    let keys = kms(&first, "eu-west-1");
    let arn = keys.create_key().send().await.unwrap().key_metadata().unwrap().arn().unwrap().to_owned();
    keys.create_alias().alias_name("alias/kept").target_key_id(&arn).send().await.unwrap();
    keys.enable_key_rotation().key_id(&arn).rotation_period_in_days(100).send().await.unwrap();
    let roles = iam(&first, "us-east-1");
    roles.create_role().role_name("made").assume_role_policy_document(super::TRUST).send().await.unwrap();
    first.save().await.unwrap();
    drop(first);

    let second = Sandbox::open(options(Some(dir.path().into()))).await.unwrap();
    let client = s3(&second, "us-east-1");
    let tags = client.get_bucket_tagging().bucket("kept").send().await.unwrap();
    assert_eq!(tags.tag_set()[0].value(), "v");
    let got = client.get_object().bucket("kept").key("a/b").send().await.unwrap();
    assert_eq!(got.body.collect().await.unwrap().into_bytes(), "body");
    let uploads = client.list_multipart_uploads().bucket("kept").send().await.unwrap();
    assert_eq!(uploads.uploads()[0].upload_id(), Some(upload_id.as_str()));
    let done = CompletedPart::builder().part_number(1).set_e_tag(part.e_tag().map(str::to_owned)).build();
    let complete = client.complete_multipart_upload().bucket("kept").key("up").upload_id(&upload_id);
    let complete = complete.multipart_upload(CompletedMultipartUpload::builder().parts(done).build());
    complete.send().await.unwrap();
    let got = client.get_object().bucket("kept").key("up").send().await.unwrap();
    assert_eq!(got.content_type(), Some("a/b"));
    assert_eq!(got.body.collect().await.unwrap().into_bytes(), "part");
    assert!(client.list_multipart_uploads().bucket("kept").send().await.unwrap().uploads().is_empty());
    let keys = kms(&second, "eu-west-1");
    let described = keys.describe_key().key_id("alias/kept").send().await.unwrap();
    assert_eq!(described.key_metadata().unwrap().arn(), Some(arn.as_str()));
    let rotation = keys.get_key_rotation_status().key_id(&arn).send().await.unwrap();
    assert_eq!(rotation.rotation_period_in_days(), Some(100));
    kms(&second, "us-east-1").describe_key().key_id(theirs).send().await.unwrap();
    for role in ["seeded", "made"] {
        iam(&second, "us-east-1").get_role().role_name(role).send().await.unwrap();
    }
}

#[tokio::test]
async fn two_handles_on_one_folder_see_each_others_writes() {
    let dir = tempfile::tempdir().unwrap();
    let one = Sandbox::open(options(Some(dir.path().into()))).await.unwrap();
    let two = Sandbox::open(options(Some(dir.path().into()))).await.unwrap();
    let client = bucket(&one, "shared").await;
    let theirs = s3(&two, "us-east-1");
    theirs.head_bucket().bucket("shared").send().await.unwrap();
    for (writer, reader, body) in [(&client, &theirs, "one"), (&theirs, &client, "two")] {
        let put =
            writer.put_object().bucket("shared").key("k").body(ByteStream::from_static(body.as_bytes()));
        put.send().await.unwrap();
        let got = reader.get_object().bucket("shared").key("k").send().await.unwrap();
        assert_eq!(got.body.collect().await.unwrap().into_bytes(), body);
    }
}

#[tokio::test]
async fn files_are_private_and_reset_removes_only_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let world = dir.path().join("world");
    let sandbox = Sandbox::open(options(Some(world.clone()))).await.unwrap();
    bucket(&sandbox, "private").await;
    let mode = std::fs::metadata(world.join("buckets/private.json")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    std::fs::write(world.join("byob.state.json"), "{}").unwrap();
    Sandbox::reset(&world).unwrap();
    let left: Vec<_> = std::fs::read_dir(&world).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["byob.state.json"]);
    assert!(matches!(Sandbox::reset(&world), Err(SandboxError::NotASandbox { .. })));
    Sandbox::reset(&dir.path().join("nowhere")).unwrap();
}

#[tokio::test]
async fn the_folder_of_another_account_or_a_newer_format_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    Sandbox::open(options(Some(dir.path().into()))).await.unwrap();
    let other = Options { account_id: "111122223333".into(), ..options(Some(dir.path().into())) };
    assert!(matches!(Sandbox::open(other).await, Err(SandboxError::OtherAccount { .. })));
    std::fs::write(dir.path().join("world.json"), r#"{"format_version":99,"account_id":"x"}"#).unwrap();
    let newer = Sandbox::open(options(Some(dir.path().into()))).await;
    assert!(matches!(newer, Err(SandboxError::NewerFormat { found: 99, .. })));
    let account = Options { account_id: "12".into(), ..options(None) };
    assert!(matches!(Sandbox::open(account).await, Err(SandboxError::AccountId(_))));
}

async fn fill(dir: &std::path::Path, count: usize) -> std::time::Duration {
    let sandbox = Sandbox::open(options(Some(dir.into()))).await.unwrap();
    let client = s3(&sandbox, "us-east-1");
    let start = Instant::now();
    for n in 0..count {
        let name = format!("many-{n}");
        client.create_bucket().bucket(&name).send().await.unwrap();
        for value in ["a", "b", "c"] {
            let tag = Tag::builder().key("k").value(value).build().unwrap();
            let tagging = Tagging::builder().tag_set(tag).build().unwrap();
            client.put_bucket_tagging().bucket(&name).tagging(tagging).send().await.unwrap();
        }
    }
    start.elapsed()
}

#[tokio::test]
async fn a_call_costs_the_same_however_large_the_world_is() {
    let (small, large) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fill(small.path(), 3).await; // warms up
    let ten = fill(&small.path().join("ten"), 10).await;
    let hundred = fill(large.path(), 100).await;
    // Generous, because other work shares this machine: what was quadratic would be a hundredfold.
    assert!(hundred < ten * 30, "ten buckets {ten:?}, a hundred {hundred:?}");
    let start = Instant::now();
    let sandbox = Sandbox::open(options(Some(large.path().into()))).await.unwrap();
    let open = start.elapsed();
    assert_eq!(s3(&sandbox, "us-east-1").list_buckets().send().await.unwrap().buckets().len(), 100);
    assert!(open.as_millis() < 100, "{open:?}");
    println!("ten {ten:?} hundred {hundred:?} open {open:?}");
}

#[tokio::test]
async fn writers_of_one_folder_take_turns() {
    let dir = tempfile::tempdir().unwrap();
    let one = Sandbox::open(options(Some(dir.path().into()))).await.unwrap();
    let two = Sandbox::open(options(Some(dir.path().into()))).await.unwrap();
    let (mine, theirs) = (bucket(&one, "turns").await, s3(&two, "us-east-1"));
    let mut writes = tokio::task::JoinSet::new();
    for n in 0..20 {
        let client = if n % 2 == 0 { mine.clone() } else { theirs.clone() };
        let put =
            client.put_object().bucket("turns").key(format!("k{n}")).body(ByteStream::from_static(b"x"));
        writes.spawn(put.send());
    }
    for result in writes.join_all().await {
        result.unwrap();
    }
    assert_eq!(mine.list_objects_v2().bucket("turns").send().await.unwrap().contents().len(), 20);
}
