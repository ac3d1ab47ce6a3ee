//! `cors_origins`.
//!
//! Source: S3 user guide, "Elements of a CORS configuration": an origin has at most one `*`.

use std::collections::BTreeSet;

use super::reader::{Field, Report};

/// A list of origins. Empty is a value: no rule of ours.
pub(super) fn origins(field: &Field<'_>, report: &mut Report) -> Option<BTreeSet<String>> {
    let mut origins = BTreeSet::new();
    for (element, text) in field.texts(report) {
        if let Some((label, suggestion)) = problem(text) {
            let help = suggestion
                .filter(|suggestion| problem(suggestion).is_none())
                .map_or_else(|| element.help(), |suggestion| format!("\"{suggestion}\" would be valid"));
            element.error(report, format!("`{text}` is not an origin"), label, help);
        }
        origins.insert(text.to_owned());
    }
    Some(origins)
}

/// What is wrong with an origin, and what may have been meant.
fn problem(text: &str) -> Option<(&'static str, Option<String>)> {
    if text == "*" {
        return None;
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        return Some((
            "must begin with a scheme, such as `https://`",
            Some(format!("https://{}", text.trim_end_matches('/'))),
        ));
    };
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_lowercase() || c == '*')
        && scheme.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.*".contains(c));
    if text.chars().any(|c| c.is_ascii_uppercase()) {
        return Some(("browsers send origins in lower case", Some(text.to_ascii_lowercase())));
    }
    if !is_scheme {
        return Some(("must begin with a scheme, such as `https://`", None));
    }
    if let Some(end) = rest.find(['/', '?', '#']) {
        let origin = format!("{scheme}://{}", rest.get(..end).unwrap_or_default());
        return Some(("an origin has no path: it ends with the host or port", Some(origin)));
    }
    if text.matches('*').count() > 1 {
        return Some(("at most one `*` is allowed in an origin", None));
    }
    let (host, port) = match rest.rsplit_once(':') {
        // The last colon of a bare IPv6 address begins no port.
        Some((host, port)) if !rest.ends_with(']') => (host, Some(port)),
        _ => (rest, None),
    };
    if port.is_some_and(|port| port != "*" && port.parse::<u16>().ok().is_none_or(|port| port == 0)) {
        return Some(("the port must be a number from 1 to 65535", None));
    }
    let is_ipv6 = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .is_some_and(|ip| ip.parse::<std::net::Ipv6Addr>().is_ok());
    let is_host = !host.is_empty()
        && host.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.*_".contains(c))
        && !host.split('.').any(str::is_empty);
    (!is_ipv6 && !is_host).then_some(("the host must be a name such as `acme.wandb.io`", None))
}

#[cfg(test)]
mod tests {
    use super::problem;

    #[test]
    fn origins_that_browsers_send_are_taken() {
        for origin in [
            "*",
            "https://wandb.ai",
            "https://*.wandb.io",
            "http://localhost:3000",
            "http://localhost:*",
            "http*://acme.example",
            "https://[2001:db8::1]:8443",
            "https://[2001:db8::1]",
            "chrome-extension://abcdef",
        ] {
            assert_eq!(problem(origin), None, "{origin}");
        }
    }

    #[test]
    fn what_no_browser_sends_is_refused() {
        for (origin, suggestion) in [
            ("", Some("https://")),
            ("wandb.ai", Some("https://wandb.ai")),
            ("https://wandb.ai/", Some("https://wandb.ai")),
            ("https://wandb.ai/acme?x=1", Some("https://wandb.ai")),
            ("https://Wandb.ai", Some("https://wandb.ai")),
            ("https://*.*.io", None),
            ("https://wandb.ai:0", None),
            ("https://wandb.ai:99999", None),
            ("https://", None),
            ("https://wandb..ai", None),
            ("https://user@wandb.ai", None),
            ("://wandb.ai", None),
        ] {
            let (_, found) = problem(origin).expect(origin);
            assert_eq!(found.as_deref(), suggestion, "{origin}");
        }
    }
}
