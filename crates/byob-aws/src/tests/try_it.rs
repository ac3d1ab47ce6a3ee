//! temp
use crate::{AssumeRole, Connection, connect};
use byob_apply::Cloud;
#[tokio::test]
#[ignore]
async fn try_contact() {
    let start = std::time::Instant::now();
    let role = std::env::var("TRY_ROLE").ok().map(|role_arn| AssumeRole {
        role_arn,
        external_id: None,
        session_name: None,
    });
    let c = Connection {
        profile: std::env::var("TRY_PROFILE").ok(),
        region: std::env::var("TRY_REGION").ok(),
        assume_role: role,
        ..Connection::default()
    };
    match connect(&c).await {
        Ok(cloud) => println!(
            "endpoint {} -> {:#?}",
            cloud.endpoint(),
            cloud.caller().await.map_err(|e| (e.to_string(), e))
        ),
        Err(e) => println!("{e}\n{:#?}", e),
    }
    println!("took {:?}", start.elapsed());
}
