//! The policies that W&B asks for: in each spelling that AWS may return they are equal, and with one element changed
//! they are not.
//!
//! Source: `wandb-byob.md` (W&B's documentation and its Terraform module).

use byob_policy::{
    ActionElement, Document, Effect, Partition, PrincipalElement, Principals, Publicity, ResourceElement,
    is_public,
};

use crate::spelling::{Choices, respelled};

const STORAGE: &str = r#"{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "WandbAccountAccess",
      "Effect": "Allow",
      "Principal": {"AWS": "arn:aws:iam::830241207209:root"},
      "Action": [
        "s3:GetObject*", "s3:GetEncryptionConfiguration", "s3:ListBucket", "s3:ListBucketMultipartUploads",
        "s3:ListBucketVersions", "s3:AbortMultipartUpload", "s3:DeleteObject", "s3:PutObject", "s3:GetBucketCORS",
        "s3:GetBucketLocation", "s3:GetBucketVersioning"
      ],
      "Resource": ["arn:aws:s3:::acme-file-storage", "arn:aws:s3:::acme-file-storage/*"]
    },
    {
      "Sid": "DenyHTTPRequests",
      "Effect": "Deny",
      "Principal": "*",
      "Action": "s3:*",
      "Resource": ["arn:aws:s3:::acme-file-storage", "arn:aws:s3:::acme-file-storage/*"],
      "Condition": {"Bool": {"aws:SecureTransport": "false"}}
    }
  ]
}"#;

const KEY: &str = r#"{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "Internal",
      "Effect": "Allow",
      "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
      "Action": "kms:*",
      "Resource": "*"
    },
    {
      "Sid": "External",
      "Effect": "Allow",
      "Principal": {"AWS": "arn:aws:iam::725579432336:role/WandbIntegration"},
      "Action": ["kms:Decrypt", "kms:Describe*", "kms:Encrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*"],
      "Resource": "*"
    }
  ]
}"#;

const REFERENCE: &str = r#"{
  "Version": "2012-10-17",
  "Statement": {
    "Sid": "WandbReference",
    "Effect": "Allow",
    "Principal": {"AWS": "arn:aws:iam::725579432336:role/WandbIntegration"},
    "Action": "s3:GetObject",
    "Resource": "arn:aws:s3:::acme-media/*"
  }
}"#;

fn policies() -> [Document; 3] {
    [STORAGE, KEY, REFERENCE].map(|text| Document::parse(text).expect("a policy"))
}

/// Spellings by hand, of the kinds of which AWS's pages and its users tell; then a hundred by chance.
fn spellings(document: &Document) -> Vec<Document> {
    let text = document.to_json();
    let mut texts = vec![
        text.clone(),
        text.replace("arn:aws:iam::830241207209:root", "830241207209"),
        text.replace("arn:aws:iam::123456789012:root", "123456789012"),
        text.replace("\"Principal\":\"*\"", "\"Principal\":{\"AWS\":\"*\"}"),
        text.replace("\"Principal\":\"*\"", "\"Principal\":{\"AWS\":[\"*\"]}"),
        text.replace("\"Version\":\"2012-10-17\"", "\"Version\":\"2012-10-17\",\"Id\":\"\""),
        text.replace("\"false\"", "false"),
        text.replace("\"false\"", "[\"false\"]"),
        text.replace("aws:SecureTransport", "aws:securetransport"),
        text.replace("s3:GetBucketCORS", "s3:GetBucketCors"),
        serde_json::to_string_pretty(&document.to_value()).expect("JSON"),
    ];
    texts.extend((0..100).map(|seed| respelled(document, &mut Choices(seed))));
    let mut all: Vec<Document> = texts.iter().map(|text| Document::parse(text).expect(text)).collect();
    let mut nameless = document.clone();
    nameless.statements.iter_mut().for_each(|one| one.sid = Some(String::new()));
    all.push(nameless);
    let mut turned = document.clone();
    turned.statements.reverse();
    all.push(turned);
    all
}

/// Every document with one element changed, each with a word for the change.
fn mutations(document: &Document) -> Vec<(String, Document)> {
    let mut all = Vec::new();
    let mut put = |word: String, change: &dyn Fn(&mut Document)| {
        let mut other = document.clone();
        change(&mut other);
        all.push((word, other));
    };
    for (index, one) in document.statements.iter().enumerate() {
        put(format!("statement {index} gone"), &|other| drop(other.statements.remove(index)));
        put(format!("statement {index} flipped"), &|other| {
            other.statements[index].effect =
                if one.effect == Effect::Allow { Effect::Deny } else { Effect::Allow };
        });
        let actions = one.action.actions();
        put("NotAction".to_owned(), &|other| {
            other.statements[index].action = ActionElement::Not(actions.to_vec());
        });
        for at in 0..actions.len() {
            let put_actions = |change: &dyn Fn(&mut Vec<String>)| {
                let mut actions = actions.to_vec();
                change(&mut actions);
                ActionElement::Is(actions)
            };
            if actions.len() > 1 {
                let fewer = put_actions(&|actions| drop(actions.remove(at)));
                put(format!("without {}", actions[at]), &|other| {
                    other.statements[index].action = fewer.clone();
                });
            }
            let wider = put_actions(&|actions| actions[at].push('*'));
            put(format!("{} wider", actions[at]), &|other| other.statements[index].action = wider.clone());
        }
        for extra in ["s3:PutBucketPolicy", "s3:*Object", "*", "kms:CreateGrant"] {
            let more = ActionElement::Is(actions.iter().cloned().chain([extra.to_owned()]).collect());
            put(format!("and {extra}"), &|other| other.statements[index].action = more.clone());
        }
        let resources = one.resource.as_ref().expect("a resource").resources();
        put("NotResource".to_owned(), &|other| {
            other.statements[index].resource = Some(ResourceElement::Not(resources.to_vec()));
        });
        for at in 0..resources.len() {
            let mut changed = resources.to_vec();
            changed[at].push('x');
            put(format!("{} changed", resources[at]), &|other| {
                other.statements[index].resource = Some(ResourceElement::Is(changed.clone()));
            });
            if resources.len() > 1 {
                let mut fewer = resources.to_vec();
                fewer.remove(at);
                put(format!("without {}", resources[at]), &|other| {
                    other.statements[index].resource = Some(ResourceElement::Is(fewer.clone()));
                });
            }
        }
        let more: Vec<String> = resources.iter().cloned().chain(["arn:aws:s3:::other".to_owned()]).collect();
        put("and one resource".to_owned(), &|other| {
            other.statements[index].resource = Some(ResourceElement::Is(more.clone()));
        });
        let who = one.principal.as_ref().expect("a principal").principals();
        put("NotPrincipal".to_owned(), &|other| {
            other.statements[index].principal = Some(PrincipalElement::Not(who.clone()));
        });
        put("no principal".to_owned(), &|other| other.statements[index].principal = None);
        for principal in [
            "arn:aws:iam::830241207208:root",
            "830241207208",
            "arn:aws:iam::830241207209:role/root",
            "arn:aws:iam::725579432336:root",
            "725579432336",
            "arn:aws:iam::725579432336:role/wandbintegration",
            "arn:aws:sts::725579432336:assumed-role/WandbIntegration/s",
            "arn:aws-cn:iam::123456789012:root",
            "AROAEXAMPLEID",
        ] {
            put(format!("principal {principal}"), &|other| {
                other.statements[index].principal = Some(PrincipalElement::Is(Principals::aws([principal])));
            });
        }
        if !who.is_anyone() {
            put("anyone".to_owned(), &|other| {
                other.statements[index].principal = Some(PrincipalElement::Is(Principals::anyone()));
            });
            put("another type".to_owned(), &|other| {
                let values = who.0.values().flatten().cloned();
                other.statements[index].principal =
                    Some(PrincipalElement::Is(Principals::of("Service", values)));
            });
        }
        put("one principal more".to_owned(), &|other| {
            let values = who.0.values().flatten().cloned().chain(["111122223333".to_owned()]);
            other.statements[index].principal = Some(PrincipalElement::Is(Principals::aws(values)));
        });
        put("a condition more".to_owned(), &|other| {
            let key = ("aws:SourceVpce".to_owned(), vec!["vpce-1".to_owned()]);
            other.statements[index].condition.entry("StringEquals".to_owned()).or_default().extend([key]);
        });
        for (operator, keys) in &one.condition {
            put(format!("without {operator}"), &|other| {
                drop(other.statements[index].condition.remove(operator));
            });
            put(format!("{operator}IfExists"), &|other| {
                let keys = other.statements[index].condition.remove(operator).unwrap_or_default();
                other.statements[index].condition.insert(format!("{operator}IfExists"), keys);
            });
            for key in keys.keys() {
                for values in [vec![], vec!["true".to_owned()], vec!["true".to_owned(), "false".to_owned()]] {
                    put(format!("{key} is {values:?}"), &|other| {
                        let condition = &mut other.statements[index].condition;
                        condition.entry(operator.clone()).or_default().insert(key.clone(), values.clone());
                    });
                }
                put(format!("not {key}"), &|other| {
                    let keys = other.statements[index].condition.entry(operator.clone()).or_default();
                    let values = keys.remove(key).unwrap_or_default();
                    keys.insert("aws:ViaAWSService".to_owned(), values);
                });
            }
        }
    }
    all
}

#[test]
fn each_spelling_that_aws_may_return_is_equal() {
    for document in policies() {
        for other in spellings(&document) {
            assert!(document.equals(&other), "{}", other.to_json());
            assert!(other.equals(&document), "{}", other.to_json());
        }
    }
}

#[test]
fn with_one_element_changed_no_spelling_is_equal() {
    let mut compared = 0;
    for document in policies() {
        let spellings = spellings(&document);
        for (word, other) in mutations(&document) {
            for spelling in &spellings {
                assert!(!other.equals(spelling), "{word}: {}", other.to_json());
                compared += 1;
            }
            for seed in 0..8 {
                let other = Document::parse(&respelled(&other, &mut Choices(seed))).expect("a policy");
                assert!(!other.equals(&document), "{word}: {}", other.to_json());
            }
        }
    }
    assert!(compared > 10_000, "{compared}");
}

#[test]
fn none_of_them_is_public_and_each_fits() {
    for document in policies() {
        assert_eq!(is_public(&document), Publicity::NotPublic);
        assert!(document.to_json().len() < byob_policy::BUCKET_POLICY_LIMIT);
    }
}

#[test]
fn in_another_partition_an_account_id_is_that_partitions_root() {
    let text = |principal: &str, partition: &str| {
        let text = STORAGE.replace("arn:aws:iam::830241207209:root", principal);
        Document::parse(&text.replace("arn:aws:", &format!("arn:{partition}:"))).expect("a policy")
    };
    let bare = text("830241207209", "aws-cn");
    assert!(bare.equals(&text("arn:aws-cn:iam::830241207209:root", "aws-cn")));
    assert!(!bare.equals(&text("830241207209", "aws")));
    // The key policy names no partition but by its principals.
    let key = |principal: &str| {
        let statement = serde_json::json!({"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "kms:*", "Resource": "*"});
        Document::from_value(&serde_json::json!({"Statement": statement})).expect("a policy")
    };
    assert!(key("123456789012").equals(&key("arn:aws:iam::123456789012:root")));
    assert!(!key("123456789012").equals(&key("arn:aws-us-gov:iam::123456789012:root")));
    let root = key("arn:aws-us-gov:iam::123456789012:root");
    assert!(key("123456789012").equals_in(&root, Partition::AwsUsGov));
}
