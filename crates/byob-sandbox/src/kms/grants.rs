//! Grants: access to a key that no policy shows. The emulator keeps them; they are stored with the key.

use serde_json::Value;
use winterbaume_core::{MockService, StatefulService, default_account_id};

use super::crypto::emulator;
use super::key::{Facet, Key, emulator_request};
use super::lifecycle::{refuse_disabled, refuse_pending};
use super::{Reach, find, required, store};
use crate::answer::{Answer, Outcome};
use crate::world::World;

pub(super) async fn perform(world: &mut World, region: &str, operation: &str, body: &Value) -> Outcome {
    let key = find(world, region, required(body, "KeyId")?, Reach::OwnAccount)?;
    if operation == "CreateGrant" {
        refuse_pending(&key)?;
        refuse_disabled(&key)?;
    }
    let mut body = body.clone();
    body["KeyId"] = Value::String(key.core.key_id.clone());
    let service = emulator(region, &key).await?;
    let response = service.handle(emulator_request(operation, region, &body)).await;
    let answer = Answer::from_emulator(response);
    if operation != "ListGrants" && answer.is_success() {
        let view = service.snapshot(default_account_id(), region).await;
        let changed = Key { grants: view.grants, ..Key::clone(&key) };
        store(world, &key, changed, Facet::Itself)?;
    }
    Ok(answer)
}
