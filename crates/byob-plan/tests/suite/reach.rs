//! Whether W&B comes in from everywhere that it comes from, to every object that is its own.

use byob_plan::Rule;

use crate::rules::{
    PLAIN, WANDB, assert_found, assert_not_found, by_hand, extra, imported, plain, statement,
};
use crate::scene::Scene;
use crate::world::World;

#[test]
fn networks_without_w_and_bs_own() {
    let rule = Rule::NetworkWithoutWandb;
    let only = plain("allowed_source_ips = [\"203.0.113.0/24\"]");
    assert_found(&Scene::new(&only).plan(), rule, "bucket.a.policy");
    assert_not_found(&Scene::new(PLAIN).plan(), rule);
    // Not known is no proof that W&B cannot work.
    assert_not_found(&Scene::new(&only).plan(), Rule::WandbLacksActions);
    let mut known = Scene::new(&only);
    known.egress = ["192.0.2.0/24".to_owned()].into();
    assert_not_found(&known.plan(), rule);
    assert_not_found(&known.plan(), Rule::WandbLacksActions);
    // A network of somebody else's statement, and W&B's address is known not to be in it.
    let deny = statement(
        "Deny",
        "\"*\"",
        "s3:GetObject",
        "/*",
        ", Condition = { NotIpAddress = { \"aws:SourceIp\" = \"203.0.113.0/24\" } }",
    );
    let mut outside = Scene::new(&extra(&deny));
    outside.egress = ["192.0.2.0/24".to_owned()].into();
    assert_found(&outside.plan(), Rule::WandbLacksActions, "bucket.a.policy");
    outside.egress = ["203.0.113.128/25".to_owned()].into();
    assert_not_found(&outside.plan(), Rule::WandbLacksActions);
}

#[test]
fn every_address_of_w_and_bs_networks_has_to_come_in() {
    let rule = Rule::WandbLacksActions;
    let deny = |operator: &str, nets: &str| {
        let condition = format!(", Condition = {{ {operator} = {{ \"aws:SourceIp\" = {nets} }} }}");
        extra(&statement("Deny", "\"*\"", "s3:GetObject", "/*", &condition))
    };
    let under = |egress: &[&str], tables: &str| {
        let mut scene = Scene::new(tables);
        scene.egress = egress.iter().map(|net| (*net).to_owned()).collect();
        scene.plan()
    };
    let net = "192.0.2.0/24";
    // The first address is let in, the rest is not.
    let half = under(&[net], &deny("NotIpAddress", "\"192.0.2.0/25\""));
    assert_found(&half, rule, "bucket.a.policy");
    let message = &half.findings.iter().find(|f| f.rule == rule).unwrap().message;
    assert!(message.contains("from 192.0.2.128"), "{message}");
    assert_found(&under(&[net], &deny("IpAddress", "\"192.0.2.7\"")), rule, "bucket.a.policy");
    assert_found(&under(&[net], &deny("IpAddress", "\"192.0.2.255\"")), rule, "bucket.a.policy");
    assert_found(
        &under(&["2001:db8::/32"], &deny("IpAddress", "\"2001:db8:1::/48\"")),
        rule,
        "bucket.a.policy",
    );
    // Two halves make the whole; what lies beside it is nobody's.
    for near_miss in [
        deny("NotIpAddress", "[\"192.0.2.0/25\", \"192.0.2.128/25\"]"),
        deny("NotIpAddress", "\"192.0.0.0/16\""),
        deny("IpAddress", "[\"192.0.3.0/24\", \"192.0.1.255\"]"),
    ] {
        assert_not_found(&under(&[net], &near_miss), rule);
    }
}

#[test]
fn every_object_of_w_and_b_has_to_be_within_reach() {
    let rule = Rule::WandbLacksActions;
    let deny = |fields: &str, resource: &str| {
        plain(&format!(
            "{fields}\nextra_statements = [{}]",
            statement("Deny", "\"*\"", "s3:GetObject", resource, "")
        ))
    };
    let part = |fields: &str, resource: &str| Scene::new(&deny(fields, resource)).plan();
    for deep in ["/*/*", "/*.json", "/w*", "/?*/media/*"] {
        assert_found(&part("", deep), rule, "bucket.a.policy");
    }
    let plan = part("", "/*.json");
    let message = &plan.findings.iter().find(|f| f.rule == rule).unwrap().message;
    assert!(message.contains("on `arn:aws:s3:::acme-a/.json`"), "{message}");
    // A part that is named is set aside: W&B is not there.
    assert_not_found(&part("", "/private/*"), rule);
    assert_not_found(&part("", "/private.txt"), rule);
    // Where W&B has a folder of its own, all of that is its, and nothing else.
    let folder = "path = \"wandb\"";
    for within in ["/wandb/runs/*", "/wandb/runs/x.json", "/w*", "/*/runs/*"] {
        assert_found(&part(folder, within), rule, "bucket.a.policy");
    }
    for beside in ["/private/*", "/wandb2/*", "/wandb"] {
        assert_not_found(&part(folder, beside), rule);
    }
}

#[test]
fn an_allow_for_some_networks_is_no_lack_while_w_and_bs_own_are_not_known() {
    let allow = format!(
        r#"{{"Sid":"Theirs","Effect":"Allow","Principal":{{"AWS":"{WANDB}"}},"Action":"s3:*","Resource":["arn:aws:s3:::acme-a","arn:aws:s3:::acme-a/*"],"Condition":{{"IpAddress":{{"aws:SourceIp":"203.0.113.0/24"}}}}}}"#
    );
    let theirs = |world: &mut World| world.bucket("acme-a").policy = Some(by_hand(&allow));
    let mut scene = imported(&plain("unmanaged = [\"policy\"]"), theirs);
    let plan = scene.plan();
    assert_not_found(&plan, Rule::WandbLacksActions);
    assert_found(&plan, Rule::NetworkWithoutWandb, "bucket.a.policy");
    let message = &plan.findings.iter().find(|f| f.rule == Rule::NetworkWithoutWandb).unwrap().message;
    assert!(message.contains("statement `Theirs`"), "{message}");
    // Known, it is judged.
    scene.egress = ["203.0.113.8/32".to_owned()].into();
    assert_not_found(&scene.plan(), Rule::WandbLacksActions);
    assert_not_found(&scene.plan(), Rule::NetworkWithoutWandb);
    scene.egress = ["192.0.2.0/24".to_owned()].into();
    assert_found(&scene.plan(), Rule::WandbLacksActions, "bucket.a.policy");
    // What it lacks wherever it comes from it lacks.
    let only_reading = allow.replace("s3:*", "s3:GetObject");
    let scene = imported(&plain("unmanaged = [\"policy\"]"), |world| {
        world.bucket("acme-a").policy = Some(by_hand(&only_reading));
    });
    assert_found(&scene.plan(), Rule::WandbLacksActions, "bucket.a.policy");
}
