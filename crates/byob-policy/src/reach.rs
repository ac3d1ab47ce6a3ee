//! What stands for all of W&B's requests: an address of every part of its networks, and an object of every part of the
//! bucket, that a policy may treat unlike another.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use crate::document::{Document, Effect, ResourceElement, Statement};
use crate::pattern::{Pattern, common, outside};

/// How many patterns are looked at in pairs.
const PAIRED: usize = 8;

/// The condition keys that say where a request comes from.
const NETWORK_KEYS: [&str; 4] = ["aws:SourceIp", "aws:VpcSourceIp", "aws:SourceVpc", "aws:SourceVpce"];

fn is_network_key(key: &str) -> bool {
    NETWORK_KEYS.iter().any(|known| known.eq_ignore_ascii_case(key))
}

/// Whether a statement asks where a request comes from.
pub fn asks_for_network(statement: &Statement) -> bool {
    statement.condition.values().flat_map(|keys| keys.keys()).any(|key| is_network_key(key))
}

/// Whether a statement refuses by where a request comes from.
pub fn is_network_deny(statement: &Statement) -> bool {
    statement.effect == Effect::Deny && asks_for_network(statement)
}

/// The document as one meets it who comes from wherever it lets in: without the Denies that ask for that, and with Allows
/// that do not ask. Beside it, where each of its statements stands in the whole document.
pub fn from_anywhere(document: &Document) -> (Document, Vec<usize>) {
    let kept = document.statements.iter().enumerate().filter(|(_, one)| !is_network_deny(one));
    let (places, statements) = kept
        .map(|(index, one)| {
            let mut one = one.clone();
            for keys in one.condition.values_mut() {
                keys.retain(|key, _| !is_network_key(key));
            }
            one.condition.retain(|_, keys| !keys.is_empty());
            (index, one)
        })
        .unzip();
    (Document { statements, ..document.clone() }, places)
}

/// An address of each part into which the document's own networks cut these: two addresses of one part lie in the same of
/// them. The first of each of these networks comes first.
pub fn sources(egress: &BTreeSet<String>, document: &Document) -> Vec<String> {
    let networks: BTreeSet<IpNet> = egress.iter().filter_map(|text| network(text)).collect();
    let keys = document.statements.iter().flat_map(|one| one.condition.values()).flatten();
    let named = keys.filter(|(key, _)| is_network_key(key)).flat_map(|(_, values)| values);
    let cuts: BTreeSet<IpNet> = named.filter_map(|text| network(text)).collect();
    let mut sources: Vec<IpAddr> = networks.iter().map(IpNet::network).collect();
    for whole in &networks {
        // Of two networks one lies in the other, or they have nothing in common.
        for cut in cuts.iter().filter(|cut| *cut != whole && whole.contains(*cut)) {
            let next = next(cut.broadcast()).filter(|next| whole.contains(next));
            sources.extend([Some(cut.network()), next].into_iter().flatten());
        }
    }
    let mut seen = BTreeSet::new();
    sources.retain(|address| seen.insert(*address));
    sources.iter().map(ToString::to_string).collect()
}

fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from)).map(|net: IpNet| net.trunc())
}

fn next(address: IpAddr) -> Option<IpAddr> {
    Some(match address {
        IpAddr::V4(address) => Ipv4Addr::from_bits(address.to_bits().checked_add(1)?).into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits().checked_add(1)?).into(),
    })
}

/// An object that no policy means, then one of each part of the folder that a statement's resources tell from the rest;
/// exact for up to two patterns that overlap. Of a bucket without a folder for W&B (empty), what a pattern names by its
/// first folder is a part that was set aside, and not W&B's.
pub fn objects(bucket_arn: &str, folder: &str, document: &Document) -> Vec<String> {
    let mut objects = vec![format!("{bucket_arn}/{folder}byob-rules-ask-for-this")];
    let within = Pattern::new(&format!("{bucket_arn}/{folder}?*"));
    let whole = [bucket_arn.to_owned(), format!("{bucket_arn}/*"), "*".to_owned()];
    let named = document.statements.iter().filter_map(|one| one.resource.as_ref());
    let named = named.flat_map(ResourceElement::resources).filter(|text| !whole.contains(*text));
    let named = named.filter(|text| !folder.is_empty() || !is_set_aside(text, bucket_arn));
    let patterns: BTreeSet<Pattern> = named.map(|text| Pattern::new(text)).collect();
    for one in &patterns {
        objects.extend(common(one, &within).ok().flatten());
        for other in patterns.iter().filter(|other| patterns.len() <= PAIRED && *other != one) {
            objects.extend(common(one, other).ok().flatten());
            objects.extend(outside(std::slice::from_ref(one), std::slice::from_ref(other)).ok().flatten());
        }
    }
    let mut seen = BTreeSet::new();
    objects.retain(|object| within.matches(object) && seen.insert(object.clone()));
    objects
}

/// Whether a resource is a part of the bucket that was set aside: `arn:aws:s3:::bucket/private/*`, or a single object.
pub fn is_set_aside(pattern: &str, bucket_arn: &str) -> bool {
    let Some(key) = pattern.strip_prefix(bucket_arn).and_then(|rest| rest.strip_prefix('/')) else {
        return false;
    };
    let first = key.split('/').next().unwrap_or_default();
    !first.contains(['*', '?', '$'])
}
