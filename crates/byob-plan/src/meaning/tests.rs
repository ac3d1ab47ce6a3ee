use byob_model::address::Kind;
use byob_model::kind::Attributes;
use serde_json::{Value, json};

use super::*;

const ACCOUNT: &str = "123456789012";

/// Both directions of a difference: what each means, and a piece of its sentence.
fn both(kind: Kind, a: &Value, b: &Value, there: (DriftSeverity, &str), back: (DriftSeverity, &str)) {
    let side = |value: &Value| (!value.is_null()).then(|| Attributes::from_value(kind, value).unwrap());
    for (before, after, (severity, piece)) in [(a, b, there), (b, a, back)] {
        let meaning = meaning(kind, ACCOUNT, side(before).as_ref(), side(after).as_ref());
        assert_eq!(meaning.severity, severity, "{before} → {after}: {}", meaning.sentence);
        assert!(meaning.sentence.contains(piece), "{before} → {after}: {}", meaning.sentence);
    }
}

use DriftSeverity::{Breakage, Exposure, Other};

#[test]
fn a_setting_of_the_block_that_goes_off_exposes_by_its_own_name() {
    let block = |off: &str| {
        let mut value = json!({
            "block_public_acls": true, "ignore_public_acls": true,
            "block_public_policy": true, "restrict_public_buckets": true,
        });
        if let Some(setting) = value.get_mut(off) {
            *setting = json!(false);
        }
        value
    };
    let all = block("");
    for (setting, piece, back) in [
        ("block_public_policy", "a public policy would now be accepted", (Other, "more is blocked")),
        ("block_public_acls", "a public ACL would now be accepted", (Other, "more is blocked")),
        ("ignore_public_acls", "public ACLs now count", (Other, "more is blocked")),
        ("restrict_public_buckets", "let everybody in", (Breakage, "cut off")),
    ] {
        both(Kind::PublicAccessBlock, &all, &block(setting), (Exposure, piece), back);
    }
    let gone = meaning(
        Kind::PublicAccessBlock,
        ACCOUNT,
        Attributes::from_value(Kind::PublicAccessBlock, &all).ok().as_ref(),
        None,
    );
    assert!(gone.severity == Exposure && gone.sentence.contains("no block any more"));
}

#[test]
fn ownership_by_how_much_acls_count() {
    let owner = |value: &str| json!({ "object_ownership": value });
    let (enforced, preferred, writer) =
        (owner("BucketOwnerEnforced"), owner("BucketOwnerPreferred"), owner("ObjectWriter"));
    let kind = Kind::Ownership;
    both(kind, &enforced, &preferred, (Exposure, "ACLs count"), (Other, "fewer ACLs"));
    both(kind, &enforced, &writer, (Exposure, "may not be able to read"), (Other, "fewer ACLs"));
    both(kind, &preferred, &writer, (Exposure, "may not be able to read"), (Other, "fewer ACLs"));
    // What AWS may come up with.
    both(kind, &enforced, &owner("New"), (Exposure, "ACLs count"), (Exposure, "ACLs count"));
}

#[test]
fn encryption_by_strength_key_and_who_may_use_it() {
    let form = |algorithm: &str, key: Value| json!({"algorithm": algorithm, "kms_key": key, "bucket_key": false, "sse_c": "blocked"});
    let (a, b) = (
        json!("arn:aws:kms:us-east-1:123456789012:key/a"),
        json!("arn:aws:kms:us-east-1:123456789012:key/b"),
    );
    let (s3, kms, dsse) =
        (form("AES256", Value::Null), form("aws:kms", a.clone()), form("aws:kms:dsse", a.clone()));
    let kind = Kind::Encryption;
    both(
        kind,
        &kms,
        &s3,
        (Exposure, "aws:kms → AES256, and no key policy"),
        (Breakage, "W&B may not be allowed"),
    );
    both(kind, &dsse, &kms, (Exposure, "less strongly"), (Other, "more strongly"));
    both(kind, &kms, &form("aws:kms", b), (Exposure, "another key"), (Exposure, "another key"));
    both(
        kind,
        &s3,
        &form("aws:kms", Value::Null),
        (Breakage, "neither read nor write"),
        (Exposure, "less strongly"),
    );
    both(
        kind,
        &kms,
        &form("aws:kms", Value::Null),
        (Exposure, "no other account"),
        (Exposure, "another key"),
    );
    // A key of another account is that account's, whichever way new objects were encrypted before.
    let strangers = form("aws:kms", json!("arn:aws:kms:us-east-1:999988887777:key/x"));
    for was in [&s3, &kms] {
        both(
            kind,
            was,
            &strangers,
            (Exposure, "a key of account 999988887777: it decides who reads them"),
            (Exposure, ""),
        );
    }
    // Without an account it is looked up in that of whoever writes.
    for name in ["alias/x", "0000-0009"] {
        both(kind, &s3, &form("aws:kms", json!(name)), (Exposure, "of whoever writes"), (Exposure, ""));
    }
    let with = |field: &str, value: Value| {
        let mut form = kms.clone();
        form[field] = value;
        form
    };
    both(kind, &kms, &with("sse_c", json!("allowed")), (Exposure, "SSE-C"), (Other, "W&B makes none"));
    both(kind, &kms, &with("bucket_key", json!(true)), (Other, "less often"), (Other, "costs"));
    // What is worst comes first, and nothing is left out.
    let worst = |new: &Value| {
        let side = |v: &Value| Attributes::from_value(kind, v).ok();
        meaning(kind, ACCOUNT, side(&kms).as_ref(), side(new).as_ref()).sentence
    };
    let mut both_changed = with("bucket_key", json!(true));
    both_changed["sse_c"] = json!("allowed");
    let said = worst(&both_changed);
    assert!(said.find("SSE-C") < said.find("less often"), "{said}");
}

#[test]
fn versioning_lock_logs_and_rotation_by_what_protects() {
    let status = |value: &str| json!({ "status": value });
    both(Kind::Versioning, &status("Enabled"), &status("Suspended"), (Exposure, "is lost"), (Other, "kept"));
    both(Kind::Versioning, &status("Enabled"), &status("Disabled"), (Exposure, "is lost"), (Other, "kept"));

    let lock = |mode: Value, days: Value, years: Value| json!({"mode": mode, "days": days, "years": years});
    let year = lock(json!("COMPLIANCE"), Value::Null, json!(1));
    let kind = Kind::ObjectLock;
    both(
        kind,
        &year,
        &lock(json!("COMPLIANCE"), json!(364), Value::Null),
        (Exposure, "shorter"),
        (Other, "longer"),
    );
    both(
        kind,
        &year,
        &lock(json!("GOVERNANCE"), Value::Null, json!(1)),
        (Exposure, "less strictly"),
        (Other, "more strictly"),
    );
    both(
        kind,
        &year,
        &lock(Value::Null, Value::Null, Value::Null),
        (Exposure, "less strictly"),
        (Breakage, "without a checksum"),
    );
    both(kind, &year, &Value::Null, (Exposure, "not locked any more"), (Breakage, "without a checksum"));

    let logs = |bucket: &str, prefix: &str| json!({"target_bucket": bucket, "target_prefix": prefix, "key_format": null});
    let kind = Kind::Logging;
    both(kind, &logs("l", ""), &Value::Null, (Exposure, "not logged any more"), (Other, "logged now"));
    both(kind, &logs("l", ""), &logs("m", ""), (Exposure, "another bucket"), (Exposure, "another bucket"));
    both(kind, &logs("l", ""), &logs("l", "x/"), (Other, "named otherwise"), (Other, "named otherwise"));

    let turns = |enabled: bool, days: Value| json!({"enabled": enabled, "period_days": days});
    let kind = Kind::Rotation;
    both(
        kind,
        &turns(true, json!(365)),
        &turns(false, Value::Null),
        (Exposure, "not renewed"),
        (Other, "renewed now"),
    );
    both(
        kind,
        &turns(true, json!(365)),
        &turns(true, json!(700)),
        (Exposure, "less often"),
        (Other, "more often"),
    );
}

#[test]
fn a_key_by_whether_it_can_be_used() {
    let key =
        |state: &str| json!({"description": "", "state": state, "deletion_window_days": 30, "protect": true});
    let enabled = key("Enabled");
    for (state, piece) in [
        ("Disabled", "until it is enabled"),
        ("PendingDeletion", "cancel the deletion"),
        ("Unavailable", "in this state"),
    ] {
        both(Kind::Key, &enabled, &key(state), (Breakage, piece), (Exposure, "can use the key again"));
    }
    let mut described = enabled.clone();
    described["description"] = json!("x");
    both(Kind::Key, &enabled, &described, (Other, "for people"), (Other, "for people"));
    let alias = json!({"name": "alias/a"});
    both(Kind::Alias, &alias, &Value::Null, (Other, "ARN"), (Other, "ARN"));
}

#[test]
fn cors_by_which_pages_may_do_what() {
    let rule = |origins: &[&str], methods: &[&str], expose: &[&str]| {
        json!({
            "id": null, "allowed_origins": origins, "allowed_methods": methods, "allowed_headers": ["*"],
            "expose_headers": expose, "max_age_seconds": 3000,
        })
    };
    let cors = |rules: &[Value]| json!({"rules": rules, "exclusive": true});
    let one = cors(&[rule(&["https://acme.wandb.io"], &["GET", "HEAD", "PUT"], &["ETag"])]);
    let kind = Kind::Cors;
    let any = cors(&[rule(&["*"], &["GET", "HEAD", "PUT"], &["ETag"])]);
    both(kind, &one, &any, (Exposure, "any origin (*)"), (Breakage, "any origin (*)"));
    // S3 answers by the first rule that matches: what a later one shows nobody sees.
    both(
        kind,
        &any,
        &cors(&[rule(&["*"], &["GET", "HEAD", "PUT"], &[]), rule(&["*"], &["GET"], &["ETag"])]),
        (Breakage, "cannot see the header ETag"),
        (Other, "the same pages"),
    );
    both(
        kind,
        &any,
        &cors(&[
            rule(&["https://acme.wandb.io"], &["GET", "HEAD", "PUT"], &[]),
            rule(&["*"], &["GET", "HEAD", "PUT"], &["ETag"]),
        ]),
        (Breakage, "cannot see the header ETag"),
        (Other, "the same pages"),
    );
    both(
        kind,
        &one,
        &cors(&[rule(&["https://*.wandb.io"], &["GET", "HEAD", "PUT"], &["ETag"])]),
        (Exposure, "https://*.wandb.io"),
        (Breakage, "https://*.wandb.io cannot GET"),
    );
    both(
        kind,
        &one,
        &cors(&[rule(&["https://acme.wandb.io"], &["GET", "HEAD"], &["ETag"])]),
        (Breakage, "cannot PUT"),
        (Exposure, "(PUT)"),
    );
    both(
        kind,
        &one,
        &Value::Null,
        (Breakage, "https://acme.wandb.io cannot GET"),
        (Exposure, "https://acme.wandb.io"),
    );
    both(
        kind,
        &one,
        &cors(&[rule(&["https://acme.wandb.io"], &["GET", "HEAD", "PUT"], &[])]),
        (Breakage, "the header ETag"),
        (Other, "the same pages"),
    );
    // Two rules in another order, or another time.
    let two = [rule(&["https://a.example"], &["GET"], &[]), rule(&["https://b.example"], &["GET"], &[])];
    both(kind, &cors(&two), &cors(&[two[1].clone(), two[0].clone()]), (Other, "order"), (Other, "order"));
    // One origin for another is both, and the worse counts.
    both(
        kind,
        &one,
        &cors(&[rule(&["https://evil.example"], &["GET", "HEAD", "PUT"], &["ETag"])]),
        (Exposure, "evil"),
        (Exposure, "acme"),
    );
}

/// S3 takes the first rule that origin, method and every requested header match; names of headers ignore case.
#[test]
fn cors_by_which_headers_go_with_which_method() {
    let rule = |methods: &[&str], headers: &[&str], expose: &[&str]| {
        json!({
            "id": null, "allowed_origins": ["*"], "allowed_methods": methods, "allowed_headers": headers,
            "expose_headers": expose, "max_age_seconds": 3000,
        })
    };
    let cors = |rules: &[Value]| json!({"rules": rules, "exclusive": true});
    let all = ["GET", "HEAD", "PUT"];
    let one = cors(&[rule(&all, &["*"], &["ETag"])]);
    let same = (Other, "the same pages");
    let kind = Kind::Cors;
    let without = (Breakage, "browsers on any origin (*) cannot send every header (*) with PUT any more");
    both(
        kind,
        &one,
        &cors(&[rule(&all, &[], &["ETag"]), rule(&["GET", "HEAD"], &["*"], &["ETag"])]),
        without,
        same,
    );
    both(
        kind,
        &one,
        &cors(&[rule(&all, &[], &["ETag"])]),
        (Breakage, "cannot send every header (*) with GET any more"),
        same,
    );
    both(
        kind,
        &cors(&[rule(&["PUT"], &["content-type", "x-amz-*"], &[])]),
        &cors(&[rule(&["PUT"], &["content-type", "x-amz-meta-*"], &[])]),
        (Breakage, "cannot send the header x-amz-* with PUT any more"),
        same,
    );
    // No rule has both of them, and one request asks for both.
    both(
        kind,
        &cors(&[rule(&["PUT"], &["content-type", "content-md5"], &[])]),
        &cors(&[rule(&["PUT"], &["content-type"], &[]), rule(&["PUT"], &["content-md5"], &[])]),
        (Breakage, "cannot send the headers content-md5 and content-type together with PUT any more"),
        same,
    );
    // What a rule lets through that stands behind another is let through too.
    both(
        kind,
        &one,
        &cors(&[rule(&all, &["content-type"], &["ETag"]), rule(&all, &["*"], &["ETag"])]),
        same,
        same,
    );
    both(kind, &one, &cors(&[rule(&all, &["*"], &["etag"])]), same, same);
    both(
        kind,
        &cors(&[rule(&all, &["Content-Type"], &[])]),
        &cors(&[rule(&all, &["content-type"], &[])]),
        same,
        same,
    );
}

#[test]
fn a_lifecycle_rule_by_what_it_destroys() {
    let rule = |change: &dyn Fn(&mut Value)| {
        let mut value = json!({
            "id": "x", "enabled": true,
            "filter": {"prefix": null, "tags": {}, "object_size_greater_than": null, "object_size_less_than": null},
            "abort_incomplete_multipart_upload_days": null, "expiration": null, "noncurrent_version_expiration": null,
            "transitions": [], "noncurrent_version_transitions": [],
        });
        change(&mut value);
        json!({"rules": [value], "exclusive": true})
    };
    let none = json!({"rules": [], "exclusive": true});
    let kind = Kind::Lifecycle;
    let expires = |days: u32| {
        rule(&move |r| {
            r["expiration"] = json!({"days": days, "date": null, "expired_object_delete_marker": false});
        })
    };
    both(kind, &none, &expires(30), (Breakage, "run history is destroyed"), (Other, "works no more"));
    both(kind, &expires(30), &expires(20), (Breakage, "rule `x` expires"), (Breakage, "rule `x` expires"));
    both(
        kind,
        &expires(30),
        &rule(&|r| r["enabled"] = json!(false)),
        (Other, "works no more"),
        (Breakage, "expires"),
    );
    let markers = rule(&|r| {
        r["expiration"] = json!({"days": null, "date": null, "expired_object_delete_marker": true});
    });
    both(kind, &none, &markers, (Other, "delete markers"), (Other, "works no more"));
    let old = |days: u32, kept: Value| {
        rule(&move |r| r["noncurrent_version_expiration"] = json!({"days": days, "newer_versions": kept}))
    };
    both(kind, &none, &old(30, Value::Null), (Exposure, "30 days after"), (Other, "works no more"));
    both(
        kind,
        &old(30, Value::Null),
        &old(7, Value::Null),
        (Exposure, "7 days after"),
        (Other, "no rule removes"),
    );
    both(kind, &old(30, json!(5)), &old(30, Value::Null), (Exposure, "sooner"), (Other, "no rule removes"));
    let moves = |class: &str| {
        let class = class.to_owned();
        rule(&move |r| r["transitions"] = json!([{"days": 1, "date": null, "storage_class": class}]))
    };
    both(kind, &none, &moves("DEEP_ARCHIVE"), (Breakage, "restored"), (Other, "works no more"));
    both(kind, &none, &moves("STANDARD_IA"), (Other, "another storage class"), (Other, "works no more"));
    let aborts = |days: u32| rule(&move |r| r["abort_incomplete_multipart_upload_days"] = json!(days));
    both(
        kind,
        &none,
        &aborts(1),
        (Other, "aborts uploads that are not finished 1 day after they began"),
        (Other, "works no more"),
    );
    both(kind, &aborts(7), &aborts(2), (Other, "2 days after"), (Other, "no rule removes"));
    let old_moves = |class: &str| {
        let class = class.to_owned();
        rule(&move |r| {
            r["noncurrent_version_transitions"] =
                json!([{"days": 1, "newer_versions": null, "storage_class": class}]);
        })
    };
    both(
        kind,
        &none,
        &old_moves("DEEP_ARCHIVE"),
        (Other, "archives what was overwritten or deleted"),
        (Other, "works no more"),
    );
    both(
        kind,
        &none,
        &old_moves("STANDARD_IA"),
        (Other, "moves what was overwritten or deleted"),
        (Other, "works no more"),
    );
}

#[test]
fn tags_are_no_access() {
    let kind = Kind::BucketTags;
    both(
        kind,
        &json!({"Owner": "a"}),
        &json!({"Owner": "b"}),
        (Other, "costs and reports"),
        (Other, "costs and reports"),
    );
    both(
        kind,
        &json!({"byob:stack": "a"}),
        &Value::Null,
        (Other, "people cannot tell"),
        (Other, "costs and reports"),
    );
}

#[test]
fn a_policy_by_the_request_that_shows_it() {
    let statement = |sid: &str, who: &str, action: &str| {
        json!({
            "Sid": sid, "Effect": "Allow", "Principal": who_of(who), "Action": action, "Resource": "arn:aws:s3:::b/*",
        })
    };
    fn who_of(who: &str) -> Value {
        if who == "*" { json!("*") } else { json!({"AWS": format!("arn:aws:iam::{who}:root")}) }
    }
    let document = |statements: &[Value]| json!({"Version": "2012-10-17", "Statement": statements});
    let wandb = statement("WandbAccountAccess", "830241207209", "s3:GetObject");
    let vendor = statement("Vendor", "444455556666", "s3:GetObject");
    let ours = document(std::slice::from_ref(&wandb));
    let kind = Kind::BucketPolicy;
    both(
        kind,
        &ours,
        &document(&[wandb.clone(), vendor.clone()]),
        (Exposure, "may do more than recorded, e.g. s3:GetObject on arn:aws:s3:::b/"),
        (Other, "W&B has what it had"),
    );
    both(
        kind,
        &ours,
        &document(std::slice::from_ref(&vendor)),
        (Exposure, "W&B has less"),
        (Exposure, "may do more"),
    );
    both(kind, &ours, &Value::Null, (Breakage, "W&B has less"), (Exposure, "may do more"));
    both(
        kind,
        &ours,
        &document(&[wandb, statement("All", "*", "s3:GetObject")]),
        (Exposure, "public now"),
        (Exposure, "not public any more"),
    );
}

#[test]
fn a_key_that_nobody_of_its_account_can_manage_is_breakage() {
    let own = json!({
        "Sid": "ByobAccount", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
        "Action": "kms:*", "Resource": "*",
    });
    let wandb = json!({
        "Sid": "WandbAccountAccess", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::830241207209:root"},
        "Action": ["kms:Decrypt", "kms:GenerateDataKey"], "Resource": "*",
    });
    let with = |statement: Value| json!({"Version": "2012-10-17", "Statement": [own.clone(), wandb.clone(), statement]});
    let without = |more: &[Value]| {
        let all = [std::slice::from_ref(&wandb), more].concat();
        json!({"Version": "2012-10-17", "Statement": all})
    };
    let given = json!({"Version": "2012-10-17", "Statement": [own.clone(), wandb.clone()]});
    let kind = Kind::KeyPolicy;
    let locked = (Breakage, "only AWS Support can mend it");
    both(kind, &given, &without(&[]), locked, (Exposure, "may do more"));
    // The statement stays and a Deny keeps everybody from it; a Deny that spares somebody does not.
    let deny = |condition: Value| {
        json!({
            "Effect": "Deny", "Principal": "*", "Action": "kms:PutKeyPolicy", "Resource": "*", "Condition": condition,
        })
    };
    both(kind, &given, &with(deny(json!({}))), locked, (Exposure, "may do more"));
    let spares = deny(json!({"ArnNotEquals": {"aws:PrincipalArn": "arn:aws:iam::123456789012:role/admin"}}));
    both(kind, &given, &with(spares), (Other, "role/admin still may"), (Exposure, "may do more"));
    // Those of other accounts are no help: KMS takes a policy from nobody else.
    let manages = |who: &str| json!({"Effect": "Allow", "Principal": {"AWS": who}, "Action": "kms:PutKeyPolicy", "Resource": "*"});
    let stranger = without(&[manages("arn:aws:iam::444455556666:root")]);
    let meant = |live: &Value| {
        let side = |value: &Value| Attributes::from_value(kind, value).ok();
        meaning(kind, ACCOUNT, side(&given).as_ref(), side(live).as_ref())
    };
    assert!(meant(&stranger).all.contains(&Breakage), "{:?}", meant(&stranger));
    // A manager that the policy names itself can put it back, whatever the account's own policies say.
    let kept = meant(&without(&[manages("arn:aws:iam::123456789012:role/keys")]));
    assert!(!kept.all.contains(&Breakage), "{kept:?}");
    assert!(kept.sentence.contains("role/keys still may"), "{kept:?}");
}

#[test]
fn what_the_owners_own_policies_give_is_not_wandbs() {
    let wandb = |who: &str| {
        json!({
            "Sid": "WandbAccountAccess", "Effect": "Allow", "Principal": {"AWS": who},
            "Action": ["s3:GetObject", "s3:PutObject"], "Resource": "arn:aws:s3:::b/*",
        })
    };
    let deny = |who: &str, action: &str| {
        json!({
            "Effect": "Deny", "Principal": {"AWS": who}, "Action": action, "Resource": ["arn:aws:s3:::b", "arn:aws:s3:::b/*"],
        })
    };
    let policy = |statements: &[Value]| json!({"Version": "2012-10-17", "Statement": statements});
    let (own, vendor) = ("arn:aws:iam::123456789012:root", "arn:aws:iam::830241207209:root");
    let kind = Kind::BucketPolicy;
    let severity = |who: &str, more: Value| {
        let side = |value: &Value| Attributes::from_value(kind, value).ok();
        let (old, new) = (policy(&[wandb(who)]), policy(&[wandb(who), more]));
        let meaning = meaning(kind, ACCOUNT, side(&old).as_ref(), side(&new).as_ref());
        (meaning.severity, meaning.sentence)
    };
    let (said, sentence) = severity(vendor, deny(own, "s3:DeleteBucket"));
    assert_eq!(
        (said, sentence.as_str()),
        (Other, "nobody has more access than recorded, and W&B has what it had")
    );
    assert_eq!(severity(vendor, deny(own, "s3:*")).0, Other);
    assert_eq!(severity(vendor, deny(vendor, "s3:PutObject")).0, Breakage);
    // Where W&B runs in the owner's own account, what that account is refused W&B is; but only of what W&B was given.
    let role = "arn:aws:iam::123456789012:role/wandb";
    assert_eq!(severity(role, deny(role, "s3:PutObject")).0, Breakage);
    assert_eq!(severity(role, deny(own, "s3:PutObject")).0, Breakage);
    assert_eq!(severity(role, deny(own, "s3:DeleteBucket")).0, Other);
    assert_eq!(severity(role, deny("arn:aws:iam::123456789012:role/other", "s3:PutObject")).0, Other);
    // Its account for its role is no less: W&B's own side gives it to the role.
    let narrowed = policy(&[wandb("arn:aws:iam::830241207209:role/w")]);
    let widened = policy(&[wandb(vendor)]);
    let side = |value: &Value| Attributes::from_value(kind, value).ok();
    let all = meaning(kind, ACCOUNT, side(&narrowed).as_ref(), side(&widened).as_ref()).all;
    assert!(!all.contains(&Breakage), "{all:?}");
}

#[test]
fn every_severity_has_a_sentence_and_a_name() {
    for severity in DriftSeverity::ALL {
        assert!(severity.meaning().len() > 10);
        assert_eq!(serde_json::to_value(severity).unwrap(), severity.as_str());
    }
}
