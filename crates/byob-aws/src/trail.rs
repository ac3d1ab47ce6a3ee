//! CloudTrail's event history, for who changed what. It is asked by the event's name: by the resource's it would list every
//! read of a bucket and every use of a key as well, thousands a day. Writes nothing; what is refused or missing is the
//! caller's to say, and no failure.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_cloudtrail::types::{LookupAttribute, LookupAttributeKey};
use byob_apply::{CloudError, ErrorKind};
use byob_plan::trail::Event;

use crate::cloud::{AwsCloud, Endpoint};
use crate::error::About;

/// CloudTrail takes two requests a second, of an account and region.
const BETWEEN: Duration = Duration::from_millis(550);

/// Pages of 50 events that are looked through for one name in one region.
const PAGES: usize = 10;

/// What one region's history has.
#[derive(Debug, Default)]
pub struct History {
    /// The events, newest first by name.
    pub events: Vec<Event>,
    /// Names of which there are more events than were looked through.
    pub cut: BTreeSet<String>,
}

impl AwsCloud {
    /// The events of these names in a region, the newest first. Of each name it looks until `enough` says that nothing is
    /// missing, or [`PAGES`] are read.
    ///
    /// # Errors
    /// CloudTrail does not answer, or the caller has no right to ask (`cloudtrail:LookupEvents`).
    pub async fn history(
        &self,
        region: &str,
        names: &BTreeSet<&'static str>,
        enough: &dyn Fn(&str, &[Event]) -> bool,
    ) -> Result<History, CloudError> {
        let client = self.cloudtrail(region);
        let about =
            About { operation: "LookupEvents", iam_action: "cloudtrail:LookupEvents", resource: region };
        let mut history = History::default();
        let mut first = true;
        for name in names {
            let attribute = LookupAttribute::builder()
                .attribute_key(LookupAttributeKey::EventName)
                .attribute_value(*name)
                .build()
                .map_err(about.unbuildable())?;
            let from = history.events.len();
            let mut token: Option<String> = None;
            for page in 0.. {
                if page == PAGES {
                    history.cut.insert((*name).to_owned());
                    break;
                }
                // Other endpoints have no such limit.
                if !first && self.endpoint() == Endpoint::Aws {
                    tokio::time::sleep(BETWEEN).await;
                }
                first = false;
                let request = client
                    .lookup_events()
                    .lookup_attributes(attribute.clone())
                    .max_results(50)
                    .set_next_token(token.clone())
                    .send();
                let answer = self.ask(about, request).await?;
                history.events.extend(answer.events().iter().filter_map(event));
                let next = answer.next_token().filter(|next| !next.is_empty()).map(str::to_owned);
                let seen = history.events.get(from..).unwrap_or_default();
                if next.is_none() || enough(name, seen) {
                    break;
                }
                // A token that comes back leads nowhere.
                if next == token {
                    return Err(about.error(ErrorKind::Unexpected, "the next page is the same page"));
                }
                token = next;
            }
        }
        Ok(history)
    }
}

/// An event without a name or a time says nothing.
fn event(found: &aws_sdk_cloudtrail::types::Event) -> Option<Event> {
    Some(Event {
        name: found.event_name()?.to_owned(),
        time: found.event_time()?.secs(),
        id: found.event_id().unwrap_or_default().to_owned(),
        resources: found
            .resources()
            .iter()
            .filter_map(|one| one.resource_name())
            .map(str::to_owned)
            .collect(),
        record: found.cloud_trail_event().unwrap_or_default().to_owned(),
    })
}
