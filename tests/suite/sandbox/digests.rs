//! The same digest wherever the same is planned, whoever's machine it is.

use std::path::Path;

use crate::common::TestEnvironment;

use super::BUCKET_AND_KEY;
use super::world::{World, wait};

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}

#[test]
fn two_clean_checkouts_have_one_digest() {
    let first = TestEnvironment::applied(BUCKET_AND_KEY);
    let s3 = wait(World::of(&first)).s3("us-east-1");
    wait(s3.delete_bucket_cors().bucket("acme-wandb-storage").send()).unwrap();
    first.edit(
        "name = \"acme-wandb-storage\"",
        "name = \"acme-wandb-storage\"\ntls_only = true\ntags = { b = \"2\", a = \"1\", \"ö\" = \"ü\", I = \"ı\" }",
    );
    // Elsewhere, under other circumstances; each process has another seed for its maps.
    let others =
        [("de_DE.UTF-8", "Asia/Kolkata"), ("tr_TR.UTF-8", "America/St_Johns"), ("C", "Pacific/Kiritimati")];
    let whole = first.sandbox("plan --format json").exits(0).stdout;
    assert!(whole.contains("\"severity\": \"breakage\"") && whole.contains("ByobTlsOnly"), "{whole}");
    for (locale, zone) in others {
        let other = TestEnvironment::bare().with("LC_ALL", locale).with("LANG", locale).with("TZ", zone);
        let folder = other.dir().join("a much/longer folder");
        copy(&first.dir(), &folder);
        let mut command = other.command("plan --format json --sandbox");
        command.current_dir(&folder);
        let said = other.finish(command.spawn().unwrap()).exits(0);
        assert_eq!(said.stdout, whole, "{locale} {zone}");
        // Named from outside, and in another spelling.
        let text = std::fs::read_to_string(folder.join("byob.toml")).unwrap();
        let spelled = text.replace(" = ", "  =  ").replace("[bucket.storage]", "# a word\n[bucket.storage]");
        std::fs::write(folder.join("byob.toml"), spelled).unwrap();
        let mut command = other.command("plan --format json");
        command.arg("--config").arg(folder.join("byob.toml"));
        command.arg(format!("--sandbox={}", folder.join(".byob/sandbox").display()));
        assert_eq!(other.finish(command.spawn().unwrap()).exits(0).stdout, whole, "{locale} {zone}");
    }
}
