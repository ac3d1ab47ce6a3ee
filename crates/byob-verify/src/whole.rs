//! Whether W&B is left all that it is given, whatever a request looks like: object names, roles of its account, addresses,
//! times, user agents. The checks of single actions try requests that stand for others; this proves it for all of them, by
//! the policy brain.
//!
//! Rooms: `bounds` is what is known of W&B's requests, `denies` what a Deny is to W&B.

mod bounds;
mod denies;

use byob_model::config::ForeignStatements;
use byob_policy::{Document, Effect, Guarded, Owner, Statement, Verdict, compare};
use serde_json::json;

use bounds::circumstances;
use denies::{Met, Why, met};

use crate::check::Outcome;
use crate::subject::Subject;
use crate::words::{principals, statement, words};

/// What S3 names to KMS where it uses a key.
pub(crate) enum Named {
    /// The bucket, under a bucket key.
    Bucket,
    /// Each object.
    Objects,
}

/// A document's statements that let W&B in, as far as it names W&B at all.
fn gives(subject: &Subject<'_>, desired: &Document) -> Vec<Statement> {
    let named = |one: &&Statement| {
        one.effect == Effect::Allow
            && principals(one).any(|name| subject.wandb.principals.iter().any(|known| known == name))
    };
    desired.statements.iter().filter(named).cloned().collect()
}

/// What W&B needs, as a statement.
pub(crate) fn needed(subject: &Subject<'_>, actions: &[&str], resources: &[String]) -> Option<Statement> {
    let statement = json!({"Effect": "Allow", "Principal": {"AWS": subject.wandb.principals}, "Action": actions,
        "Resource": resources});
    Statement::from_value(&statement).ok()
}

/// Whether a live document leaves W&B all that is given: by the configuration's document; or, of a document that others
/// write, by `needed`, on which only its Denies are held (who lets W&B in, the single checks say). `None` where nothing is
/// given by name. `given` is what the single checks take for given.
pub(crate) fn left_whole(
    subject: &Subject<'_>,
    about: (Guarded, &Named),
    (desired, needed): (Option<&Document>, Option<&Statement>),
    live: &Document,
    given: Option<&str>,
) -> Option<Outcome> {
    let whole = Whole::new(subject, about, (desired, needed), live)?;
    // First what spares W&B without anything taken for given; then as little of it as will do.
    let passed = |kept: &[Met]| {
        let said = given.map(str::to_owned).into_iter().chain(kept.iter().map(|one| whole.told(one)));
        let said: Vec<String> = said.collect();
        Outcome::Passed { given: (!said.is_empty()).then(|| said.join(", ")) }
    };
    if whole.proved(&[]) == Verdict::Within {
        return Some(passed(&[]));
    }
    let (unsure, meant): (Vec<Met>, Vec<Met>) =
        whole.met.iter().cloned().partition(|one| one.why == Why::Unsure);
    if whole.proved(&meant) == Verdict::Within {
        return Some(passed(&whole.fewest(meant, &[])));
    }
    Some(match whole.proved(&[meant.clone(), unsure.clone()].concat()) {
        Verdict::Within => {
            let names = whole.fewest(unsure, &meant).iter().map(|one| whole.named(one)).collect::<Vec<_>>();
            let hang = if names.len() == 1 { "hangs" } else { "hang" };
            Outcome::skipped(format!(
                "{} {hang} on what nobody here knows of W&B's requests: see that it spares them",
                names.join(" and ")
            ))
        }
        Verdict::Beyond(witness) => {
            let request = &witness.request;
            let when: Vec<String> = request
                .context()
                .iter()
                .filter(|(key, _)| !["aws:securetransport", "s3:tlsversion"].contains(&&*key.to_lowercase()))
                .map(|(key, values)| format!("{key} = {}", values.join(" and ")))
                .collect();
            let when = if when.is_empty() { String::new() } else { format!(" with {}", when.join(", ")) };
            // By its place in the document that AWS has.
            let denied_by = witness.denied_by.first().and_then(|index| whole.held.statements.get(*index));
            let place = denied_by.and_then(|one| live.statements.iter().position(|other| other == one));
            let why = match place {
                Some(index) => format!("{} denies it", statement(live, index)),
                None => "no statement allows it".to_owned(),
            };
            let who = words(subject, &request.principal().to_string());
            let on = if about.0 == Guarded::Key { "the key" } else { request.resource() };
            let seen = format!("{who} may not {} on {on}{when}: {why}", request.action());
            Outcome::failed(seen, whole.cure(), WITHOUT)
        }
        Verdict::CannotTell { reason } => {
            Outcome::failed(format!("it cannot be proved: {reason}"), whole.cure(), WITHOUT)
        }
    })
}

const WITHOUT: &str = "403 for these requests, whatever they are for";

/// What W&B is given, what it may meet, and what AWS has.
struct Whole<'a> {
    subject: &'a Subject<'a>,
    about: (Guarded, &'a Named),
    desired: Option<&'a Document>,
    live: &'a Document,
    /// What W&B is given, without a Deny.
    given: Document,
    /// The Denies that it may meet.
    met: Vec<Met>,
    /// What that is held against.
    held: Document,
}

impl<'a> Whole<'a> {
    fn new(
        subject: &'a Subject<'a>,
        about: (Guarded, &'a Named),
        (desired, needed): (Option<&'a Document>, Option<&Statement>),
        live: &'a Document,
    ) -> Option<Self> {
        let keep = about.0 == Guarded::Bucket && subject.root.foreign_statements == ForeignStatements::Keep;
        let given = match desired {
            Some(desired) => Document { statements: gives(subject, desired), ..desired.clone() },
            None => Document { statements: needed.into_iter().cloned().collect(), ..live.clone() },
        };
        if given.statements.is_empty() {
            return None;
        }
        let ours = |one: &Statement| {
            let same = |other: &Statement| {
                Document::new(vec![other.clone()]).equals(&Document::new(vec![one.clone()]))
            };
            desired.is_some_and(|desired| desired.statements.iter().any(same))
        };
        let own = desired.into_iter().flat_map(denies).map(|one| (one, false));
        // Other teams' Denies stay as they are.
        let stay = keep || desired.is_none();
        let theirs = denies(live).filter(|one| stay && !ours(one)).map(|one| (one, true));
        let met = own.chain(theirs).filter_map(|(one, theirs)| met(subject, about, one, theirs)).collect();
        let held = match desired {
            Some(_) => live.clone(),
            None => Document { statements: denies(live).chain(needed).cloned().collect(), ..live.clone() },
        };
        Some(Self { subject, about, desired, live, given, met, held })
    }

    /// Whether W&B is left all that it is given, but for these.
    fn proved(&self, but: &[Met]) -> Verdict {
        let mut given = self.given.clone();
        given.statements.extend(but.iter().map(|one| one.given.clone()));
        let bounds = circumstances(self.subject, self.about, [&given, &self.held]);
        given.statements.extend(bounds);
        compare(&self.held, &given, &Owner { guarded: self.about.0, account: None })
    }

    /// Those without which it is not proved beside `besides`.
    fn fewest(&self, mut all: Vec<Met>, besides: &[Met]) -> Vec<Met> {
        for index in (0..all.len()).rev() {
            let mut fewer = all.clone();
            fewer.remove(index);
            if self.proved(&[&fewer, besides].concat()) == Verdict::Within {
                all = fewer;
            }
        }
        all
    }

    /// The statement, by its place in the document that AWS has.
    fn named(&self, met: &Met) -> String {
        let same = |other: &Statement| {
            Document::new(vec![other.clone()]).equals(&Document::new(vec![met.whole.clone()]))
        };
        let place = self.live.statements.iter().position(same);
        place.map_or_else(|| "a Deny".to_owned(), |index| statement(self.live, index))
    }

    /// What is taken for given with it.
    fn told(&self, met: &Met) -> String {
        let by = self.named(met);
        match &met.why {
            Why::Aside(parts) => format!("but for what {by} sets aside ({})", parts.join(", ")),
            Why::Network => {
                format!("from an address that {by} lets in (W&B's own are not known: [wandb] egress)")
            }
            Why::Requests | Why::Unsure => format!("but for the objects and headers that {by} refuses"),
        }
    }

    fn cure(&self) -> &'static str {
        let others =
            self.desired.is_none() || self.subject.root.foreign_statements == ForeignStatements::Keep;
        match self.desired {
            Some(desired) if desired.canonical() == self.live.canonical() => {
                "byob.toml itself keeps W&B out: correct that statement, and apply"
            }
            _ if others => {
                "byob plan shows what is byob's; another team's statement has to be corrected by that team"
            }
            _ => "byob plan shows what was changed, byob apply puts byob's own policy back",
        }
    }
}

fn denies(document: &Document) -> impl Iterator<Item = &Statement> {
    document.statements.iter().filter(|one| one.effect == Effect::Deny)
}
