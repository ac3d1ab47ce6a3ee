//! Every way to get a configuration wrong that byob knows, with the exact diagnostics: each `NAME.toml` of the folder
//! `bad_configurations` must give its `NAME.stderr`. `UPDATE=1` writes them; read what it wrote.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use byob_model::config;
use byob_render::diagnostic::render;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad_configurations")
}

fn names(extension: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(folder()).expect("the folder is there");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned())
        .collect()
}

fn read_file(path: &str) -> Result<String, String> {
    fs::read_to_string(folder().join(path)).map_err(|_| "there is no such file".to_owned())
}

#[test]
fn every_bad_configuration_has_its_exact_diagnostics() {
    let update = std::env::var_os("UPDATE").is_some();
    let mut wrong = Vec::new();
    let names = names("toml");
    assert!(names.len() >= 60, "only {} cases", names.len());
    for name in &names {
        let source = fs::read_to_string(folder().join(format!("{name}.toml"))).expect("the case can be read");
        let Err(diagnostics) = config::parse(&source, &read_file) else { panic!("{name} is accepted") };
        let again = config::parse(&source, &read_file).expect_err("still wrong");
        assert_eq!(diagnostics, again, "{name}: the same text must give the same diagnostics");
        for diagnostic in &diagnostics {
            let message = &diagnostic.message;
            assert!(!message.ends_with('.') && !diagnostic.help.is_empty(), "{name}: {diagnostic:?}");
            let is_name = ["AWS", "W&B"].iter().any(|name| message.starts_with(name));
            assert!(is_name || !message.starts_with(|c: char| c.is_ascii_uppercase()), "{name}: {message}");
        }
        let shown = render("byob.toml", &source, &diagnostics, false, 120);
        let path = folder().join(format!("{name}.stderr"));
        if update {
            fs::write(&path, &shown).expect("the golden file can be written");
        } else if fs::read_to_string(&path).ok().as_deref() != Some(&shown) {
            wrong.push(format!("--- {name}\n{shown}"));
        }
    }
    assert!(wrong.is_empty(), "not as pinned (UPDATE=1 writes what is shown here):\n{}", wrong.join("\n"));
}

#[test]
fn every_pinned_diagnostic_has_its_case() {
    assert_eq!(names("stderr"), names("toml"));
}
