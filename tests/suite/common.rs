//! What every test of the binary stands on: the binary itself, freshly built, and a machine of its own for each test to
//! run it on. No test's business enters here.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

/// What README command 1 applies.
pub(crate) const EXAMPLE: &str = include_str!("../../byob.toml.example");

/// `target/<profile>/byob`, built once per test process, so that no test runs a stale binary.
pub(crate) fn byob_binary() -> &'static Path {
    static BINARY: OnceLock<Option<PathBuf>> = OnceLock::new();
    let binary = BINARY.get_or_init(|| {
        let this = std::env::current_exe().unwrap();
        // target/<profile>/deps/suite-0123456789abcdef
        let profile = this.ancestors().nth(2).unwrap();
        let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        // The same selection of packages and tests as the test run has the same features: nothing is built twice.
        build.args(["build", "--quiet", "--locked", "--workspace", "--bin", "byob", "--test", "suite"]);
        build.arg("--target-dir").arg(profile.parent().unwrap());
        match profile.file_name().and_then(OsStr::to_str) {
            Some("debug") | None => {}
            Some(name) => {
                build.args(["--profile", name]);
            }
        }
        build.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        build.status().unwrap().success().then(|| profile.join("byob"))
    });
    binary.as_deref().expect("byob does not build")
}

/// One machine: a home, a working folder with a `byob.toml`, and nothing of the environment that the tests run in.
pub(crate) struct TestEnvironment {
    root: tempfile::TempDir,
    variables: Vec<(String, String)>,
}

impl TestEnvironment {
    /// A machine whose `byob.toml` says this.
    pub(crate) fn new(config: &str) -> Self {
        let env = Self::bare();
        env.write("byob.toml", config);
        env
    }

    /// A machine without a `byob.toml`.
    pub(crate) fn bare() -> Self {
        let root = tempfile::Builder::new().prefix("byob-suite-").tempdir().unwrap();
        for folder in ["home", "work"] {
            std::fs::create_dir(root.path().join(folder)).unwrap();
        }
        Self { root, variables: Vec::new() }
    }

    /// The same machine with one more variable.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The working folder.
    pub(crate) fn dir(&self) -> PathBuf {
        self.root.path().join("work")
    }

    /// The home folder.
    pub(crate) fn home(&self) -> PathBuf {
        self.root.path().join("home")
    }

    /// Writes a file below the working folder (or, by an absolute path, elsewhere).
    pub(crate) fn write(&self, path: impl AsRef<Path>, text: &str) {
        let path = self.dir().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Reads a file below the working folder.
    pub(crate) fn read(&self, path: impl AsRef<Path>) -> String {
        let path = self.dir().join(path);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Puts one text in place of another in `byob.toml`, where it must stand.
    pub(crate) fn edit(&self, old: &str, new: &str) {
        let text = self.read("byob.toml");
        assert!(text.contains(old), "byob.toml has no {old:?}");
        self.write("byob.toml", &text.replacen(old, new, 1));
    }

    /// `byob` with these arguments, ready to start.
    pub(crate) fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(byob_binary());
        command.args(arguments.split_whitespace()).current_dir(self.dir()).env_clear();
        command.env("HOME", self.home()).env("PATH", "/usr/bin:/bin").env("COLUMNS", "100");
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs `byob` with these arguments, as they are.
    pub(crate) fn byob(&self, arguments: &str) -> Output {
        self.finish(self.command(arguments).spawn().unwrap())
    }

    /// Waits for a process.
    pub(crate) fn finish(&self, child: Child) -> Output {
        let output = child.wait_with_output().unwrap();
        let root = self.root.path().canonicalize().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Output {
            stdout: text(output.stdout),
            stderr: text(output.stderr),
            code: output.status.code(),
            root: root.display().to_string(),
        }
    }
}

/// What a command said, and how it ended.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// `None`: ended by a signal.
    pub(crate) code: Option<i32>,
    pub(crate) root: String,
}

impl Output {
    /// Insists on an exit code, and shows everything where it is another.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// The talk alone, with what differs from run to run masked.
    pub(crate) fn talk(&self) -> String {
        mask(&self.stderr, &self.root)
    }

    /// The data alone, with what differs from run to run masked.
    pub(crate) fn data(&self) -> String {
        mask(&self.stdout, &self.root)
    }

    /// stdout as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}\nstdout:\n{}\nstderr:\n{}", self.stdout, self.stderr))
    }
}

/// As on a terminal: data, then talk, then the exit code where it is not 0. The line in which a sandbox announces itself
/// is left out: it stands in every run, and one test pins it.
impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.data())?;
        for line in self.talk().lines().filter(|line| !line.starts_with("SANDBOX: an embedded")) {
            writeln!(f, "{line}")?;
        }
        match self.code {
            Some(0) => Ok(()),
            Some(code) => writeln!(f, "[exit {code}]"),
            None => writeln!(f, "[killed]"),
        }
    }
}

/// Masks what differs from run to run: folders, UUIDs, digests, request ids, dates of records, durations, process ids.
fn mask(text: &str, root: &str) -> String {
    const HEX64: &str = "hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh";
    let mut text = text.replace(root, "$ROOT");
    for (pattern, mask) in [
        (HEX64, "<digest>"),
        ("hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh", "<uuid>"),
        (" hhhhhhhhhhhhhhhh)", " <id>)"),
        (".json.dddddd-hhhhhhhh", ".json.<old>"),
        ("recorded dddd-dd-dd", "recorded <date>"),
        (" d.d s", " <time> s"),
        (" dd.d s", " <time> s"),
        ("(d.d s)", "(<time> s)"),
        ("(dd.d s)", "(<time> s)"),
    ] {
        text = replace_all(&text, pattern, mask);
    }
    text
}

/// `h` stands for a hexadecimal digit, `d` for a decimal one between other characters than letters.
fn replace_all(text: &str, pattern: &str, mask: &str) -> String {
    let letters: Vec<char> = pattern.chars().collect();
    let placeholder = |i: usize| {
        let lone = |j: Option<&char>| j.is_none_or(|c| !c.is_ascii_alphabetic() || matches!(c, 'h' | 'd'));
        lone(i.checked_sub(1).and_then(|i| letters.get(i))) && lone(letters.get(i + 1))
    };
    let fits = |at: &[char]| {
        at.len() >= letters.len()
            && letters.iter().enumerate().all(|(i, p)| match p {
                'h' if placeholder(i) => at[i].is_ascii_hexdigit(),
                'd' if placeholder(i) => at[i].is_ascii_digit(),
                p => at[i] == *p,
            })
    };
    let text: Vec<char> = text.chars().collect();
    let mut out = String::new();
    let mut at = 0;
    while at < text.len() {
        if fits(&text[at..]) {
            out.push_str(mask);
            at += letters.len();
        } else {
            out.push(text[at]);
            at += 1;
        }
    }
    out
}
