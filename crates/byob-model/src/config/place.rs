//! Where the file speaks of an address: what somebody has to edit who wants it otherwise.

use super::{Configuration, parse};
use crate::address::{Address, Kind};
use crate::diagnostic::Span;

impl Configuration {
    /// The first field that asks for something of an aspect, else the root's table, else where it is to be forgotten;
    /// `None` for what the file does not know.
    #[must_use]
    pub fn place(&self, address: &Address) -> Option<Span> {
        let root = address.root().to_string();
        let fields = fields_of(address.kind).iter().map(|field| format!("{root}.{field}"));
        let first = fields.filter_map(|path| self.spans.get(&path)).min_by_key(|span| span.start);
        let forgotten = || {
            let at = self.spans.get("forget").filter(|_| self.forget.contains(&address.root()))?;
            Some(*at)
        };
        first.or_else(|| self.spans.get(&root)).copied().or_else(forgotten)
    }

    /// The first waiver of an address.
    #[must_use]
    pub fn place_of_waiver(&self, address: &Address) -> Option<Span> {
        let index = self.waivers.iter().position(|waiver| waiver.address == *address)?;
        self.spans.get(&format!("waive.{index}.address")).copied()
    }
}

/// The fields of a table that ask for something of an aspect.
fn fields_of(aspect: Kind) -> &'static [&'static str] {
    match aspect {
        Kind::Bucket | Kind::Key => &[],
        Kind::KeyPolicy => &["managers"],
        Kind::Rotation => &["rotation_days"],
        Kind::KeyTags => &["tags"],
        Kind::Alias => &["alias"],
        of_bucket => parse::fields_of(of_bucket),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::parse;

    const FILE: &str = r#"version = 1
forget = ["bucket.old"]
[aws]
region = "us-east-1"
[wandb]
deployment = "dedicated-cloud"
[bucket.storage]
name = "acme-wandb-storage"
managers = ["arn:aws:iam::123456789012:role/a"]
tls_only = true
encryption = { type = "sse-kms", key = "key.storage" }
[key.storage]
alias = "acme"
[[waive]]
rule = "BYOB020"
address = "bucket.storage.policy"
reason = "a test"
until = "2027-01-31"
"#;

    #[test]
    fn an_address_is_where_the_file_asks_for_it() {
        let file = parse(FILE, &|_| Err(String::new())).unwrap();
        let line = |start: usize| FILE[..start].matches('\n').count() + 1;
        for (address, expected) in [
            ("bucket.storage", Some(7)),
            ("bucket.storage.policy", Some(9)),
            ("bucket.storage.encryption", Some(11)),
            ("bucket.storage.cors", Some(7)),
            ("key.storage", Some(12)),
            ("key.storage.alias", Some(13)),
            ("key.storage.rotation", Some(12)),
            ("bucket.old.policy", Some(2)),
            ("bucket.gone", None),
        ] {
            let place = file.place(&address.parse().unwrap());
            assert_eq!(place.map(|span| line(span.start)), expected, "{address}");
        }
        let waived = file.place_of_waiver(&"bucket.storage.policy".parse().unwrap());
        assert_eq!(waived.map(|span| line(span.start)), Some(16));
    }
}
