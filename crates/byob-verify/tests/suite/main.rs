//! What each check says yes and no to, and that nothing stays behind whatever happens.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod scene;

use std::rc::Rc;

use byob_model::Kind;
use byob_model::desired::{KEY_USE_ACTIONS, STORAGE_ACTIONS};
use byob_model::kind::{Attributes, ObjectLock, Ownership, Policy, RetentionMode};
use byob_model::live::{LiveAspect, LiveBucket, LiveKey};
use byob_model::recorded::Recorded;
use byob_policy::Document;
use byob_verify::{Check, Encrypted, Outcome, judge, prove, subjects};
use scene::{Bucket, EXAMPLE, facts, failed, failures, now, repolicy, run, verify, wants, world};
use serde_json::{Value, json};

const VISION: &str = "acme-wandb-vision";

fn vision(
    change_world: impl FnOnce(&mut byob_model::live::Live),
    change_bucket: impl FnOnce(&mut Bucket),
) -> Vec<Check> {
    verify(EXAMPLE, "vision", change_world, change_bucket)
}

fn find<'a>(checks: &'a [Check], id: &str) -> &'a Check {
    checks.iter().find(|check| check.id == id).unwrap_or_else(|| panic!("no check {id}: {checks:#?}"))
}

fn seen(checks: &[Check], id: &str) -> String {
    match &find(checks, id).outcome {
        Outcome::Failed { seen, .. } => seen.clone(),
        other => panic!("{id}: {other:?}"),
    }
}

fn why(checks: &[Check], id: &str) -> String {
    match &find(checks, id).outcome {
        Outcome::Skipped { why } => why.clone(),
        other => panic!("{id}: {other:?}"),
    }
}

/// Changes each statement with this `Sid`.
fn statements(policy: &mut Value, sid: &str, change: impl Fn(&mut Value)) {
    for statement in policy["Statement"].as_array_mut().unwrap() {
        if statement["Sid"] == sid {
            change(statement);
        }
    }
}

#[test]
fn both_buckets_of_the_example_pass() {
    for label in ["storage", "vision"] {
        let checks = verify(EXAMPLE, label, |_| {}, |_| {});
        assert_eq!(failures(&checks), [""; 0], "{checks:#?}");
        let mut ids: Vec<&str> = checks.iter().map(|check| check.id.as_str()).collect();
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all, "each check has an id of its own");
    }
    let checks = vision(|_| {}, |_| {});
    assert!(checks.iter().all(|check| matches!(check.outcome, Outcome::Passed { .. })), "{checks:#?}");
    assert_eq!(checks.iter().filter(|check| check.id.starts_with("s3:")).count(), 11);
    assert_eq!(checks.iter().filter(|check| check.id.starts_with("kms:")).count(), 5);
    let given = Outcome::Passed { given: Some("over TLS 1.3".to_owned()) };
    assert_eq!(find(&checks, "s3:PutObject").outcome, given);
}

#[test]
fn each_missing_action_fails_its_own_check() {
    for action in STORAGE_ACTIONS {
        let checks = vision(
            |live| {
                repolicy(&mut facts(live, VISION).aspects, Kind::BucketPolicy, |policy| {
                    statements(policy, "WandbAccountAccess", |statement| {
                        let actions = statement["Action"].as_array().unwrap();
                        let rest: Vec<Value> =
                            actions.iter().filter(|one| **one != action).cloned().collect();
                        assert_eq!(rest.len(), 10);
                        statement["Action"] = Value::Array(rest);
                    });
                });
            },
            |_| {},
        );
        assert_eq!(failures(&checks), [action]);
        assert!(seen(&checks, action).contains("no statement allows it"));
    }
}

#[test]
fn an_action_that_is_given_on_the_wrong_half_is_missing() {
    let checks = vision(
        |live| {
            repolicy(&mut facts(live, VISION).aspects, Kind::BucketPolicy, |policy| {
                statements(policy, "WandbAccountAccess", |one| {
                    one["Resource"] = json!("arn:aws:s3:::acme-wandb-vision/*");
                });
            });
        },
        |_| {},
    );
    assert!(failures(&checks).contains(&"s3:ListBucket"), "{:?}", failures(&checks));
    assert!(!failures(&checks).contains(&"s3:PutObject"));
}

#[test]
fn a_deny_that_meets_wandb_is_named() {
    let checks = vision(
        |live| {
            repolicy(&mut facts(live, VISION).aspects, Kind::BucketPolicy, |policy| {
                policy["Statement"].as_array_mut().unwrap().push(json!({"Sid": "NoDeletes", "Effect": "Deny",
                    "Principal": "*", "Action": "s3:DeleteObject", "Resource": "arn:aws:s3:::acme-wandb-vision/*"}));
            });
        },
        |_| {},
    );
    assert_eq!(failures(&checks), ["s3:DeleteObject"]);
    assert!(seen(&checks, "s3:DeleteObject").ends_with("statement `NoDeletes` denies it"));
}

#[test]
fn a_principal_that_was_deleted_is_recognised() {
    let checks = vision(
        |live| {
            repolicy(&mut facts(live, VISION).aspects, Kind::BucketPolicy, |policy| {
                statements(policy, "WandbAccountAccess", |one| {
                    one["Principal"] = json!({"AWS": "AROAEXAMPLEEXAMPLE123"});
                });
            });
        },
        |_| {},
    );
    assert!(seen(&checks, "s3:GetObject*").contains("what AWS leaves of a deleted user or role"));
}

#[test]
fn a_public_statement_cuts_wandb_off_where_the_block_is_on() {
    let checks = vision(
        |live| {
            repolicy(&mut facts(live, VISION).aspects, Kind::BucketPolicy, |policy| {
                policy["Statement"].as_array_mut().unwrap().push(json!({"Sid": "Open", "Effect": "Allow",
                    "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::acme-wandb-vision/*"}));
            });
        },
        |_| {},
    );
    let failures = failures(&checks);
    assert_eq!(failures.iter().filter(|id| id.starts_with("s3:")).count(), 11);
    assert!(failures.contains(&"not-public") && failures.contains(&"nobody-else"), "{failures:?}");
    assert!(seen(&checks, "not-public").contains("statement `Open`"));
    assert!(seen(&checks, "nobody-else").contains("statement `Open` allows it"));
}

#[test]
fn somebody_else_who_is_let_in_is_told_and_a_missing_deny_lets_nobody_in() {
    let checks = vision(
        |live| {
            repolicy(&mut facts(live, VISION).aspects, Kind::BucketPolicy, |policy| {
                policy["Statement"].as_array_mut().unwrap().push(json!({"Sid": "Vendor", "Effect": "Allow",
                    "Principal": {"AWS": "arn:aws:iam::999988887777:root"}, "Action": "s3:GetObject",
                    "Resource": "arn:aws:s3:::acme-wandb-vision/*"}));
            });
        },
        |_| {},
    );
    assert_eq!(failures(&checks), ["nobody-else"]);
    assert!(seen(&checks, "nobody-else").contains("999988887777"), "{checks:#?}");
    let without_tls = vision(
        |live| {
            repolicy(&mut facts(live, VISION).aspects, Kind::BucketPolicy, |policy| {
                policy["Statement"].as_array_mut().unwrap().retain(|one| one["Sid"] != "ByobTlsOnly");
            });
        },
        |bucket| bucket.tls_only = false,
    );
    assert_eq!(failures(&without_tls), ["guards", "plain-http"]);
    assert!(
        seen(&without_tls, "guards").starts_with("statement `ByobTlsOnly` of byob.toml forbids "),
        "{without_tls:#?}"
    );
    assert_eq!(find(&without_tls, "nobody-else").outcome, Outcome::Passed { given: None });
}

/// Changes the live policy of the bucket, and tells what fails then.
fn after(config: &str, change: impl Fn(&mut Vec<Value>)) -> Vec<Check> {
    verify(
        config,
        "vision",
        |live| {
            repolicy(&mut facts(live, VISION).aspects, Kind::BucketPolicy, |policy| {
                change(policy["Statement"].as_array_mut().unwrap());
            });
        },
        |_| {},
    )
}

#[test]
fn what_byob_toml_forbids_has_to_stay_forbidden() {
    let config = EXAMPLE.replace(
        "tls_only = true",
        r#"tls_only = true
min_tls_version = "1.2"
allowed_source_ips = ["198.51.100.0/24"]
extra_statements = [{ Sid = "NoDeletes", Effect = "Deny", Principal = { AWS = "arn:aws:iam::123456789012:role/ops" }, Action = "s3:DeleteObject", Resource = "arn:aws:s3:::acme-wandb-vision/*" }]"#,
    );
    let untouched = verify(&config, "vision", |_| {}, |_| {});
    assert_eq!(failures(&untouched), [""; 0], "{untouched:#?}");
    assert_eq!(find(&untouched, "guards").outcome, Outcome::Passed { given: None });
    for sid in ["ByobNetwork", "ByobMinTlsVersion", "NoDeletes"] {
        let taken_out = after(&config, |all| all.retain(|one| one["Sid"] != sid));
        assert_eq!(failures(&taken_out), ["guards"], "{sid}");
        let seen = seen(&taken_out, "guards");
        assert!(seen.starts_with(&format!("statement `{sid}` of byob.toml forbids ")), "{seen}");
    }
    let widened = after(&config, |all| {
        let network = all.iter_mut().find(|one| one["Sid"] == "ByobNetwork").unwrap();
        network["Condition"]["NotIpAddressIfExists"]["aws:SourceIp"] =
            json!(["198.51.100.0/24", "203.0.113.0/24"]);
    });
    assert_eq!(failures(&widened), ["guards"]);
    // Whoever forbids more keeps nobody in; that W&B stays in is another check.
    let stricter = after(&config, |all| {
        all.push(
            json!({"Sid": "Stricter", "Effect": "Deny", "Principal": "*", "Action": "s3:PutBucketPolicy",
            "Resource": "arn:aws:s3:::acme-wandb-vision"}),
        );
    });
    assert_eq!(failures(&stricter), [""; 0], "{stricter:#?}");
}

/// What no single request that stands for others would meet.
#[test]
fn whatever_keeps_some_of_wandbs_requests_out_fails() {
    let all = json!(["arn:aws:s3:::acme-wandb-vision", "arn:aws:s3:::acme-wandb-vision/*"]);
    let deny = |more: Value| {
        let mut statement =
            json!({"Sid": "Out", "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": all});
        for (name, value) in more.as_object().unwrap() {
            statement[name] = value.clone();
        }
        statement.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        statement
    };
    let when = |condition: Value| deny(json!({ "Condition": condition }));
    let denies = [
        deny(
            json!({"Resource": null, "NotResource": ["arn:aws:s3:::acme-wandb-vision", "arn:aws:s3:::acme-wandb-vision/byob*"]}),
        ),
        deny(json!({"Resource": "arn:aws:s3:::acme-wandb-vision/wandb_artifacts/*"})),
        when(json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::830241207209:role/*"}})),
        when(json!({"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}})),
        when(json!({"NumericGreaterThan": {"aws:EpochTime": "1600000000"}})),
        when(json!({"StringLike": {"aws:UserAgent": "*"}})),
        when(json!({"StringLike": {"aws:userid": "*"}})),
        when(json!({"IpAddress": {"aws:SourceIp": ["0.0.0.0/0", "::/0"]}})),
        deny(json!({"Action": "s3:ListBucket", "Condition": {"StringLike": {"s3:prefix": "*"}}})),
    ];
    for statement in denies {
        let checks = after(EXAMPLE, |all| all.push(statement.clone()));
        let failed = failures(&checks);
        assert!(failed.iter().any(|id| *id == "whole" || id.starts_with("s3:")), "{statement}: {failed:?}");
    }
    let narrowed = |change: &dyn Fn(&mut Value)| {
        let checks = after(EXAMPLE, |all| {
            change(all.iter_mut().find(|one| one["Sid"] == "WandbAccountAccess").unwrap());
        });
        let failed = failures(&checks);
        assert!(failed.iter().any(|id| *id == "whole" || id.starts_with("s3:")), "{failed:?}");
    };
    narrowed(&|one| {
        one["Resource"] = json!(["arn:aws:s3:::acme-wandb-vision", "arn:aws:s3:::acme-wandb-vision/byob*"]);
    });
    narrowed(&|one| one["Condition"] = json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}));
    narrowed(&|one| one["Condition"] = json!({"StringEquals": {"aws:SourceVpce": "vpce-0123456789abcdef0"}}));
    // The same of the key.
    for condition in [
        json!({"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}),
        json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::830241207209:role/*"}}),
    ] {
        let checks = vision(
            |live| {
                let Some(LiveKey::Exists(key)) = live.keys.values_mut().next() else { panic!("no key") };
                repolicy(&mut key.aspects, Kind::KeyPolicy, |policy| {
                    let deny = json!({"Sid": "Out", "Effect": "Deny", "Principal": "*", "Action": "kms:*",
                        "Resource": "*", "Condition": condition});
                    policy["Statement"].as_array_mut().unwrap().push(deny);
                });
            },
            |_| {},
        );
        assert_eq!(failures(&checks), ["key-whole"], "{condition}");
        assert!(seen(&checks, "key-whole").ends_with("statement `Out` denies it"), "{checks:#?}");
    }
    // What W&B does not meet keeps nothing of it out.
    for statement in [
        when(json!({"Bool": {"aws:SecureTransport": "false"}})),
        when(json!({"NumericLessThan": {"s3:TlsVersion": "1.2"}})),
        deny(json!({"Principal": {"AWS": "arn:aws:iam::123456789012:role/other"}})),
        deny(json!({"Action": "s3:PutBucketPolicy"})),
        when(json!({"Null": {"s3:x-amz-server-side-encryption": "false"},
            "StringNotEquals": {"s3:x-amz-server-side-encryption": "AES256"}})),
        when(json!({"StringNotEquals": {"s3:signatureversion": "AWS4-HMAC-SHA256"}})),
        when(json!({"StringNotEquals": {"aws:RequestedRegion": "eu-west-1"}})),
        when(json!({"StringNotEquals": {"aws:ResourceAccount": "123456789012"}})),
    ] {
        let checks = after(EXAMPLE, |all| all.push(statement.clone()));
        assert_eq!(failures(&checks), [""; 0], "{statement}");
    }
}

/// What byob.toml itself says: a folder that is set aside is meant, and a Deny that always holds is a mistake.
#[test]
fn what_byob_toml_itself_keeps_wandb_from_is_told_where_it_is_no_part_set_aside() {
    let with = |condition: &str, resource: &str| {
        let statement = format!(
            "extra_statements = [{{ Sid = \"Own\", Effect = \"Deny\", Principal = \"*\", Action = \"s3:*\", \
             Resource = \"arn:aws:s3:::acme-wandb-vision/{resource}\"{condition} }}]"
        );
        let config = EXAMPLE.replace("tls_only = true", &format!("tls_only = true\n{statement}"));
        verify(&config, "vision", |_| {}, |_| {})
    };
    assert_eq!(failures(&with("", "private/*")), [""; 0]);
    let always = ", Condition = { DateGreaterThan = { \"aws:CurrentTime\" = \"2020-01-01T00:00:00Z\" } }";
    let checks = with(always, "*");
    assert_eq!(failures(&checks), ["whole"]);
    let Outcome::Failed { cure, .. } = &find(&checks, "whole").outcome else { panic!("{checks:#?}") };
    assert!(cure.starts_with("byob.toml itself keeps W&B out"), "{cure}");
    let folder = EXAMPLE.replace(
        "tls_only = true",
        "tls_only = true\npath = \"team\"\nextra_statements = [{ Sid = \"Own\", Effect = \"Deny\", Action = \"s3:PutObject\", \
         Principal = { AWS = \"arn:aws:iam::830241207209:root\" }, NotResource = \"arn:aws:s3:::acme-wandb-vision/team/*\" }]",
    );
    let folder = verify(&folder, "vision", |_| {}, |_| {});
    assert_eq!(failures(&folder), [""; 0], "{folder:#?}");
    // What is known of W&B decides; what is not is told.
    for hits in [
        "NotPrincipal = { AWS = [\"arn:aws:iam::123456789012:root\", \"arn:aws:iam::830241207209:root\"] }",
        "Principal = { AWS = \"arn:aws:iam::830241207209:role/worker\" }",
    ] {
        let config = EXAMPLE.replace(
            "tls_only = true",
            &format!(
                "tls_only = true\nextra_statements = [{{ Sid = \"Own\", Effect = \"Deny\", {hits}, Action = \"s3:*\", \
                 Resource = \"arn:aws:s3:::acme-wandb-vision/*\" }}]"
            ),
        );
        let checks = verify(&config, "vision", |_| {}, |_| {});
        assert_eq!(failures(&checks), ["whole"], "{hits}: {checks:#?}");
    }
    for unsure in [
        ", Condition = { StringEquals = { \"aws:PrincipalTag/env\" = \"prod\" } }",
        ", Condition = { NumericGreaterThan = { \"s3:signatureAge\" = 1 } }",
        ", Condition = { StringLike = { \"aws:UserAgent\" = \"*curl*\" } }",
        ", Condition = { Bool = { \"aws:MultiFactorAuthPresent\" = \"false\" } }",
    ] {
        let checks = with(unsure, "*");
        assert_eq!(failures(&checks), [""; 0], "{unsure}: {checks:#?}");
        assert!(
            why(&checks, "whole").starts_with("statement `Own` hangs on what nobody here knows"),
            "{checks:#?}"
        );
    }
    let spared = ", Condition = { StringNotEquals = { \"aws:PrincipalAccount\" = [\"830241207209\", \"123456789012\"] } }";
    assert_eq!(failures(&with(spared, "*")), [""; 0]);
}

/// A policy that byob does not manage: W&B's own account is let in by the policy, a role of the bucket's account by its own.
#[test]
fn a_policy_that_others_write_is_held_against_what_wandb_needs() {
    let unmanaged = EXAMPLE.replace("tls_only = true", "unmanaged = [\"policy\"]");
    let with = |text: &str, policy: Option<Value>| {
        verify(
            text,
            "vision",
            |live| {
                let aspect = policy.map_or(LiveAspect::Absent, |policy| {
                    let document = Document::from_value(&policy).unwrap();
                    LiveAspect::Present(Attributes::Policy(Policy { document }))
                });
                facts(live, VISION).aspects.insert(Kind::BucketPolicy, aspect);
            },
            |_| {},
        )
    };
    let grant = |condition: Value| {
        let mut statement = json!({"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::830241207209:root"},
            "Action": "s3:*", "Resource": ["arn:aws:s3:::acme-wandb-vision", "arn:aws:s3:::acme-wandb-vision/*"]});
        if !condition.is_null() {
            statement["Condition"] = condition;
        }
        Some(json!({"Version": "2012-10-17", "Statement": [statement]}))
    };
    assert_eq!(failures(&with(&unmanaged, grant(Value::Null))), [""; 0]);
    let late = json!({"DateLessThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}});
    assert!(!failures(&with(&unmanaged, grant(late))).is_empty());
    // Single checks say from where it is let in, and that W&B's addresses are not known.
    assert_eq!(
        failures(&with(&unmanaged, grant(json!({"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}})))),
        [""; 0]
    );
    let account = unmanaged.replace("\"dedicated-cloud\"", "\"multi-tenant-cloud\"");
    let mut whole_account = grant(Value::Null).unwrap();
    whole_account["Statement"][0]["Principal"]["AWS"] = "arn:aws:iam::725579432336:root".into();
    let checks = with(&account, Some(whole_account.clone()));
    assert!(!failures(&checks).contains(&"whole"), "{checks:#?}");
    let deny = |condition: Value| {
        let mut policy = grant(Value::Null).unwrap();
        policy["Statement"]
            .as_array_mut()
            .unwrap()
            .push(json!({"Sid": "D", "Effect": "Deny", "Principal": "*",
            "Action": "s3:*", "Resource": "arn:aws:s3:::acme-wandb-vision/*", "Condition": condition}));
        Some(policy)
    };
    let always = json!({"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}});
    let denied = with(&unmanaged, deny(always.clone()));
    assert_eq!(failures(&denied), ["whole"]);
    assert!(seen(&denied, "whole").ends_with("statement `D` denies it"), "{denied:#?}");
    // Without a name it is called by its place in the policy that AWS has.
    let mut nameless = deny(always.clone()).unwrap();
    nameless["Statement"][1].as_object_mut().unwrap().remove("Sid");
    assert!(seen(&with(&unmanaged, Some(nameless)), "whole").ends_with("statement 2 denies it"));
    let own = unmanaged.replace(
        "deployment = \"dedicated-cloud\"",
        "deployment = \"self-managed\"\nprincipals = [\"arn:aws:iam::123456789012:role/wandb\"]",
    );
    assert_ne!(own, unmanaged);
    assert_eq!(failures(&with(&own, None)), [""; 0]);
    assert!(failures(&with(&own, deny(always))).contains(&"whole"));
}

/// Other teams' statements that stay: what they set aside is theirs to say, and what always holds is told, with its cure.
#[test]
fn other_teams_denies_may_set_a_part_aside() {
    let keep = EXAMPLE.replace("tls_only = true", "tls_only = true\nforeign_statements = \"keep\"");
    let with = |deny: Value| {
        let mut statement = json!({"Sid": "Theirs", "Effect": "Deny", "Principal": "*", "Action": "s3:*",
            "Resource": "arn:aws:s3:::acme-wandb-vision/*"});
        for (name, value) in deny.as_object().unwrap() {
            statement[name] = value.clone();
        }
        after(&keep, |all| all.push(statement.clone()))
    };
    for meant in [
        json!({"Resource": "arn:aws:s3:::acme-wandb-vision/private/*"}),
        json!({"Condition": {"NotIpAddress": {"aws:SourceIp": "198.51.100.0/24"}}}),
        json!({"Action": "s3:ListBucket", "Resource": "arn:aws:s3:::acme-wandb-vision",
            "Condition": {"StringLike": {"s3:prefix": "private/*"}}}),
        json!({"Condition": {"StringEquals": {"s3:ExistingObjectTag/quarantine": "yes"}}}),
        json!({"Condition": {"ArnNotLike": {"aws:PrincipalArn": ["arn:aws:iam::830241207209:*", "arn:aws:iam::123456789012:*"]}}}),
    ] {
        let checks = with(meant.clone());
        assert_eq!(failures(&checks), [""; 0], "{meant}: {checks:#?}");
    }
    let checks =
        with(json!({"Condition": {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::830241207209:role/*"}}}));
    assert_eq!(failures(&checks), ["whole"]);
    let Outcome::Failed { cure, .. } = &find(&checks, "whole").outcome else { panic!("{checks:#?}") };
    assert!(cure.contains("another team's statement"), "{cure}");
}

/// What was taken for given.
fn given(checks: &[Check], id: &str) -> String {
    match &find(checks, id).outcome {
        Outcome::Passed { given } => given.clone().unwrap_or_default(),
        other => panic!("{id}: {other:?}"),
    }
}

/// A policy of vision with one more Deny, of byob.toml or of another team.
fn denying(ours: bool, deny: &Value) -> Vec<Check> {
    let mut statement = json!({"Sid": "Out", "Effect": "Deny", "Principal": "*", "Action": "s3:*",
        "Resource": "arn:aws:s3:::acme-wandb-vision/*"});
    for (name, value) in deny.as_object().unwrap() {
        statement[name] = value.clone();
    }
    statement.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    if !ours {
        let keep = EXAMPLE.replace("tls_only = true", "tls_only = true\nforeign_statements = \"keep\"");
        return after(&keep, |all| all.push(statement.clone()));
    }
    let toml = byob_toml(&statement);
    let config = EXAMPLE.replace("tls_only = true", &format!("tls_only = true\nextra_statements = [{toml}]"));
    verify(&config, "vision", |_| {}, |_| {})
}

/// A value of JSON as it stands in TOML.
fn byob_toml(value: &Value) -> String {
    match value {
        Value::Object(all) => {
            let members: Vec<String> =
                all.iter().map(|(name, value)| format!("\"{name}\" = {}", byob_toml(value))).collect();
            format!("{{ {} }}", members.join(", "))
        }
        Value::Array(all) => format!("[{}]", all.iter().map(byob_toml).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

const PRIVATE: &str = "arn:aws:s3:::acme-wandb-vision/private/*";

#[test]
fn a_deny_of_another_team_that_names_wandb_is_no_part_set_aside() {
    let next_to_nothing =
        json!(["arn:aws:s3:::acme-wandb-vision", "arn:aws:s3:::acme-wandb-vision/byob-rules*"]);
    for who in ["arn:aws:iam::830241207209:root", "830241207209", "arn:aws:iam::830241207209:role/worker"] {
        let who = json!({ "AWS": who });
        for out in [
            json!({"Principal": who, "Resource": null, "NotResource": next_to_nothing}),
            json!({"Principal": who, "Resource": "arn:aws:s3:::acme-wandb-vision/wandb_artifacts/*"}),
            json!({"Principal": who, "Resource": PRIVATE}),
        ] {
            let checks = denying(false, &out);
            assert_eq!(failures(&checks), ["whole"], "{out}");
            assert!(seen(&checks, "whole").ends_with("statement `Out` denies it"), "{checks:#?}");
        }
    }
    // By NotResource nothing is set aside, whoever is named.
    for ours in [true, false] {
        let out = json!({"Resource": null, "NotResource": next_to_nothing});
        assert_eq!(failures(&denying(ours, &out)), ["whole"], "{ours}");
    }
    // What keeps it out of a part, whoever asks, is meant: and told.
    let checks =
        denying(false, &json!({"Resource": [PRIVATE, "arn:aws:s3:::acme-wandb-vision/wandb_artifacts/*"]}));
    assert_eq!(failures(&checks), [""; 0]);
    assert!(
        given(&checks, "whole")
            .ends_with("but for what statement `Out` sets aside (private/*, wandb_artifacts/*)"),
        "{checks:#?}"
    );
    let network = json!({"Condition": {"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}}});
    assert!(
        given(&denying(false, &network), "whole").contains("from an address that statement `Out` lets in"),
        "{network}"
    );
    let tags = json!({"Condition": {"StringEquals": {"s3:ExistingObjectTag/quarantine": "yes"}}});
    assert!(given(&denying(false, &tags), "whole").contains("that statement `Out` refuses"), "{tags}");
    // A part beside the rest: only the part is set aside.
    let beside = json!({"Resource": [PRIVATE, "arn:aws:s3:::acme-wandb-vision/*"], "Action": "s3:PutObject"});
    let with = |condition: Value| {
        let mut deny = beside.clone();
        deny["Condition"] = condition;
        denying(false, &deny)
    };
    assert!(
        why(&with(json!({"StringEquals": {"aws:PrincipalTag/a": "b"}})), "whole").contains("`Out` hangs")
    );
    assert_eq!(
        failures(&with(json!({"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}))),
        ["whole"]
    );
    let spares = with(json!({"StringNotEquals": {"aws:PrincipalAccount": "830241207209"}}));
    assert_eq!(given(&spares, "whole"), "over TLS 1.3");
    // Nothing is told of what W&B never meets.
    let other = json!({"Principal": {"AWS": "arn:aws:iam::123456789012:role/other"}, "Resource": PRIVATE});
    assert_eq!(given(&denying(false, &other), "whole"), "over TLS 1.3");
}

#[test]
fn who_is_spared_and_how_wandb_is_written_does_not_outweigh_what_is_meant() {
    let admin = "arn:aws:iam::123456789012:role/admin";
    for meant in [
        json!({"Condition": {"NotIpAddressIfExists": {"aws:SourceIp": "203.0.113.0/24"},
            "ArnNotLikeIfExists": {"aws:PrincipalArn": admin}}}),
        json!({"Resource": PRIVATE, "Condition": {"ArnNotLike": {"aws:PrincipalArn": admin}}}),
        json!({"Resource": PRIVATE, "Principal": null, "NotPrincipal": {"AWS": "arn:aws:iam::123456789012:root"}}),
        json!({"Resource": PRIVATE, "Principal": {"AWS": "830241207209"}}),
        json!({"Resource": PRIVATE, "Principal": {"AWS": "arn:aws:iam::830241207209:root"}}),
    ] {
        let checks = denying(true, &meant);
        assert_eq!(failures(&checks), [""; 0], "{meant}: {checks:#?}");
        assert!(given(&checks, "whole").contains("statement `Out`"), "{checks:#?}");
    }
}

#[test]
fn what_is_known_of_wandbs_requests_is_not_called_unknown() {
    let wandb = json!({"AWS": "arn:aws:iam::830241207209:root"});
    for condition in [
        json!({"StringEquals": {"s3:authType": "REST-QUERY-STRING"}}),
        json!({"StringLike": {"aws:UserAgent": "*"}}),
        json!({"Null": {"aws:UserAgent": "false"}}),
        json!({"StringLike": {"aws:userid": "*"}}),
        json!({"NumericGreaterThanEquals": {"s3:signatureAge": "0"}}),
        json!({"NumericGreaterThanEquals": {"s3:signatureAge": "0"}, "StringLike": {"aws:UserAgent": "*"}}),
        json!({"IpAddress": {"aws:SourceIp": ["0.0.0.0/0", "::/0"]}}),
    ] {
        let checks = denying(true, &json!({"Principal": wandb, "Condition": condition}));
        assert_eq!(failures(&checks), ["whole"], "{condition}: {checks:#?}");
    }
    // Lists are never signed in a URL.
    let lists = json!({"Action": "s3:ListBucket", "Resource": "arn:aws:s3:::acme-wandb-vision",
        "Condition": {"StringEquals": {"s3:authType": "REST-QUERY-STRING"}}});
    assert_eq!(given(&denying(true, &lists), "whole"), "over TLS 1.3");
    // Whether a payload is signed nobody here knows.
    let unsigned = json!({"Condition": {"StringEquals": {"s3:x-amz-content-sha256": "UNSIGNED-PAYLOAD"}}});
    assert!(why(&denying(true, &unsigned), "whole").starts_with("statement `Out` hangs"));
    // A rule about tags whose grace is over: W&B's uploads have none.
    let over = json!({"Action": "s3:PutObject", "Condition": {"DateGreaterThan": {"aws:CurrentTime": "2026-01-01T00:00:00Z"},
        "Null": {"s3:RequestObjectTag/owner": "true"}}});
    assert_eq!(failures(&denying(true, &over)), ["whole"]);
    let tagged = json!({"Action": "s3:PutObject", "Condition": {"StringEquals": {"s3:RequestObjectTag/owner": "bob"}}});
    assert_eq!(failures(&denying(true, &tagged)), [""; 0]);
    // Nobody at W&B is a user of the customer's, or of W&B's own account, as far as is known.
    let user = json!({"Condition": {"StringEquals": {"aws:username": "bob"}}});
    assert!(why(&denying(true, &user), "whole").starts_with("statement `Out` hangs"));
    // The one that matters is told, not the first.
    let keep = EXAMPLE.replace("tls_only = true", "tls_only = true\nforeign_statements = \"keep\"");
    let one = |sid: &str, who: &str| {
        json!({"Sid": sid, "Effect": "Deny", "Principal": {"AWS": who}, "Action": "s3:*",
            "Resource": "arn:aws:s3:::acme-wandb-vision/*",
            "Condition": {"StringEquals": {"aws:PrincipalTag/env": "prod"}}})
    };
    let checks = after(&keep, |all| {
        all.insert(0, one("Harmless", "arn:aws:iam::123456789012:role/other"));
        all.push(one("Matters", "arn:aws:iam::830241207209:root"));
    });
    assert!(why(&checks, "whole").starts_with("statement `Matters` hangs"), "{checks:#?}");
}

/// What S3 says to KMS of W&B is known: whose it is, for what, in which region, of whose key.
#[test]
fn a_deny_of_a_key_goes_by_what_s3_says_of_wandb() {
    let with = |arn: &str, condition: &Value| {
        let theirs = EXAMPLE.replace("key = \"key.vision\"", &format!("key = \"{arn}\""));
        let policy = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::830241207209:root"},
                "Action": ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"],
                "Resource": "*"},
            {"Sid": "Out", "Effect": "Deny", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*",
                "Condition": condition},
        ]});
        let document = Document::from_value(&policy).unwrap();
        verify(
            &theirs,
            "vision",
            |live| {
                let Some(LiveKey::Exists(mut key)) = live.keys.values().next().cloned() else {
                    panic!("no key")
                };
                key.arn = arn.to_owned();
                let aspect = LiveAspect::Present(Attributes::Policy(Policy { document: document.clone() }));
                key.aspects.insert(Kind::KeyPolicy, aspect);
                live.keys.insert(arn.to_owned(), LiveKey::Exists(key));
            },
            |_| {},
        )
    };
    let arn = "arn:aws:kms:eu-west-1:999988887777:key/0000-0009";
    for spares in [
        json!({"StringNotEquals": {"aws:RequestedRegion": "eu-west-1"}}),
        json!({"StringNotEquals": {"aws:ResourceAccount": "999988887777"}}),
        json!({"StringNotEquals": {"kms:CallerAccount": ["830241207209", "999988887777"]}}),
        json!({"ForAnyValue:StringNotEquals": {"kms:EncryptionContextKeys": "aws:s3:arn"}}),
        json!({"Bool": {"aws:ViaAWSService": "false"}}),
    ] {
        let checks = with(arn, &spares);
        assert_eq!(failures(&checks), [""; 0], "{spares}: {checks:#?}");
        assert_eq!(given(&checks, "key-whole"), "", "{spares}");
    }
    for hits in [
        json!({"StringNotEquals": {"aws:RequestedRegion": "us-east-1"}}),
        json!({"StringNotEquals": {"aws:ResourceAccount": "123456789012"}}),
        json!({"StringEquals": {"kms:CallerAccount": "830241207209"}}),
        json!({"ForAnyValue:StringEquals": {"kms:EncryptionContextKeys": "aws:s3:arn"}}),
        json!({"Bool": {"aws:ViaAWSService": "true"}}),
    ] {
        let checks = with(arn, &hits);
        assert_eq!(failures(&checks), ["kms:Decrypt"], "{hits}: {checks:#?}");
    }
}

/// The owner of a key lets the whole account in, or asks for what S3 says of it.
#[test]
fn a_key_that_others_manage_may_ask_for_what_wandb_brings() {
    let arn = "arn:aws:kms:eu-west-1:123456789012:key/0000-0009";
    let foreign = EXAMPLE
        .replace("key = \"key.vision\"", &format!("key = \"{arn}\""))
        .replace("\"dedicated-cloud\"", "\"multi-tenant-cloud\"");
    let with = |condition: Value| {
        let mut statement = json!({"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::725579432336:root"},
            "Action": ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"],
            "Resource": "*"});
        if !condition.is_null() {
            statement["Condition"] = condition;
        }
        let document =
            Document::from_value(&json!({"Version": "2012-10-17", "Statement": [statement]})).unwrap();
        let checks = verify(
            &foreign,
            "vision",
            |live| {
                let Some(LiveKey::Exists(key)) = live.keys.values().next().cloned() else { panic!("no key") };
                let mut key = key;
                key.arn = arn.to_owned();
                key.aspects.insert(
                    Kind::KeyPolicy,
                    LiveAspect::Present(Attributes::Policy(Policy { document: document.clone() })),
                );
                live.keys.insert(arn.to_owned(), LiveKey::Exists(key));
            },
            |_| {},
        );
        failures(&checks).iter().map(|id| (*id).to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(with(Value::Null), [""; 0]);
    assert_eq!(with(json!({"StringEquals": {"kms:CallerAccount": "725579432336"}})), [""; 0]);
    assert!(
        with(json!({"StringEquals": {"kms:CallerAccount": "999999999999"}}))
            .contains(&"kms:Decrypt".to_owned())
    );
}

/// The default encryption is asked of AWS, not only of an object: nothing may be written everywhere.
#[test]
fn another_default_encryption_fails_where_nothing_may_be_written_too() {
    let locked = EXAMPLE
        .replace("tls_only = true", "tls_only = true\nobject_lock = { mode = \"governance\", days = 3 }");
    let foreign = "arn:aws:kms:eu-west-1:999999999999:key/0000-0001";
    let checks = verify(
        &locked,
        "vision",
        |live| {
            let aspects = &mut facts(live, VISION).aspects;
            let Some(LiveAspect::Present(Attributes::Encryption(encryption))) =
                aspects.get_mut(&Kind::Encryption)
            else {
                panic!("no encryption")
            };
            encryption.kms_key = Some(byob_model::kind::KeyRef::Arn(foreign.to_owned()));
        },
        |_| {},
    );
    assert_eq!(failures(&checks), ["default-encryption"]);
    assert!(seen(&checks, "default-encryption").contains(foreign));
    assert!(!checks.iter().any(|check| check.id == "encryption"), "an object was written: {checks:#?}");
}

#[test]
fn what_cannot_be_proved_is_no_yes() {
    let account = json!({"AWS": "arn:aws:iam::999988887777:root"});
    let cases = [
        json!({"Sid": "Open", "Effect": "Allow", "Principal": account, "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:::acme-wandb-vision/${aws:PrincipalTag/team}/*"}),
        json!({"Sid": "Open", "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:::acme-wandb-vision/${aws:userid}"}),
        json!({"Sid": "Open", "Effect": "Allow", "Principal": account, "Action": "s3:*",
            "Resource": "arn:aws:s3:::acme-wandb-vision/*",
            "Condition": {"StringEquals": {"aws:PrincipalTag/team": "${s3:ExistingObjectTag/team}"}}}),
    ];
    for statement in cases {
        let checks = after(EXAMPLE, |all| all.push(statement.clone()));
        assert!(failures(&checks).contains(&"nobody-else"), "{statement}: {checks:#?}");
    }
}

#[test]
fn acls_that_count_where_byob_toml_switches_them_off_are_told() {
    let acls = vision(
        |live| {
            let aspects = &mut facts(live, VISION).aspects;
            aspects.insert(Kind::PublicAccessBlock, LiveAspect::Absent);
            let ownership = Ownership { object_ownership: "ObjectWriter".to_owned() };
            aspects.insert(Kind::Ownership, LiveAspect::Present(Attributes::Ownership(ownership)));
        },
        |_| {},
    );
    assert_eq!(failures(&acls), ["not-public"]);
    assert!(seen(&acls, "not-public").starts_with("ACLs count on this bucket (ObjectWriter)"));
    // The block ignores public grants, and none that names an account.
    let ignored = vision(
        |live| {
            let ownership = Ownership { object_ownership: "BucketOwnerPreferred".to_owned() };
            let aspect = LiveAspect::Present(Attributes::Ownership(ownership));
            facts(live, VISION).aspects.insert(Kind::Ownership, aspect);
        },
        |_| {},
    );
    assert_eq!(failures(&ignored), ["not-public"]);
}

#[test]
fn other_teams_statements_that_stay_are_told_and_no_failure() {
    let keep = EXAMPLE.replace("tls_only = true", "tls_only = true\nforeign_statements = \"keep\"");
    let checks = verify(
        &keep,
        "vision",
        |live| {
            repolicy(&mut facts(live, VISION).aspects, Kind::BucketPolicy, |policy| {
                policy["Statement"].as_array_mut().unwrap().push(json!({"Sid": "Vendor", "Effect": "Allow",
                    "Principal": {"AWS": "arn:aws:iam::999988887777:root"}, "Action": "s3:GetObject",
                    "Resource": "arn:aws:s3:::acme-wandb-vision/*"}));
            });
        },
        |_| {},
    );
    assert_eq!(failures(&checks), [""; 0]);
    assert!(why(&checks, "nobody-else").ends_with("they let in account 999988887777"));

    // One that names whom a statement of byob.toml names too is another team's all the same.
    let keep = keep.replace(
        "foreign_statements",
        "extra_statements = [{ Sid = \"ByobExtraOrg\", Effect = \"Allow\", Principal = \"*\", Action = \"s3:GetObject\", \
         Resource = \"arn:aws:s3:::acme-wandb-vision/pub/*\", Condition = { StringEquals = { \"aws:PrincipalOrgID\" = \"o-aaaaaaaaaa\" } } }]\n\
         foreign_statements",
    );
    let checks = verify(
        &keep,
        "vision",
        |live| {
            repolicy(&mut facts(live, VISION).aspects, Kind::BucketPolicy, |policy| {
                policy["Statement"].as_array_mut().unwrap().push(json!({"Sid": "Theirs", "Effect": "Allow",
                    "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::acme-wandb-vision/*",
                    "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-bbbbbbbbbb"}}}));
            });
        },
        |_| {},
    );
    assert!(why(&checks, "nobody-else").contains("they let in "), "{checks:#?}");
}

#[test]
fn each_missing_action_of_the_key_fails_its_own_check() {
    for action in KEY_USE_ACTIONS {
        let checks = vision(
            |live| {
                let Some(LiveKey::Exists(key)) = live.keys.values_mut().next() else { panic!("no key") };
                repolicy(&mut key.aspects, Kind::KeyPolicy, |policy| {
                    statements(policy, "WandbAccountAccess", |statement| {
                        let actions = statement["Action"].as_array().unwrap();
                        let rest: Vec<Value> =
                            actions.iter().filter(|one| **one != action).cloned().collect();
                        statement["Action"] = Value::Array(rest);
                    });
                });
            },
            |_| {},
        );
        assert_eq!(failures(&checks), [action]);
    }
}

#[test]
fn a_key_policy_may_ask_for_what_s3_names_to_kms() {
    let on = |arn: &str| {
        let checks = vision(
            |live| {
                let Some(LiveKey::Exists(key)) = live.keys.values_mut().next() else { panic!("no key") };
                repolicy(&mut key.aspects, Kind::KeyPolicy, |policy| {
                    statements(policy, "WandbAccountAccess", |statement| {
                        statement["Condition"] =
                            json!({"StringEqualsIfExists": {"kms:EncryptionContext:aws:s3:arn": arn}});
                    });
                });
            },
            |_| {},
        );
        failures(&checks).len()
    };
    assert_eq!(on("arn:aws:s3:::acme-wandb-vision"), 0, "the bucket itself, under a bucket key");
    assert_eq!(on("arn:aws:s3:::acme-other"), 4, "kms:Describe* has no context");
}

#[test]
fn a_key_policy_without_the_principal_fails_all_five() {
    let checks = vision(
        |live| {
            let Some(LiveKey::Exists(key)) = live.keys.values_mut().next() else { panic!("no key") };
            repolicy(&mut key.aspects, Kind::KeyPolicy, |policy| {
                policy["Statement"].as_array_mut().unwrap().retain(|one| one["Sid"] != "WandbAccountAccess");
            });
        },
        |_| {},
    );
    let failures = failures(&checks);
    assert_eq!(failures.len(), 5, "{failures:?}");
    assert!(failures.iter().all(|id| id.starts_with("kms:")));
    assert!(find(&checks, failures[0]).proves.contains("key.vision"));
}

#[test]
fn a_key_that_is_gone_or_that_nobody_may_look_at_is_told() {
    let gone = vision(|live| live.aliases.values_mut().for_each(|arn| *arn = None), |_| {});
    assert!(seen(&gone, "key").contains("no key has the alias"));
    // Where aliases may not be listed and nothing is recorded.
    let unlisted = vision(|live| live.aliases.clear(), |_| {});
    assert!(failures(&unlisted).contains(&"key"));
    let hidden = vision(|live| live.keys.values_mut().for_each(|key| *key = LiveKey::Forbidden), |_| {});
    assert_eq!(failures(&hidden), ["key"]);
    assert!(seen(&hidden, "key").contains("may not look at the key"));
    let half = vision(
        |live| {
            let Some(LiveKey::Exists(key)) = live.keys.values_mut().next() else { panic!("no key") };
            key.aspects.insert(Kind::KeyPolicy, LiveAspect::Refused);
        },
        |_| {},
    );
    assert_eq!(failures(&half), ["key-policy"]);
    // Nobody can read the policy of another account's key.
    let arn = "arn:aws:kms:eu-west-1:999988887777:key/0af0ea25-1111-4444-8888-d3b07384d113";
    let foreign = EXAMPLE.replace("key = \"key.vision\"", &format!("key = \"{arn}\""));
    assert_ne!(foreign, EXAMPLE);
    let hidden = verify(
        &foreign,
        "vision",
        |live| {
            live.keys.insert(arn.to_owned(), LiveKey::Forbidden);
        },
        |bucket| bucket.encrypted.key = Some(arn.to_owned()),
    );
    assert_eq!(failures(&hidden), [""; 0]);
    assert!(why(&hidden, "key").contains("as is usual for a key of another account"));
}

#[test]
fn cors_without_put_fails_and_so_do_a_hidden_etag_and_a_foreign_origin() {
    let without_put =
        vision(|_| {}, |bucket| bucket.cors[0].allowed_methods.retain(|method| method != "PUT"));
    assert_eq!(failures(&without_put), ["cors https://acme.wandb.io"]);
    assert!(seen(&without_put, "cors https://acme.wandb.io").contains("PUT: "), "{without_put:#?}");
    let hidden = vision(|_| {}, |bucket| bucket.cors[0].expose_headers.clear());
    assert_eq!(failures(&hidden), ["cors etag"]);
    let foreign =
        vision(|_| {}, |bucket| bucket.cors[0].allowed_origins = std::iter::once("*".to_owned()).collect());
    assert_eq!(failures(&foreign), ["cors foreign"]);
    let gone = vision(|_| {}, |bucket| bucket.cors.clear());
    assert_eq!(failures(&gone), ["cors etag", "cors https://acme.wandb.io"]);
    let storage = verify(EXAMPLE, "storage", |_| {}, |_| {});
    assert!(why(&storage, "cors foreign").contains("lets every origin in"));
}

#[test]
fn encryption_that_was_changed_fails_by_the_objects_headers() {
    for (found, told) in [
        (Encrypted { algorithm: Some("AES256".to_owned()), ..Encrypted::default() }, "headers say AES256"),
        (
            Encrypted {
                algorithm: Some("aws:kms".to_owned()),
                key: Some("arn:aws:kms:eu-west-1:123456789012:key/other".to_owned()),
                bucket_key: true,
            },
            "key/other",
        ),
    ] {
        let checks = vision(|_| {}, |bucket| bucket.encrypted = found);
        assert_eq!(failures(&checks), ["encryption"]);
        assert!(seen(&checks, "encryption").contains(told), "{checks:#?}");
    }
    let no_bucket_key = vision(|_| {}, |bucket| bucket.encrypted.bucket_key = false);
    assert_eq!(failures(&no_bucket_key), ["encryption"]);
}

#[test]
fn the_wrong_region_fails_and_names_the_right_one() {
    let checks = vision(|live| facts(live, VISION).region = "eu-central-1".to_owned(), |_| {});
    assert_eq!(failures(&checks), ["region"]);
    assert_eq!(seen(&checks, "region"), "the bucket stands in eu-central-1, and W&B would be told eu-west-1");
}

#[test]
fn a_bucket_that_is_not_there_is_the_one_thing_that_is_said() {
    let desired = wants(EXAMPLE);
    let mut live = world(&desired);
    live.buckets.insert(VISION.to_owned(), LiveBucket::Absent);
    let all = subjects(&desired, &live, &Recorded::default());
    let subject = all.iter().find(|subject| subject.address.label == "vision").unwrap();
    let checks = judge(subject);
    assert_eq!(checks.len(), 1);
    assert_eq!(seen(&checks, "exists"), "there is no bucket `acme-wandb-vision`");
}

#[test]
fn a_request_that_is_refused_fails_and_what_depends_on_it_is_not_looked_at() {
    let checks = vision(|_| {}, |bucket| bucket.denied = vec!["PutObject"]);
    assert_eq!(failures(&checks), ["put", "multipart", "signed-put"]);
    for id in ["head", "encryption", "get", "list", "signed-get", "plain-http", "delete"] {
        assert_eq!(why(&checks, id), "nothing could be written");
    }
    let unlisted = vision(|_| {}, |bucket| bucket.denied = vec!["ListBucket"]);
    assert_eq!(failures(&unlisted), ["list"]);
    assert!(
        matches!(&find(&unlisted, "list").outcome, Outcome::Failed { cure, .. } if cure.contains("s3:ListBucket"))
    );
}

#[test]
fn the_folder_lies_below_the_path() {
    let text = EXAMPLE.replace("versioning = \"enabled\"", "versioning = \"enabled\"\npath = \"teams/a\"");
    let desired = wants(&text);
    let live = world(&desired);
    let all = subjects(&desired, &live, &Recorded::default());
    let subject = all.iter().find(|subject| subject.address.label == "vision").unwrap();
    let bucket = Bucket { denied: vec!["DeleteObjectVersion"], ..Bucket::of(subject) };
    let proved = run(subject, &bucket, &|| false);
    assert!(bucket.objects.borrow().keys().all(|key| key.starts_with("teams/a/.byob-verify/run/")));
    // Three versions and the marker of the delete.
    assert_eq!(proved.left.len(), 4, "{:?}", proved.left);
    assert_eq!(
        proved.left[0].removed_by,
        "aws s3api delete-object --region eu-west-1 --bucket acme-wandb-vision --key \
         teams/a/.byob-verify/run/multipart --version-id v3"
    );
    assert!(proved.checks.iter().any(|check| check.id == "clean" && failed(check)));
}

/// With an interrupt before each request, with each answer lost, and with each operation denied.
#[test]
fn nothing_stays_behind_whatever_happens() {
    let desired = wants(EXAMPLE);
    let live = world(&desired);
    let all = subjects(&desired, &live, &Recorded::default());
    for subject in &all {
        for versioned in [true, false] {
            let fresh = || Bucket { versioned, ..Bucket::of(subject) };
            let mut interrupted = 0;
            for requests in 0.. {
                let bucket = fresh();
                let proved = run(subject, &bucket, &|| bucket.requests.get() >= requests);
                assert!(bucket.is_empty(), "interrupted after {requests}");
                if !proved.interrupted {
                    break;
                }
                interrupted += 1;
            }
            assert!(interrupted > 10, "{interrupted}");
            for lost in 0..30 {
                let bucket = Bucket { loses: Some(lost), ..fresh() };
                let proved = run(subject, &bucket, &|| false);
                assert!(bucket.is_empty() && proved.left.is_empty(), "answer {lost} lost: {:?}", proved.left);
            }
            for denied in
                ["PutObject", "UploadPart", "GetObject", "ListBucket", "DeleteObject", "ListBucketVersions"]
            {
                if denied == "DeleteObject" && !versioned {
                    continue;
                }
                let bucket = Bucket { denied: vec![denied], ..fresh() };
                run(subject, &bucket, &|| false);
                assert!(bucket.is_empty(), "{denied} denied, versioned {versioned}");
            }
        }
    }
}

#[test]
fn what_the_role_may_not_remove_the_caller_removes() {
    let desired = wants(EXAMPLE);
    let live = world(&desired);
    let all = subjects(&desired, &live, &Recorded::default());
    let subject = all.iter().find(|subject| subject.address.label == "vision").unwrap();
    let caller = Bucket::of(subject);
    // W&B's own rights: the same bucket through other hands.
    let role = Bucket {
        denied: vec!["DeleteObjectVersion"],
        objects: Rc::clone(&caller.objects),
        uploads: Rc::clone(&caller.uploads),
        ..Bucket::of(subject)
    };
    let name = "arn:aws:iam::123456789012:role/wandb";
    let proved = now(prove(subject, (&role, Some(name)), &caller, "run", &|| false));
    assert!(caller.is_empty() && proved.left.is_empty(), "{:?}", proved.left);
    let put = proved.checks.iter().find(|check| check.id == "put").unwrap();
    assert!(put.proves.starts_with("arn:aws:iam::123456789012:role/wandb can write"));
}

#[test]
fn into_a_reference_bucket_nothing_is_written() {
    let text = "version = 1\n[aws]\nregion = \"us-east-1\"\n[wandb]\ndeployment = \"multi-tenant-cloud\"\n\
                [bucket.media]\nname = \"acme-media\"\npurpose = \"reference\"\n";
    let checks = verify(text, "media", |_| {}, |bucket| bucket.denied = vec!["PutObject"]);
    assert_eq!(failures(&checks), [""; 0], "{checks:#?}");
    assert!(why(&checks, "requests").contains("byob writes nothing into it"));
    let policy: Vec<&str> = checks.iter().map(|c| c.id.as_str()).filter(|id| id.starts_with("s3:")).collect();
    assert_eq!(policy, ["s3:GetObject"]);
    assert!(checks.iter().any(|check| check.id == "cors https://wandb.ai"));
}

#[test]
fn under_a_default_retention_nothing_is_written_that_could_not_be_removed() {
    let lock = ObjectLock { mode: Some(RetentionMode::Compliance), days: Some(1), years: None };
    let checks = vision(
        |live| {
            let aspect = LiveAspect::Present(Attributes::ObjectLock(lock));
            facts(live, VISION).aspects.insert(Kind::ObjectLock, aspect);
        },
        |bucket| bucket.denied = vec!["PutObject"],
    );
    assert_eq!(failures(&checks), [""; 0], "{checks:#?}");
    assert!(why(&checks, "requests").contains("object lock"));
}

#[test]
fn where_wandb_is_taken_out_it_has_to_be_out() {
    let text = EXAMPLE.replace("tls_only = true", "tls_only = true\nwandb_access = false");
    let checks = verify(&text, "vision", |_| {}, |bucket| bucket.denied = vec!["PutObject"]);
    assert_eq!(failures(&checks), [""; 0], "{checks:#?}");
    let stays = verify(
        &text,
        "vision",
        |live| {
            let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
                "Principal": {"AWS": "arn:aws:iam::830241207209:root"}, "Action": "s3:GetObject",
                "Resource": "arn:aws:s3:::acme-wandb-vision/*"}]});
            let document = Document::from_value(&policy).unwrap();
            let aspect = LiveAspect::Present(Attributes::Policy(Policy { document }));
            facts(live, VISION).aspects.insert(Kind::BucketPolicy, aspect);
        },
        |_| {},
    );
    assert_eq!(failures(&stays), ["taken-out", "nobody-else", "guards"]);
}

#[test]
fn a_network_restriction_is_judged_by_wandbs_addresses_or_said_to_be_given() {
    let restricted = EXAMPLE.replace("tls_only = true", "allowed_source_ips = [\"198.51.100.0/24\"]");
    let unknown = verify(&restricted, "vision", |_| {}, |_| {});
    let Outcome::Passed { given: Some(given) } = &find(&unknown, "s3:GetObject*").outcome else {
        panic!("{unknown:#?}")
    };
    assert!(given.contains("W&B's own are not known"), "{given}");
    let known = restricted.replace("[state]", "egress = [\"192.0.2.0/24\"]\n[state]");
    assert_eq!(failures(&verify(&known, "vision", |_| {}, |_| {})), [""; 0]);
    for config in [&restricted, &known] {
        let whole = verify(config, "vision", |_| {}, |_| {});
        assert!(matches!(find(&whole, "whole").outcome, Outcome::Passed { .. }), "{whole:#?}");
    }
    // Somebody narrowed the live one.
    let narrowed = verify(
        &known,
        "vision",
        |live| {
            repolicy(&mut facts(live, VISION).aspects, Kind::BucketPolicy, |policy| {
                statements(policy, "ByobNetwork", |one| {
                    one["Condition"]["NotIpAddressIfExists"]["aws:SourceIp"] = json!("198.51.100.0/24");
                });
            });
        },
        |_| {},
    );
    assert!(seen(&narrowed, "s3:PutObject").contains("from 192.0.2.0: statement `ByobNetwork` denies it"));
}

#[test]
fn plain_http_is_judged_by_the_statements_about_tls_alone() {
    let restricted =
        EXAMPLE.replace("tls_only = true", "tls_only = true\nallowed_source_ips = [\"203.0.113.0/24\"]");
    assert_eq!(
        find(&verify(&restricted, "vision", |_| {}, |_| {}), "plain-http").outcome,
        Outcome::Passed { given: None }
    );
    let region = EXAMPLE.replace(
        "tls_only = true",
        "extra_statements = [{ Sid = \"R\", Effect = \"Deny\", Principal = \"*\", Action = \"s3:*\", \
         Resource = \"arn:aws:s3:::acme-wandb-vision/*\", Condition = { StringNotEquals = { \"aws:RequestedRegion\" = \"eu-west-1\" } } }]",
    );
    let checks = verify(&region, "vision", |_| {}, |bucket| bucket.tls_only = false);
    assert_eq!(failures(&checks), [""; 0], "{checks:#?}");
    assert!(!checks.iter().any(|check| check.id == "plain-http"));
}

#[test]
fn plain_http_is_not_judged_where_there_is_no_tls_at_all() {
    let checks = vision(|_| {}, |bucket| bucket.tls = false);
    assert!(why(&checks, "plain-http").contains("plain HTTP alone"));
}
