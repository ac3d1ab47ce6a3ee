//! What goes over the wire, and what is made of the answers.

mod alike;
mod contact;
mod objects;
mod permission;
mod read_bucket;
mod read_key;
mod sandbox;
mod trail;
mod write;
