//! Fuzz target: any bytes as a plan file. `cargo test` plays the corpus (`__fuzz__/plan_file/corpus`) and some random
//! inputs, bounded by their number; `cargo bolero test plan_file` (nightly) runs a real fuzzer and keeps what it finds
//! there. A failure prints its input and `BOLERO_RANDOM_SEED`.

use bolero::check;
use byob_model::config::parse;
use byob_model::date::Date;
use byob_model::desired::desired;
use byob_model::live::Live;
use byob_model::recorded::Recorded;
use byob_plan::approved::{Approved, NotAPlan, is_digest};
use byob_plan::{Input, Mode, Plan, plan};

/// The corpus' own plan, with which random bytes are mixed.
const PLAN: &str = include_str!("__fuzz__/plan_file/corpus/plan.json");

/// A plan of nothing.
fn now() -> Plan {
    let file = "version = 1\n[aws]\nregion = \"us-east-1\"\n[wandb]\ndeployment = \"dedicated-cloud\"\n";
    let configuration = parse(file, &|_| Err("no such file".to_owned())).expect("a configuration");
    let recorded = Recorded::default();
    let desired = desired(&configuration, "123456789012", &recorded).expect("a desired state");
    plan(&Input {
        desired: &desired,
        recorded: &recorded,
        live: &Live::default(),
        mode: &Mode::default(),
        endpoint: "aws",
        partition: "aws",
        byob_version: "0.1.0",
        meaning: &desired,
        today: Date::of_unix_seconds(0),
    })
}

fn assert_read_or_refused(text: &str, now: &Plan) {
    match Approved::read(text) {
        Ok(approved) => {
            assert!(is_digest(&approved.digest));
            for line in approved.differences(now) {
                assert!(line.len() <= 64 + text.len(), "{} bytes", line.len());
            }
        }
        Err(NotAPlan::Format(version)) => assert!(version.len() <= text.len()),
        Err(NotAPlan::Other | NotAPlan::Digest) => {}
    }
}

/// The plan with some of its bytes replaced.
fn forged(bytes: &[u8]) -> String {
    let mut text = PLAN.as_bytes().to_vec();
    for three in bytes.chunks_exact(3) {
        let at = usize::from(u16::from_le_bytes([three[0], three[1]])) % text.len();
        text[at] = three[2];
    }
    String::from_utf8_lossy(&text).into_owned()
}

#[test]
fn plan_file() {
    let now = now();
    assert!(Approved::read(PLAN).is_ok(), "the corpus' plan is one");
    check!().with_iterations(1500).for_each(|bytes: &[u8]| {
        assert_read_or_refused(&String::from_utf8_lossy(bytes), &now);
        assert_read_or_refused(&forged(bytes), &now);
    });
}

/// What is deep, long or much, beyond what a corpus should hold.
#[test]
fn large_files_are_answered() {
    let (now, deep) = (now(), 50_000);
    for text in [
        "[".repeat(deep),
        format!("{{\"format_version\":{}", "{\"a\":".repeat(deep)),
        format!("{{\"format_version\":{}}}", "9".repeat(deep)),
        format!("{}{}", PLAN.trim_end().trim_end_matches('}'), ",\"a\":0".repeat(deep)),
        PLAN.replacen("\"steps\": [", &format!("\"steps\": [{}", "{\"id\":\"bucket.a#1\"},".repeat(deep)), 1),
    ] {
        assert_read_or_refused(&text, &now);
    }
}
