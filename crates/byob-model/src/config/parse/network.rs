//! Networks and VPC endpoints.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;

use super::reader::{Field, Report};

/// A list of networks, in canonical form. A single address is a network of one.
pub(super) fn networks(field: &Field<'_>, report: &mut Report) -> BTreeSet<String> {
    let texts = field.texts(report);
    texts.into_iter().filter_map(|(element, text)| network(&element, report, text)).collect()
}

fn network(field: &Field<'_>, report: &mut Report, text: &str) -> Option<String> {
    let net = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    let Some(net) = net else {
        let label = "must be an address, a slash and a length";
        field.error(report, format!("`{text}` is not a network"), label, field.help());
        return None;
    };
    if net.trunc() != net {
        let message = format!("`{text}` is an address inside a network, not the network");
        let label = format!("bits are set beyond the first {}", net.prefix_len());
        let alone = IpNet::from(net.addr());
        field.error(
            report,
            message,
            label,
            format!("write \"{}\" for the network, \"{alone}\" for the address", net.trunc()),
        );
        return None;
    }
    Some(net.to_string())
}

/// A list of VPC endpoint ids.
pub(super) fn vpc_endpoints(field: &Field<'_>, report: &mut Report) -> BTreeSet<String> {
    let mut endpoints = BTreeSet::new();
    for (element, text) in field.texts(report) {
        let is_hex = |id: &str| {
            (8..=17).contains(&id.len()) && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        };
        if text.strip_prefix("vpce-").is_some_and(is_hex) {
            endpoints.insert(text.to_owned());
        } else {
            let label = match text {
                _ if text.starts_with("vpc-") => "this is a VPC, not an endpoint",
                _ => "must be `vpce-` and 8 to 17 of 0-9 a-f",
            };
            element.error(report, format!("`{text}` is not the id of a VPC endpoint"), label, element.help());
        }
    }
    endpoints
}
