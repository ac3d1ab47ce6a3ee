use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};

use super::{ACCOUNT, OTHER, bucket, refusal, refused, s3, sandbox};

fn in_region(region: &str) -> CreateBucketConfiguration {
    CreateBucketConfiguration::builder().location_constraint(BucketLocationConstraint::from(region)).build()
}

#[tokio::test]
async fn creating_ones_own_bucket_again_succeeds_in_us_east_1_only() {
    let sandbox = sandbox().await;
    let s3_us = bucket(&sandbox, "twice").await;
    s3_us.create_bucket().bucket("twice").send().await.unwrap();
    let s3_eu = s3(&sandbox, "eu-west-1");
    let create =
        || s3_eu.create_bucket().bucket("once").create_bucket_configuration(in_region("eu-west-1")).send();
    create().await.unwrap();
    assert_eq!(refusal(create().await), refused(409, "BucketAlreadyOwnedByYou"));
}

#[tokio::test]
async fn names_are_global_across_regions() {
    let sandbox = sandbox().await;
    bucket(&sandbox, "global").await;
    let again = s3(&sandbox, "eu-west-1")
        .create_bucket()
        .bucket("global")
        .create_bucket_configuration(in_region("eu-west-1"));
    assert_eq!(refusal(again.send().await), refused(409, "BucketAlreadyOwnedByYou"));
}

#[tokio::test]
async fn the_location_constraint_must_be_the_endpoints() {
    let sandbox = sandbox().await;
    let illegal = refused(400, "IllegalLocationConstraintException");
    let create = |region, constraint: Option<&str>| {
        let configuration = constraint.map(in_region);
        s3(&sandbox, region)
            .create_bucket()
            .bucket("where")
            .set_create_bucket_configuration(configuration)
            .send()
    };
    assert_eq!(refusal(create("us-east-1", Some("eu-west-1")).await), illegal);
    assert_eq!(refusal(create("eu-west-1", None).await), illegal);
    assert_eq!(refusal(create("eu-west-1", Some("eu-west-2")).await), illegal);
    assert_eq!(
        refusal(create("us-east-1", Some("us-east-1")).await),
        refused(400, "InvalidLocationConstraint")
    );
    create("eu-west-1", Some("eu-west-1")).await.unwrap();
}

#[tokio::test]
async fn bad_names_are_refused() {
    let sandbox = sandbox().await;
    for name in ["ab", "Upper", "two..dots", "10.0.0.1", "xn--x", "x--ol-s3", "ends-"] {
        let result = s3(&sandbox, "us-east-1").create_bucket().bucket(name).send().await;
        assert_eq!(refusal(result), refused(400, "InvalidBucketName"), "{name}");
    }
}

#[tokio::test]
async fn a_bucket_of_another_account_is_forbidden_and_says_its_region() {
    let sandbox = sandbox().await;
    sandbox.add_foreign_bucket("theirs", "us-east-1", OTHER).await.unwrap();
    let s3 = s3(&sandbox, "us-east-1");
    let error = s3.head_bucket().bucket("theirs").send().await.unwrap_err();
    let response = error.raw_response().unwrap();
    assert_eq!(response.status().as_u16(), 403);
    assert_eq!(response.headers().get("x-amz-bucket-region"), Some("us-east-1"));
    assert_eq!(response.body().bytes(), Some(&b""[..]));
    assert_eq!(refusal(s3.get_bucket_policy().bucket("theirs").send().await), refused(403, "AccessDenied"));
    assert_eq!(refusal(s3.delete_bucket().bucket("theirs").send().await), refused(403, "AccessDenied"));
    assert_eq!(
        refusal(s3.create_bucket().bucket("theirs").send().await),
        refused(409, "BucketAlreadyExists")
    );
    assert!(s3.list_buckets().send().await.unwrap().buckets().is_empty());
}

#[tokio::test]
async fn a_bucket_of_another_region_is_a_redirect_without_body() {
    let sandbox = sandbox().await;
    bucket(&sandbox, "far-away").await;
    let s3 = s3(&sandbox, "eu-west-1");
    let error = s3.head_bucket().bucket("far-away").send().await.unwrap_err();
    let response = error.raw_response().unwrap();
    assert_eq!(response.status().as_u16(), 301);
    assert_eq!(response.headers().get("x-amz-bucket-region"), Some("us-east-1"));
    assert_eq!(response.body().bytes(), Some(&b""[..]));
    let refusal = refusal(s3.get_bucket_cors().bucket("far-away").send().await);
    assert_eq!(refusal, refused(301, "PermanentRedirect"));
}

#[tokio::test]
async fn the_expected_owner_must_be_the_owner() {
    let sandbox = sandbox().await;
    let s3 = bucket(&sandbox, "owned").await;
    let head = |owner| s3.head_bucket().bucket("owned").expected_bucket_owner(owner).send();
    head(ACCOUNT).await.unwrap();
    assert_eq!(refusal(head(OTHER).await).0, 403);
    let result = s3.get_bucket_tagging().bucket("owned").expected_bucket_owner(OTHER).send().await;
    assert_eq!(refusal(result), refused(403, "AccessDenied"));
}

#[tokio::test]
async fn absent_buckets_are_404_and_head_has_no_body() {
    let sandbox = sandbox().await;
    let s3 = s3(&sandbox, "us-east-1");
    let error = s3.head_bucket().bucket("nowhere").send().await.unwrap_err();
    assert_eq!(error.raw_response().unwrap().status().as_u16(), 404);
    assert_eq!(error.raw_response().unwrap().body().bytes(), Some(&b""[..]));
    assert_eq!(refusal(s3.get_bucket_policy().bucket("nowhere").send().await), refused(404, "NoSuchBucket"));
    assert_eq!(refusal(s3.delete_bucket().bucket("nowhere").send().await), refused(404, "NoSuchBucket"));
}

#[tokio::test]
async fn buckets_are_listed_in_pages_with_their_regions() {
    let sandbox = sandbox().await;
    for name in ["list-a", "list-b", "list-c"] {
        bucket(&sandbox, name).await;
    }
    let s3 = s3(&sandbox, "us-east-1");
    let first = s3.list_buckets().max_buckets(2).send().await.unwrap();
    assert_eq!(first.buckets().len(), 2);
    assert_eq!(first.buckets()[0].bucket_region(), Some("us-east-1"));
    let rest =
        s3.list_buckets().continuation_token(first.continuation_token().unwrap()).send().await.unwrap();
    assert_eq!(rest.buckets()[0].name(), Some("list-c"));
    assert_eq!(rest.continuation_token(), None);
}

#[tokio::test]
async fn every_answer_has_a_request_id_and_the_date() {
    use aws_sdk_s3::operation::{RequestId, RequestIdExt};
    let sandbox = sandbox().await;
    let s3 = s3(&sandbox, "us-east-1");
    let error = s3.get_bucket_policy().bucket("nowhere").send().await.unwrap_err();
    assert!(error.request_id().is_some());
    assert!(error.extended_request_id().is_some());
    let date = error.raw_response().unwrap().headers().get("date").unwrap();
    assert!(date.ends_with(" GMT"), "{date}");
}
