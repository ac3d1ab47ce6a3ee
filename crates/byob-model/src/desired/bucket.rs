//! A bucket's table → the bucket and its aspects, defaults as in the configuration reference.

use std::collections::{BTreeMap, BTreeSet};

use byob_policy::Document;

use super::{DesiredAspect, DesiredRoot, statements, waivers};
use crate::address::{Kind, RootAddress};
use crate::config::{
    BucketTable, Configuration, EncryptionField, ForeignStatements, LogTarget, NameSource, cors_rule,
};
use crate::diagnostic::Diagnostic;
use crate::kind::{
    Algorithm, Attributes, BYOB_ADDRESS, BYOB_STACK, Bucket, Cors, Encryption, Filter, KeyFormat, Lifecycle,
    LifecycleRule, Logging, NoncurrentExpiration, OUR_CORS_RULE, OUR_RULE_PREFIX, Ownership, Policy,
    PublicAccessBlock, Purpose, SseC, Tags, Versioning,
};

pub(super) fn desired(
    config: &Configuration,
    address: &RootAddress,
    table: &BucketTable,
    names: &BTreeMap<String, String>,
    created: bool,
) -> Result<DesiredRoot, Diagnostic> {
    let name = names.get(&address.label).cloned().unwrap_or_default();
    let mut aspects = BTreeMap::new();
    let mut manage = |kind, attributes| {
        aspects.insert(kind, DesiredAspect::Managed(attributes));
    };
    let storage = table.purpose == Purpose::Storage;

    if let Some(block) = table.public_access_block.or(storage.then_some(PublicAccessBlock::ALL)) {
        manage(Kind::PublicAccessBlock, Attributes::PublicAccessBlock(block));
    }
    let ownership = table.object_ownership.clone().or(storage.then(|| "BucketOwnerEnforced".to_owned()));
    if let Some(object_ownership) = ownership {
        manage(Kind::Ownership, Attributes::Ownership(Ownership { object_ownership }));
    }
    if let Some(encryption) = encryption(config, address, table)? {
        manage(Kind::Encryption, Attributes::Encryption(encryption));
    }
    manage(Kind::Cors, Attributes::Cors(cors(table)));
    if let Some(status) = table.versioning {
        manage(Kind::Versioning, Attributes::Versioning(Versioning { status }));
    }
    if let Some(lifecycle) = lifecycle(table, created) {
        manage(Kind::Lifecycle, Attributes::Lifecycle(lifecycle));
    }
    // A reference bucket is its owners': byob's own tags, and what its table asks for, but not the shared ones.
    let none = BTreeMap::new();
    let shared = if storage { &config.tags } else { &none };
    if let Some(tags) = tags(&config.stack, shared, &table.tags, address, created) {
        manage(Kind::BucketTags, Attributes::Tags(tags));
    }
    if let Some(logging) = &table.logging {
        let target = match &logging.target_bucket {
            LogTarget::Name(name) => Some(name.clone()),
            LogTarget::Label(label) => names.get(label).cloned(),
        };
        manage(
            Kind::Logging,
            Attributes::Logging(Logging {
                target_bucket: target,
                target_prefix: logging.target_prefix.clone(),
                key_format: logging.key_format.filter(|format| *format != KeyFormat::Simple),
            }),
        );
    }
    if let Some(lock) = table.object_lock {
        manage(Kind::ObjectLock, Attributes::ObjectLock(lock));
    }
    let document = Document::new(statements::bucket(config, table, &name));
    manage(Kind::BucketPolicy, Attributes::Policy(Policy { document }));
    for kind in &table.unmanaged {
        aspects.insert(*kind, DesiredAspect::Left);
    }

    let foreign_default = if storage { ForeignStatements::Remove } else { ForeignStatements::Keep };
    let name_prefix = match &table.name {
        NameSource::Exact(_) => None,
        NameSource::Prefix { prefix, .. } => Some(prefix.clone()),
    };
    let attributes = Attributes::Bucket(Bucket {
        name: name.clone(),
        region: table.region.clone(),
        purpose: table.purpose,
        protect: table.protect,
        force_destroy: table.force_destroy,
        waivers: waivers(config, address),
    });
    Ok(DesiredRoot {
        region: table.region.clone(),
        partition: table.partition,
        name,
        name_prefix,
        attributes,
        aspects,
        foreign_statements: table.foreign_statements.unwrap_or(foreign_default),
        wandb_access: table.wandb_access,
        path: table.path.clone(),
        created,
    })
}

fn encryption(
    config: &Configuration,
    address: &RootAddress,
    table: &BucketTable,
) -> Result<Option<Encryption>, Diagnostic> {
    let sse_c = Some(table.sse_c.unwrap_or(SseC::Blocked));
    let field = match (&table.encryption, table.purpose) {
        (Some(field), _) => field,
        (None, Purpose::Storage) => &EncryptionField::SseS3,
        (None, Purpose::Reference) if table.sse_c.is_some() => {
            return Err(Diagnostic {
                message: "`sse_c` cannot be set without `encryption` on a reference bucket".into(),
                span: config.spans.get(&format!("{address}.sse_c")).copied(),
                label: String::new(),
                help: "S3 keeps both in one document, and byob leaves a reference bucket's encryption alone; write \
                       `encryption` as well"
                    .into(),
            });
        }
        (None, Purpose::Reference) => return Ok(None),
    };
    Ok(Some(match field {
        EncryptionField::SseS3 => {
            Encryption { algorithm: Algorithm::Aes256, kms_key: None, bucket_key: false, sse_c }
        }
        EncryptionField::SseKms { key, bucket_key } => Encryption {
            algorithm: Algorithm::Kms,
            kms_key: Some(key.clone()),
            bucket_key: *bucket_key,
            sse_c,
        },
        EncryptionField::DsseKms { key } => {
            Encryption { algorithm: Algorithm::KmsDsse, kms_key: Some(key.clone()), bucket_key: false, sse_c }
        }
    }))
}

fn cors(table: &BucketTable) -> Cors {
    let default = match table.purpose {
        Purpose::Storage => "*",
        Purpose::Reference => "https://wandb.ai",
    };
    let origins = table.cors_origins.clone().unwrap_or_else(|| BTreeSet::from([default.to_owned()]));
    let exclusive = table.purpose == Purpose::Storage;
    let id = (!exclusive).then(|| OUR_CORS_RULE.to_owned());
    let rules = if origins.is_empty() { Vec::new() } else { vec![cors_rule(table.purpose, origins, id)] };
    Cors { rules, exclusive }
}

/// On storage buckets that byob created its rules are the only ones (a rule added by hand can destroy runs); on imported
/// and reference ones they stand beside others', told by their IDs.
fn lifecycle(table: &BucketTable, created: bool) -> Option<Lifecycle> {
    let exclusive = created && table.purpose == Purpose::Storage;
    let rule = |id: &str| LifecycleRule {
        id: format!("{OUR_RULE_PREFIX}{id}"),
        enabled: true,
        filter: Filter::default(),
        abort_incomplete_multipart_upload_days: None,
        expiration: None,
        noncurrent_version_expiration: None,
        transitions: Vec::new(),
        noncurrent_version_transitions: Vec::new(),
    };
    let mut rules = Vec::new();
    if let Some(days) = table.abort_incomplete_uploads_after_days {
        rules.push(LifecycleRule {
            abort_incomplete_multipart_upload_days: Some(days),
            ..rule("abort-incomplete-uploads")
        });
    }
    if let Some(days) = table.noncurrent_expire_after_days {
        rules.push(LifecycleRule {
            noncurrent_version_expiration: Some(NoncurrentExpiration { days, newer_versions: None }),
            ..rule("noncurrent-expiration")
        });
    }
    for written in &table.lifecycle {
        let id = if exclusive { written.id.clone() } else { format!("{OUR_RULE_PREFIX}{}", written.id) };
        rules.push(LifecycleRule { id, ..written.clone() });
    }
    for rule in &mut rules {
        // AWS keeps no order among them; live rules are read in this one.
        rule.transitions
            .sort_by(|a, b| (a.days, &a.date, &a.storage_class).cmp(&(b.days, &b.date, &b.storage_class)));
        rule.noncurrent_version_transitions
            .sort_by(|a, b| (a.days, &a.storage_class).cmp(&(b.days, &b.storage_class)));
    }
    rules.sort_by(|a, b| a.id.cmp(&b.id));
    (exclusive || !rules.is_empty()).then_some(Lifecycle { rules, exclusive })
}

/// `[tags]` and byob's own on created roots; on imported ones only the table's.
pub(super) fn tags(
    stack: &str,
    shared: &BTreeMap<String, String>,
    own: &BTreeMap<String, String>,
    address: &RootAddress,
    created: bool,
) -> Option<Tags> {
    if !created {
        return (!own.is_empty()).then(|| Tags { tags: own.clone() });
    }
    let mut tags = shared.clone();
    tags.extend(own.clone());
    tags.insert(BYOB_STACK.to_owned(), stack.to_owned());
    tags.insert(BYOB_ADDRESS.to_owned(), address.to_string());
    Some(Tags { tags })
}
