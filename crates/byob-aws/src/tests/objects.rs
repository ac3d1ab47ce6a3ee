//! The record's objects: whose bucket it has to be, and what is said of a key that is not right.

use byob_state::objects::{ObjectError, Objects, When};

use crate::S3Objects;
use crate::fake::{ACCOUNT, Answer, Fake};

const KEY: &str = "arn:aws:kms:us-east-1:123456789012:key/1f0e";

async fn objects(fake: &Fake, kms_key: Option<&str>, owner: Option<&str>) -> S3Objects {
    let (bucket, region) = ("acme-state".to_owned(), "us-east-1".to_owned());
    let objects = S3Objects::new(fake.cloud().await, bucket, region, kms_key.map(str::to_owned));
    objects.of_account(owner.map(str::to_owned))
}

fn help(error: ObjectError) -> String {
    match error {
        ObjectError::Refused { help, .. } => help.unwrap_or_default(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn every_request_says_whose_the_bucket_has_to_be_where_that_is_known() {
    for owner in [Some(ACCOUNT), None] {
        let fake = Fake::new();
        let objects = objects(&fake, None, owner).await;
        // What is answered does not matter: what is asked does.
        let _ = objects.get("k").await;
        let _ = objects.put("k", b"{}", &When::Absent).await;
        let _ = objects.versions("k").await;
        let _ = objects.version("k", "v").await;
        let seen = fake.seen();
        assert_eq!(seen.len(), 4);
        for seen in seen {
            let said = seen.headers.get("x-amz-expected-bucket-owner").map(String::as_str);
            assert_eq!(said, owner, "{}", seen.operation);
        }
    }
}

#[tokio::test]
async fn a_refusal_says_that_the_bucket_may_be_of_another_account() {
    let fake = Fake::new().on("GET x-id", Answer::error(403, "AccessDenied"));
    let said = help(objects(&fake, None, Some(ACCOUNT)).await.get("k").await.unwrap_err());
    assert!(
        said.contains("s3:GetObject") && said.contains(ACCOUNT) && said.contains("`account_id`"),
        "{said}"
    );
    let said = help(objects(&fake, None, None).await.get("k").await.unwrap_err());
    assert!(said.contains("s3:GetObject") && !said.contains("account_id"), "{said}");
}

/// With `If-Match` a 404 means that somebody was first: not so where it is the key that is not there.
#[tokio::test]
async fn a_key_that_is_not_there_is_said_to_be_the_key() {
    for code in ["KMS.NotFoundException", "KMS.DisabledException", "KMS.KMSInvalidStateException"] {
        let fake =
            Fake::new().on("PUT x-id", Answer::error(404, code)).on("GET x-id", Answer::error(404, code));
        let objects = objects(&fake, Some(KEY), None).await;
        for when in [When::Absent, When::Is("\"1\"".to_owned())] {
            let said = help(objects.put("k", b"{}", &when).await.unwrap_err());
            assert!(said.contains("`kms_key` in [state] s3") && said.contains(KEY), "{code}: {said}");
        }
        // Nor is a record whose key is gone taken for none.
        assert!(help(objects.get("k").await.unwrap_err()).contains("kms_key"), "{code}");
    }
}
