//! The rules about what a plan ends in: for each a configuration and a world in which it is found, and one nearby in
//! which it is not.

use std::collections::BTreeSet;

use byob_model::config::Deployment;
use byob_model::kind::{Policy, PublicAccessBlock, VersioningStatus};
use byob_plan::{Plan, Rule, Severity};
use byob_policy::Document;

use crate::scene::{Scene, steps};
use crate::world::{ACCOUNT, World, strange_key};

pub(crate) const PLAIN: &str = "[bucket.a]\nname = \"acme-a\"\n";
const REFERENCE: &str = "[bucket.a]\nname = \"acme-a\"\npurpose = \"reference\"\n";
pub(crate) const WANDB: &str = "arn:aws:iam::725579432336:role/WandbIntegration";
const KEYED: &str = "[bucket.a]\nname = \"acme-a\"\nencryption = { type = \"sse-kms\", key = \"key.k\" }\n\
                     [key.k]\nalias = \"k\"\n";
/// S3's own sense of public, and nothing that anybody means.
const ANYONE: &str = r#"{ Sid = "ByobExtraOpen", Effect = "Allow", Principal = "*", Action = "s3:GetObject", Resource = "arn:aws:s3:::acme-a/*" }"#;

/// A bucket with these fields beside its name.
pub(crate) fn plain(fields: &str) -> String {
    format!("{PLAIN}{fields}\n")
}

pub(crate) fn extra(statement: &str) -> String {
    plain(&format!("extra_statements = [{statement}]"))
}

/// A statement of ours in an `extra_statements`.
pub(crate) fn statement(effect: &str, principal: &str, action: &str, resource: &str, more: &str) -> String {
    format!(
        "{{ Sid = \"ByobExtra\", Effect = \"{effect}\", Principal = {principal}, Action = \"{action}\", \
         Resource = \"arn:aws:s3:::acme-a{resource}\"{more} }}"
    )
}

/// A policy with one statement, as somebody put it there by hand.
pub(crate) fn by_hand(statement: &str) -> Policy {
    let text = format!(r#"{{"Version":"2012-10-17","Statement":[{statement}]}}"#);
    Policy { document: Document::parse(&text).unwrap() }
}

fn found(plan: &Plan, rule: Rule) -> Vec<String> {
    plan.findings.iter().filter(|f| f.rule == rule).map(|f| f.address.to_string()).collect()
}

/// It is found there, once, as bad as its rule is, with words that are short and a way to mend it.
#[track_caller]
pub(crate) fn assert_found(plan: &Plan, rule: Rule, address: &str) {
    assert_eq!(found(plan, rule), [address], "{rule:?} among {:#?}", plan.findings);
    let finding = plan.findings.iter().find(|f| f.rule == rule).unwrap();
    assert_eq!(finding.severity, rule.severity());
    assert_eq!(finding.blocks(), rule.severity() == Severity::Error);
    assert!((rule.waivable() || rule == Rule::PublicRefused) && !finding.help.is_empty());
    assert!(!finding.message.is_empty() && finding.message.len() < 400, "{}", finding.message);
    assert!(!finding.message.ends_with('.') && !finding.help.ends_with('.'), "{finding:#?}");
}

#[track_caller]
pub(crate) fn assert_not_found(plan: &Plan, rule: Rule) {
    assert_eq!(found(plan, rule), Vec::<String>::new(), "{:#?}", plan.findings);
}

/// What stands in a configuration alone: found in the first, not in the second.
#[track_caller]
fn assert_rule(rule: Rule, address: &str, fires: &str, near_miss: &str) {
    assert_found(&Scene::new(fires).plan(), rule, address);
    assert_not_found(&Scene::new(near_miss).plan(), rule);
    // And so it stays once it is applied.
    assert_found(&Scene::applied(fires).plan(), rule, address);
    assert_not_found(&Scene::applied(near_miss).plan(), rule);
}

/// A world in which the bucket is imported as somebody made it.
pub(crate) fn imported(tables: &str, make: impl FnOnce(&mut World)) -> Scene {
    let mut scene = Scene::new(tables);
    scene.world.make_bucket("acme-a", "us-east-1");
    make(&mut scene.world);
    scene.import("bucket.a");
    scene
}

#[test]
fn the_defaults_give_notes_alone() {
    for tables in
        [PLAIN.to_owned(), KEYED.to_owned(), REFERENCE.to_owned(), plain("versioning = \"enabled\"")]
    {
        for plan in [Scene::new(&tables).plan(), Scene::applied(&tables).plan()] {
            let worse: Vec<_> = plan.findings.iter().filter(|f| f.severity != Severity::Note).collect();
            assert!(worse.is_empty(), "{worse:#?}\nof {tables}");
        }
    }
    let notes = |tables: &str| -> Vec<&'static str> {
        Scene::new(tables).plan().findings.iter().map(|f| f.rule.short()).collect()
    };
    let plain_notes = [
        "CORS allows any origin",
        "versioning is off",
        "unfinished uploads are kept",
        "TLS is not required",
        "old TLS is allowed",
    ];
    assert_eq!(notes(PLAIN), plain_notes);
    let tight = plain(
        "cors_origins = [\"https://wandb.ai\"]\ntls_only = true\nmin_tls_version = \"1.2\"\nversioning = \"enabled\"\n\
         noncurrent_expire_after_days = 30\nabort_incomplete_uploads_after_days = 7",
    );
    assert_eq!(notes(&tight), Vec::<&str>::new());
}

#[test]
fn findings_do_not_change_by_applying() {
    for tables in [PLAIN, KEYED, REFERENCE] {
        let all = |plan: &Plan| -> Vec<String> {
            plan.findings.iter().map(|f| format!("{} {}", f.rule.id(), f.address)).collect()
        };
        assert_eq!(all(&Scene::new(tables).plan()), all(&Scene::applied(tables).plan()), "{tables}");
    }
}

#[test]
fn a_bucket_that_is_public_in_the_end_is_an_error() {
    let open = extra(ANYONE) + "public_access_block = false\n";
    let narrowed =
        ANYONE.replace(" }", ", Condition = { StringEquals = { \"aws:PrincipalOrgID\" = \"o-1\" } } }");
    assert_rule(
        Rule::Public,
        "bucket.a.policy",
        &open,
        &(extra(&narrowed) + "public_access_block = false\n"),
    );
    let plan = Scene::new(&open).plan();
    let finding = plan.findings.iter().find(|f| f.rule == Rule::Public).unwrap();
    assert!(finding.message.contains("statement `ByobExtraOpen`"), "{finding:#?}");
    // Restricted, nobody else comes in; and no more W&B.
    let block = "public_access_block = { block_public_policy = false }\n";
    let restricted = Scene::new(&(extra(ANYONE) + block)).plan();
    assert_not_found(&restricted, Rule::Public);
    assert_found(&restricted, Rule::WandbLacksActions, "bucket.a.policy");
    assert_found(&restricted, Rule::WildcardPrincipal, "bucket.a.policy");
}

#[test]
fn a_public_policy_that_aws_will_refuse_is_said_before_it_does() {
    assert_rule_once(Rule::PublicRefused, &extra(ANYONE), &(extra(ANYONE) + "public_access_block = false\n"));
    let plan = Scene::new(&extra(ANYONE)).plan();
    let finding = plan.findings.iter().find(|f| f.rule == Rule::PublicRefused).unwrap();
    assert!(
        finding.message.contains("403") && finding.message.contains("`ByobExtraOpen`"),
        "{}",
        finding.message
    );
    assert!(
        finding.help.contains("block_public_policy = false") && !finding.help.contains("s3:"),
        "{}",
        finding.help
    );
    // One cause is told once.
    assert_not_found(&plan, Rule::Public);
    assert_not_found(&plan, Rule::WandbLacksActions);

    // Another team's statement that stays: the put is refused for it.
    let keep = plain("foreign_statements = \"keep\"");
    let theirs = |world: &mut World| {
        let text = r#"{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::acme-a/*"}"#;
        world.bucket("acme-a").policy = Some(by_hand(text));
        world.bucket("acme-a").block =
            Some(PublicAccessBlock { block_public_policy: false, ..PublicAccessBlock::ALL });
    };
    let scene = imported(&keep, theirs);
    let plan = scene.plan();
    assert_found(&plan, Rule::PublicRefused, "bucket.a.policy");
    let help = &plan.findings.iter().find(|f| f.rule == Rule::PublicRefused).unwrap().help;
    assert!(help.contains("another team's") && help.contains("foreign_statements = \"remove\""), "{help}");
    assert_not_found(
        &imported(&plain("foreign_statements = \"remove\""), theirs).plan(),
        Rule::PublicRefused,
    );
}

/// Found where the plan would write; once that is there (AWS would not have taken it) there is nothing to refuse.
#[track_caller]
fn assert_rule_once(rule: Rule, fires: &str, near_miss: &str) {
    assert_found(&Scene::new(fires).plan(), rule, "bucket.a.policy");
    assert_not_found(&Scene::new(near_miss).plan(), rule);
    assert_not_found(&Scene::applied(fires).plan(), rule);
}

#[test]
fn the_block_going_on_over_a_public_policy_that_stays_is_a_warning() {
    let open = extra(ANYONE) + "wandb_access = false\n";
    let scene = Scene::applied(&(open.clone() + "public_access_block = false\n"));
    let plan = scene.with(&open).plan();
    assert_eq!(steps(&plan), ["update bucket.a.public_access_block"]);
    assert_found(&plan, Rule::PublicBehindBlock, "bucket.a.public_access_block");
    assert_not_found(&plan, Rule::PublicRefused);
    // Nothing is public any more: nothing stays behind.
    assert_not_found(&scene.with(PLAIN).plan(), Rule::PublicBehindBlock);
}

#[test]
fn public_until_applied_is_a_warning_beside_its_drift() {
    let mut scene = Scene::applied(PLAIN);
    let mut open = scene.world.bucket("acme-a").policy.clone().unwrap();
    let text =
        r#"{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::acme-a/*"}"#;
    open.document.statements.extend(by_hand(text).document.statements);
    scene.world.bucket("acme-a").policy = Some(open);
    // Restricted, it is drift and no more.
    assert_not_found(&scene.plan(), Rule::PublicNow);
    scene.world.bucket("acme-a").block = None;
    let plan = scene.plan();
    assert_found(&plan, Rule::PublicNow, "bucket.a.policy");
    assert!(!plan.blocked(), "{:#?}", plan.findings);
}

#[test]
fn acls_that_count() {
    let object_writer = "object_ownership = \"ObjectWriter\"\n";
    let open = plain(&format!("{object_writer}public_access_block = false"));
    assert_rule(Rule::PublicAcls, "bucket.a.ownership", &open, &plain("public_access_block = false"));
    assert_rule(Rule::AclsOn, "bucket.a.ownership", &plain(object_writer), &open);
    assert_not_found(&Scene::new(PLAIN).plan(), Rule::AclsOn);
}

#[test]
fn a_new_bucket_is_judged_by_what_it_will_have_where_nobody_manages_it() {
    let unmanaged = plain("object_ownership = \"ObjectWriter\"\nunmanaged = [\"public_access_block\"]");
    let mut scene = Scene::new(&unmanaged);
    // AWS blocks public access to a new bucket; others may not, and the same plan must not be refused half-way.
    assert_not_found(&scene.plan(), Rule::PublicAcls);
    scene.endpoint = "storage.example:9000";
    assert!(scene.plan().findings.iter().any(|finding| finding.rule == Rule::PublicAcls));
}

#[test]
fn w_and_b_lacks_what_a_deny_takes_away() {
    let deny =
        |action: &str, resource: &str, more: &str| extra(&statement("Deny", "\"*\"", action, resource, more));
    let rule = Rule::WandbLacksActions;
    let address = "bucket.a.policy";
    assert_rule(rule, address, &deny("s3:PutObject", "/*", ""), &deny("s3:PutObjectAcl", "/*", ""));
    assert_rule(rule, address, &deny("s3:GetBucketVersioning", "", ""), &deny("s3:DeleteBucket", "", ""));
    // A part of the bucket is not what W&B works with, unless it is the part that W&B is given.
    let private = deny("s3:*", "/teams/vision/*", "");
    assert_rule(rule, address, &(private.clone() + "path = \"teams/vision\"\n"), &private);
    let organisation =
        |operator: &str| format!(", Condition = {{ {operator} = {{ \"aws:PrincipalOrgID\" = \"o-1\" }} }}");
    assert_rule(
        rule,
        address,
        &deny("s3:*", "/*", &organisation("StringNotEquals")),
        &deny("s3:*", "/*", &organisation("StringEquals")),
    );
    let tls = ", Condition = { Bool = { \"aws:SecureTransport\" = false } }";
    assert_not_found(&Scene::new(&deny("s3:*", "/*", tls)).plan(), rule);
    let plan = Scene::new(&deny("s3:PutObject", "/*", "")).plan();
    let finding = plan.findings.iter().find(|f| f.rule == rule).unwrap();
    for word in ["s3:PutObject (runs cannot upload)", "statement `ByobExtra` denies it", "W&B Multi-tenant"] {
        assert!(finding.message.contains(word), "{}", finding.message);
    }
    // Taken out on purpose, it lacks nothing that it is to have.
    let out = Scene::new(&(deny("s3:PutObject", "/*", "") + "wandb_access = false\n")).plan();
    assert_not_found(&out, rule);
}

#[test]
fn a_reference_bucket_needs_reading_alone() {
    let deny = |action: &str| {
        let deny = statement("Deny", "\"*\"", action, "/*", "");
        format!("{REFERENCE}extra_statements = [{deny}]\n")
    };
    assert_rule(Rule::WandbLacksActions, "bucket.a.policy", &deny("s3:GetObject"), &deny("s3:PutObject"));
    assert_not_found(&Scene::new(REFERENCE).plan(), Rule::WandbLacksCors);
    let allow = |action: &str| {
        let allow = statement("Allow", &format!("{{ AWS = \"{WANDB}\" }}"), action, "/*", "");
        format!("{REFERENCE}extra_statements = [{allow}]\n")
    };
    assert_rule(Rule::ReferenceGrantsMore, "bucket.a.policy", &allow("s3:Get*"), &allow("s3:GetObject"));
    assert_not_found(&Scene::new(PLAIN).plan(), Rule::ReferenceGrantsMore);
}

#[test]
fn a_statement_of_others_that_stays_can_take_w_and_bs_access_away() {
    let keep = plain("foreign_statements = \"keep\"");
    let deny = |principal: &str| {
        let text = format!(
            r#"{{"Sid":"Theirs","Effect":"Deny","Principal":{{"AWS":"{principal}"}},"Action":"s3:*","Resource":"arn:aws:s3:::acme-a/*"}}"#
        );
        move |world: &mut World| world.bucket("acme-a").policy = Some(by_hand(&text))
    };
    let plan = imported(&keep, deny(WANDB)).plan();
    assert_found(&plan, Rule::WandbLacksActions, "bucket.a.policy");
    let help = &plan.findings.iter().find(|f| f.rule == Rule::WandbLacksActions).unwrap().help;
    assert!(help.contains("statement `Theirs` is another team's"), "{help}");
    let other = imported(&keep, deny("arn:aws:iam::123456789012:role/Intern")).plan();
    assert_not_found(&other, Rule::WandbLacksActions);
}

#[test]
fn cors_must_have_what_pre_signed_urls_need() {
    let rule = Rule::WandbLacksCors;
    assert_rule(
        rule,
        "bucket.a.cors",
        &plain("cors_origins = []"),
        &plain("cors_origins = [\"https://w.example\"]"),
    );
    // Unmanaged and not read, nothing is known of it.
    assert_not_found(&Scene::applied(&plain("unmanaged = [\"cors\"]")).plan(), rule);
    // Recorded, and from now on left to somebody who took `ETag` away.
    let mut scene = Scene::applied(PLAIN);
    scene.world.bucket("acme-a").cors[0].expose_headers.clear();
    let left = scene.with(&plain("unmanaged = [\"cors\"]")).plan();
    assert_found(&left, rule, "bucket.a.cors");
    // Cured by the plan, it is a warning beside its drift.
    let cured = scene.plan();
    assert_not_found(&cured, rule);
    assert_found(&cured, Rule::WandbBrokenNow, "bucket.a.cors");
    assert_not_found(&Scene::applied(PLAIN).plan(), Rule::WandbBrokenNow);
}

#[test]
fn what_somebody_took_from_w_and_b_is_a_warning_while_the_plan_cures_it() {
    let mut scene = Scene::applied(KEYED);
    let arn = scene.world.arn("us-east-1", "k");
    scene.world.bucket("acme-a").policy = None;
    scene.world.key(&arn).policy = strange_key().policy;
    let plan = scene.plan();
    assert_eq!(found(&plan, Rule::WandbBrokenNow), ["bucket.a.policy", "key.k.policy"]);
    assert!(!plan.blocked(), "{:#?}", plan.findings);
}

#[test]
fn the_key_must_let_w_and_b_use_it() {
    let by_arn = |arn: &str| {
        format!("forget = [\"key.k\"]\n{PLAIN}encryption = {{ type = \"sse-kms\", key = \"{arn}\" }}\n")
    };
    let mut scene = Scene::applied(KEYED);
    let arn = scene.world.arn("us-east-1", "k");
    assert_not_found(&scene.with(&by_arn(&arn)).plan(), Rule::WandbLacksKey);
    scene.world.key(&arn).policy = strange_key().policy;
    let plan = scene.with(&by_arn(&arn)).plan();
    assert_found(&plan, Rule::WandbLacksKey, "bucket.a.encryption");
    let message = &plan.findings.iter().find(|f| f.rule == Rule::WandbLacksKey).unwrap().message;
    assert!(message.contains("kms:Decrypt (files cannot be read)"), "{message}");
    // Somebody else's key, of which nothing was read.
    let mut scene = Scene::new("");
    let arn = scene.world.make_key("us-east-1", strange_key());
    scene.tables = format!("{PLAIN}encryption = {{ type = \"sse-kms\", key = \"{arn}\" }}\n");
    assert_not_found(&scene.plan(), Rule::WandbLacksKey);
}

#[test]
fn what_was_written_under_an_old_key_must_stay_readable() {
    let mut scene = Scene::applied(KEYED);
    let arn = scene.world.arn("us-east-1", "k");
    let without = format!("forget = [\"key.k\"]\n{PLAIN}");
    assert_not_found(&scene.with(&without).plan(), Rule::Unreadable);
    scene.world.key(&arn).policy = strange_key().policy;
    assert_found(&scene.with(&without).plan(), Rule::Unreadable, "bucket.a.encryption");
    let out = format!("{without}wandb_access = false\n");
    assert_not_found(&scene.with(&out).plan(), Rule::Unreadable);
    // Managed, it keeps W&B's use while the bucket that used it has W&B's access.
    let kept = scene.with(&format!("{PLAIN}[key.k]\nalias = \"k\"\n"));
    assert_not_found(&kept.plan(), Rule::Unreadable);
}

#[test]
fn principals_and_deployment_must_match() {
    let of = |deployment: Deployment, principals: &[&str]| {
        let mut scene = Scene::new(PLAIN);
        scene.deployment = Some((deployment, principals.iter().map(|&p| p.to_owned()).collect()));
        scene.plan()
    };
    let (dedicated, own) = ("arn:aws:iam::830241207209:root", "arn:aws:iam::123456789012:role/wandb");
    let node = "arn:aws:iam::111122223333:role/wandb-node";
    let address = "bucket.a.policy";
    for (deployment, wrong, right) in [
        (Deployment::MultiTenantCloud, dedicated, WANDB),
        (Deployment::DedicatedCloud, WANDB, dedicated),
        (Deployment::DedicatedCloud, own, node),
        (Deployment::SelfManaged, dedicated, own),
    ] {
        assert_found(&of(deployment, &[wrong]), Rule::WrongDeployment, address);
        assert_not_found(&of(deployment, &[right]), Rule::WrongDeployment);
    }
    // The file refuses another partition; should one come through, it is said here.
    let china = "arn:aws-cn:iam::111122223333:role/wandb-node";
    assert_found(&of(Deployment::SelfManaged, &[china]), Rule::OtherPartition, address);
    assert_not_found(&of(Deployment::SelfManaged, &[node]), Rule::OtherPartition);
    assert_found(&of(Deployment::DedicatedCloud, &[dedicated]), Rule::WholeAccount, address);
    assert_not_found(&of(Deployment::DedicatedCloud, &[node]), Rule::WholeAccount);
}

#[test]
fn who_else_is_let_in() {
    let allow =
        |principal: &str, more: &str| extra(&statement("Allow", principal, "s3:GetObject", "/*", more));
    let policy = "bucket.a.policy";
    let other = allow("{ AWS = \"111122223333\" }", "");
    let own = allow("{ AWS = \"arn:aws:iam::123456789012:role/Reader\" }", "");
    assert_rule(Rule::ForeignAccount, policy, &other, &own);
    assert_not_found(&Scene::new(PLAIN).plan(), Rule::ForeignAccount);
    let organisation = ", Condition = { StringEquals = { \"aws:PrincipalOrgID\" = \"o-1\" } }";
    assert_rule(Rule::WildcardPrincipal, policy, &allow("\"*\"", organisation), &own);
    let key = |manager: &str| format!("[key.k]\nalias = \"k\"\nmanagers = [\"{manager}\"]\n");
    let (theirs, ours) = (key("111122223333"), key("arn:aws:iam::123456789012:role/Keys"));
    assert_rule(Rule::ForeignAccount, "key.k.policy", &theirs, &ours);
}

#[test]
fn a_key_that_hangs_on_one_person() {
    let mut scene = Scene::applied("[key.k]\nalias = \"k\"\n");
    let arn = scene.world.arn("us-east-1", "k");
    let policy = |principal: &str| {
        by_hand(&format!(
            r#"{{"Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::{ACCOUNT}:{principal}"}},"Action":"kms:*","Resource":"*"}}"#
        ))
    };
    scene.world.key(&arn).policy = policy("user/ann");
    assert_found(&scene.plan(), Rule::OnePerson, "key.k.policy");
    scene.world.key(&arn).policy = policy("role/Keys");
    assert_not_found(&scene.plan(), Rule::OnePerson);
    // A person among others is not what it hangs on.
    let manager = "[key.k]\nalias = \"k\"\nmanagers = [\"arn:aws:iam::123456789012:user/ann\"]\n";
    assert_not_found(&Scene::new(manager).plan(), Rule::OnePerson);
}

#[test]
fn a_principal_that_was_deleted_is_a_broken_grant() {
    let mut scene = Scene::applied(PLAIN);
    let text = r#"{"Sid":"WandbAccountAccess","Effect":"Allow","Principal":{"AWS":"AROAEXAMPLEEXAMPLE12"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::acme-a/*"}"#;
    scene.world.bucket("acme-a").policy = Some(by_hand(text));
    let plan = scene.plan();
    assert_found(&plan, Rule::BrokenPrincipal, "bucket.a.policy");
    let finding = plan.findings.iter().find(|f| f.rule == Rule::BrokenPrincipal).unwrap();
    assert!(finding.message.contains("`AROAEXAMPLEEXAMPLE12`"), "{}", finding.message);
    assert!(finding.help.contains("byob apply then puts the policy again"), "{}", finding.help);
    assert_not_found(&Scene::applied(PLAIN).plan(), Rule::BrokenPrincipal);
    // Another team's, which stays.
    let theirs = text.replace("WandbAccountAccess", "Theirs");
    let keep = plain("foreign_statements = \"keep\"");
    let stays = imported(&keep, |world| world.bucket("acme-a").policy = Some(by_hand(&theirs)));
    assert_found(&stays.plan(), Rule::BrokenPrincipal, "bucket.a.policy");
}

#[test]
fn w_and_b_taken_out_is_said_and_what_lets_it_in_all_the_same() {
    let out = plain("wandb_access = false");
    assert_rule(Rule::WandbTakenOut, "bucket.a", &out, PLAIN);
    assert_not_found(&Scene::new(&out).plan(), Rule::WandbStays);
    let theirs = |world: &mut World| {
        let text = format!(
            r#"{{"Sid":"MediaTeam","Effect":"Allow","Principal":{{"AWS":"{WANDB}"}},"Action":"s3:GetObject","Resource":"arn:aws:s3:::acme-a/*"}}"#
        );
        world.bucket("acme-a").policy = Some(by_hand(&text));
    };
    let plan = imported(&plain("wandb_access = false\nforeign_statements = \"keep\""), theirs).plan();
    assert_found(&plan, Rule::WandbStays, "bucket.a.policy");
    let finding = plan.findings.iter().find(|f| f.rule == Rule::WandbStays).unwrap();
    assert!(finding.message.contains("statement `MediaTeam`") && finding.help.contains("foreign_statements"));
    assert_not_found(&imported(&out, theirs).plan(), Rule::WandbStays);
}

#[test]
fn an_account_that_byob_cannot_tell_is_told_as_another() {
    let rule = Rule::ForeignAccount;
    let allow = |principal: &str| extra(&statement("Allow", principal, "s3:GetObject", "/*", ""));
    let canonical = "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be";
    let plan = Scene::new(&allow(&format!("{{ CanonicalUser = \"{canonical}\" }}"))).plan();
    assert_found(&plan, rule, "bucket.a.policy");
    let message = &plan.findings.iter().find(|f| f.rule == rule).unwrap().message;
    assert!(message.contains("canonical user whose account byob cannot tell"), "{message}");
    let federated = |account: &str| {
        let principal = format!("{{ Federated = \"arn:aws:iam::{account}:saml-provider/idp\" }}");
        Scene::new(&allow(&principal)).plan()
    };
    assert_found(&federated("999999999999"), rule, "bucket.a.policy");
    assert_not_found(&federated(ACCOUNT), rule);
}

#[test]
fn single_settings() {
    assert_rule(Rule::SseCOpen, "bucket.a.encryption", &plain("sse_c = \"allowed\""), PLAIN);
    assert_rule(Rule::Unprotected, "bucket.a", &plain("protect = false"), PLAIN);
    assert_rule(
        Rule::Unprotected,
        "key.k",
        "[key.k]\nalias = \"k\"\nprotect = false\n",
        "[key.k]\nalias = \"k\"\n",
    );
    // A reference bucket is never deleted.
    let reference = Scene::new(&format!("{REFERENCE}protect = false\n"));
    assert_not_found(&reference.plan(), Rule::Unprotected);
    let off = "[key.k]\nalias = \"k\"\nrotation_days = \"off\"\n";
    assert_rule(Rule::RotationOff, "key.k.rotation", off, "[key.k]\nalias = \"k\"\n");
    let dotted = PLAIN.replace("acme-a", "acme.a");
    assert_rule(Rule::DotsInName, "bucket.a", &dotted, PLAIN);
    let no_bucket_key = KEYED.replace("key = \"key.k\" }", "key = \"key.k\", bucket_key = false }");
    assert_rule(Rule::BucketKeyOff, "bucket.a.encryption", &no_bucket_key, KEYED);
}

#[test]
fn what_a_default_leaves_open() {
    assert_rule(Rule::PlainHttp, "bucket.a.policy", PLAIN, &plain("tls_only = true"));
    assert_rule(Rule::OldTls, "bucket.a.policy", PLAIN, &plain("min_tls_version = \"1.2\""));
    assert_rule(Rule::AnyOrigin, "bucket.a.cors", PLAIN, &plain("cors_origins = [\"https://wandb.ai\"]"));
    assert_rule(Rule::VersioningOff, "bucket.a.versioning", PLAIN, &plain("versioning = \"enabled\""));
    let versions = plain("versioning = \"enabled\"");
    let expiring = plain("versioning = \"enabled\"\nnoncurrent_expire_after_days = 30");
    assert_rule(Rule::VersionsKept, "bucket.a.lifecycle", &versions, &expiring);
    assert_not_found(&Scene::new(PLAIN).plan(), Rule::VersionsKept);
    let aborting = plain("abort_incomplete_uploads_after_days = 7");
    assert_rule(Rule::UploadsKept, "bucket.a.lifecycle", PLAIN, &aborting);
    // A TLS Deny of another spelling serves as well.
    let by_hand = statement(
        "Deny",
        "\"*\"",
        "s3:*",
        "/*",
        ", Condition = { Bool = { \"aws:SecureTransport\" = \"false\" } }",
    );
    assert_not_found(&Scene::new(&extra(&by_hand)).plan(), Rule::PlainHttp);
    // Nobody asked for versioning, and somebody switched it on.
    let mut scene = Scene::applied(PLAIN);
    scene.world.bucket("acme-a").versioning = Some(VersioningStatus::Enabled);
    assert_not_found(&scene.plan(), Rule::VersioningOff);
    // And who may not look at it says nothing of it.
    let mut hidden = Scene::applied(PLAIN);
    hidden.world.hides_versioning = true;
    assert_not_found(&hidden.plan(), Rule::VersioningOff);
}

#[test]
fn with_a_target_only_what_is_selected_is_judged() {
    let two = format!("{}[bucket.b]\nname = \"acme-b\"\ncors_origins = []\n", plain("sse_c = \"allowed\""));
    let mut scene = Scene::new(&two);
    scene.mode.target = ["bucket.a".to_owned()].into();
    let plan = scene.plan();
    let roots: BTreeSet<String> = plan.findings.iter().map(|f| f.address.root().to_string()).collect();
    assert_eq!(roots, BTreeSet::from(["bucket.a".to_owned()]));
    assert!(!plan.blocked());
}

#[test]
fn what_is_impossible_is_not_judged_further() {
    let mut scene = Scene::new(&plain("cors_origins = []"));
    scene.world.make_bucket("acme-a", "us-east-1");
    let rules: Vec<Rule> = scene.plan().findings.iter().map(|f| f.rule).collect();
    assert_eq!(rules, [Rule::NotOurs]);
    let mut destroyed = Scene::applied(PLAIN);
    destroyed.mode.destroy = true;
    let rules: Vec<Rule> = destroyed.plan().findings.iter().map(|f| f.rule).collect();
    assert_eq!(rules, [Rule::Protected]);
}

#[test]
fn every_rule_is_documented_as_bad_as_it_is() {
    let page = include_str!("../../../../docs/findings.md");
    for rule in Rule::ALL {
        let (id, anchor) = (rule.id(), rule.id().to_lowercase());
        let severity = format!("{:?}", rule.severity()).to_lowercase();
        assert!(page.contains(&format!("| [{id}](#{anchor}) | {severity} | ")), "{id} is not in the table");
        let chapter =
            page.split(&format!("\n## {id}\n")).nth(1).unwrap_or_else(|| panic!("{id} has no chapter"));
        let chapter = chapter.split("\n## ").next().unwrap();
        assert!(chapter.contains("- **Mend:**"), "{id} does not say how to mend it");
    }
}
