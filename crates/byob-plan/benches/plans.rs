//! What a plan of a thousand buckets costs, policies judged, rules asked, steps ordered. `cargo bench -p byob-plan`; the
//! goal is that judging their policies takes less than 1 s of it. The world is in memory; nothing is read from disk.

#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "the test suite's world, of which a benchmark uses a part; a panic ends the benchmark"
)]

use divan::{Bencher, black_box};
use scene::Scene;

#[path = "../tests/suite/scene.rs"]
mod scene;
#[path = "../tests/suite/world.rs"]
mod world;

const BUCKETS: usize = 1000;

fn main() {
    divan::main();
}

/// A thousand buckets, each with a statement for another team that `reader` names by the bucket's number.
fn tables(reader: impl Fn(usize) -> String, action: &str) -> String {
    let bucket = |n: usize| {
        format!(
            "[bucket.b{n}]\nname = \"acme-{n:04}\"\nversioning = \"enabled\"\nextra_statements = [{{ Sid = \"Team\", \
             Effect = \"Allow\", Principal = {{ AWS = \"{}\" }}, Action = [\"s3:GetObject\", \"{action}\"], Resource = \
             \"arn:aws:s3:::acme-{n:04}/*\" }}]\n",
            reader(n)
        )
    };
    (0..BUCKETS).map(bucket).collect()
}

fn role(account: usize) -> String {
    format!("arn:aws:iam::{account:012}:role/team")
}

/// The plan of a change of every bucket's policy.
fn changed(bencher: Bencher<'_, '_>, reader: impl Fn(usize) -> String) {
    let before = Scene::applied(&tables(&reader, "s3:GetObjectTagging"));
    let after = before.with(&tables(&reader, "s3:PutObject"));
    assert_eq!(after.plan().steps.len(), BUCKETS, "one step a bucket");
    bencher.bench_local(|| black_box(&after).plan());
}

#[divan::bench(sample_count = 3, sample_size = 1)]
fn nothing_changed(bencher: Bencher<'_, '_>) {
    let scene = Scene::applied(&tables(|_| role(222_222_222_222), "s3:GetObjectTagging"));
    assert!(scene.plan().steps.is_empty(), "nothing to do");
    bencher.bench_local(|| black_box(&scene).plan());
}

#[divan::bench(sample_count = 3, sample_size = 1)]
fn all_changed_in_one_way(bencher: Bencher<'_, '_>) {
    changed(bencher, |_| role(222_222_222_222));
}

#[divan::bench(sample_count = 3, sample_size = 1)]
fn all_changed_each_in_its_own_way(bencher: Bencher<'_, '_>) {
    changed(bencher, |n| role(222_222_220_000 + n));
}
