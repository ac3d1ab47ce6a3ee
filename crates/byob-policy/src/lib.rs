//! The IAM policy language: what a policy document says, when two of them mean the same, what becomes of a request, who
//! gains access from one document to the next, and whether S3 calls one public.
//!
//! Rooms: [`document`] holds the typed document and nothing that judges it; `json` and `grammar` read text into it,
//! `text` writes it back; `canonical` is the one form that every spelling of a document shares, and equality of
//! meaning; [`operator`] knows the condition operators; [`arn`] knows ARNs, accounts and partitions; `publicity` is
//! S3's definition of "public", `restricted` what becomes of a public policy under `RestrictPublicBuckets`.
//!
//! `request` is one request, `condition` what conditions say to it, `evaluate` what becomes of it. [`pattern`] decides
//! patterns as languages; `dimension` finds the values of a request that stand for all others, `search` looks through
//! their combinations, `part` is what one part of a statement says to a value, and `compare` puts them together into a
//! verdict on two documents. `actions` is the table of real actions, `words` says who gains and loses which, `standing`
//! who has which by each. `meet` makes the document that lies within two. [`reach`] is the requests that stand for all
//! that one client makes.
//!
//! The crate is pure: no I/O, no clock, no async, and no other crate of byob.

mod actions;
pub mod arn;
mod canonical;
mod compare;
mod condition;
mod dimension;
pub mod document;
mod error;
mod evaluate;
mod grammar;
mod json;
mod meet;
pub mod operator;
mod part;
pub mod pattern;
mod publicity;
pub mod reach;
mod request;
mod restricted;
mod search;
mod standing;
mod text;
mod words;

pub use actions::{Action, Level, ResourceClass, actions_matching, real_actions};
pub use arn::{AccountId, Arn, Partition};
pub use compare::{Owner, Verdict, Witness, compare};
pub use document::{
    ActionElement, BUCKET_POLICY_LIMIT, Conditions, Document, Effect, KEY_POLICY_LIMIT, PrincipalElement,
    Principals, ResourceElement, Statement, Version,
};
pub use error::{ParseError, Place, Problem};
pub use evaluate::{Circumstances, Decision, Guarded, Identity, Outcome, Reason, evaluate};
pub use meet::{LeftOut, Meet, in_one_version, meet};
pub use operator::Operator;
pub use publicity::{Publicity, is_public};
pub use request::{Request, Requester, UnknownRequester};
pub use restricted::cut_off;
pub use standing::{Held, Standing, standing};
pub use words::{Change, Proof, changes, conditions_in_words, is_unique_id, judge, principal_in_words};
