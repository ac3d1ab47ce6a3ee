//! Fuzz target: any bytes as `byob.toml`. `cargo test` plays the corpus (`__fuzz__/<target>/corpus`) and some random
//! inputs, bounded by their number; `cargo bolero test <target>` (nightly) runs a real fuzzer and keeps what it finds
//! there. A failure prints its input and `BOLERO_RANDOM_SEED`.

use bolero::check;
use byob_model::config::parse;

/// Two right files, to be spoilt.
const RIGHT: [&str; 2] = [
    include_str!("__fuzz__/configuration/corpus/example.toml"),
    include_str!("__fuzz__/configuration/corpus/everything.toml"),
];

/// Stands for every policy that a file names.
const POLICY: &str = r#"{"Version":"2012-10-17","Statement":[{"Sid":"ByobExtraA","Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::acme-wandb-vision/*"}]}"#;

/// What is put into a right file, somewhere.
const PIECES: [&str; 40] = [
    "true",
    "-1",
    "0",
    "9223372036854775808",
    "1e999",
    "nan",
    "\"\"",
    "\"*\"",
    "\"key.vision\"",
    "\"bucket.logs\"",
    "\"arn:aws-cn:kms:cn-north-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab\"",
    "\"cn-north-1\"",
    "\"eu-west-1\"",
    "\"\\u0000\"",
    "\"ü\"",
    "'''",
    "\"\"\"",
    "[]",
    "[[]]",
    "[\"\", 1, {}]",
    "{}",
    "{ a.b.c = 1 }",
    "{ type = \"dsse-kms\", key = \"key.none\" }",
    "[{ id = \"x\", expiration = { days = 1 } }, { id = \"x\", transitions = [{ days = 1, storage_class = \"GLACIER\" }] }]",
    "2027-01-31",
    "1979-05-27T07:32:00.999999-07:00",
    "[bucket.a]\n",
    "[bucket]\n",
    "[[bucket]]\n",
    "[key.\"\"]\n",
    "[[waive]]\n",
    "name = \"acme\"\n",
    "purpose = \"reference\"\n",
    "policy_file = \"policy.json\"\n",
    "unmanaged = [\"policy\", \"tags\"]\n",
    "=",
    "\n",
    "#",
    "]",
    "\u{feff}",
];

/// The bytes that are left; past their end there are zeros.
struct Choices<'a>(&'a [u8]);

impl Choices<'_> {
    fn byte(&mut self) -> usize {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        usize::from(*first)
    }

    fn below(&mut self, count: usize) -> usize {
        (self.byte() << 8 | self.byte()) % count.max(1)
    }
}

/// A right file that the bytes spoil in a few places.
fn spoilt(bytes: &[u8]) -> String {
    let mut choices = Choices(bytes);
    let mut lines: Vec<String> = RIGHT[choices.below(2)].lines().map(str::to_owned).collect();
    for _ in 0..=choices.below(4) {
        let at = choices.below(lines.len());
        let piece = PIECES[choices.below(PIECES.len())];
        match choices.below(6) {
            0 => drop(lines.remove(at)),
            1 => lines.insert(at, piece.to_owned()),
            2 => lines.insert(at, lines[choices.below(lines.len())].clone()),
            3 => {
                let cut = (0..=lines[at].len()).filter(|place| lines[at].is_char_boundary(*place));
                let cut: Vec<usize> = cut.collect();
                lines[at].insert_str(cut[choices.below(cut.len())], piece);
            }
            _ => {
                if let Some((field, _)) = lines[at].split_once('=') {
                    lines[at] = format!("{field}= {piece}");
                }
            }
        }
        if lines.is_empty() {
            break;
        }
    }
    lines.join("\n")
}

/// Reads a file; whatever is wrong with it is said of places in it, in no more text than it can be blamed for.
fn assert_answered(text: &str) -> bool {
    let read_file =
        |path: &str| if path.starts_with('.') { Err("no".to_owned()) } else { Ok(POLICY.to_owned()) };
    let errors = match parse(text, &read_file) {
        Ok(configuration) => {
            let spans = configuration.spans.values();
            for span in spans {
                assert!(text.get(span.start..span.end).is_some(), "{span:?} in {text:?}");
            }
            return true;
        }
        Err(errors) => errors,
    };
    assert!(!errors.is_empty(), "refused without a word: {text:?}");
    let mut said = 0;
    for error in &errors {
        assert!(!error.message.is_empty(), "{error:?} in {text:?}");
        if let Some(span) = error.span {
            assert!(text.get(span.start..span.end).is_some(), "{error:?} in {text:?}");
        }
        said += error.message.len() + error.label.len() + error.help.len();
    }
    assert!(said <= 4096 + 512 * text.len(), "{said} bytes about {}", text.len());
    false
}

/// Any text, and a right file that is spoilt, read as `byob.toml`.
#[test]
fn configuration() {
    assert!(RIGHT.iter().all(|text| assert_answered(text)), "there is something to spoil");
    check!().with_iterations(3000).for_each(|bytes: &[u8]| {
        assert_answered(&String::from_utf8_lossy(bytes));
        assert_answered(&spoilt(bytes));
    });
}

/// What is deep, long or much, beyond what a corpus should hold.
#[test]
fn large_files_are_answered() {
    let head = "version = 1\n[aws]\nregion = \"us-east-1\"\n[wandb]\ndeployment = \"multi-tenant-cloud\"\n";
    let deep = 20_000;
    let texts = [
        format!("forget = {}", "[".repeat(deep)),
        format!("forget = {}{}", "[".repeat(deep), "]".repeat(deep)),
        format!("a = {}1{}", "{a=".repeat(deep), "}".repeat(deep)),
        format!("a = {}", "[{a=".repeat(deep)),
        format!("{}a = 1", "a.".repeat(deep)),
        format!("[{}a]\nb = 1", "a.".repeat(deep)),
        format!("[[{}a]]\nb = 1", "a.".repeat(deep)),
        format!("[tags]\n{}a = 1", "\"a\".".repeat(deep)),
        format!("version = {}", "9".repeat(deep)),
        format!("{head}[tags]\na = 0.{}", "1".repeat(deep)),
        format!("{head}[tags]\na = \"{}\"", "x".repeat(20 * deep)),
        format!("{head}[bucket.a]\nname = \"{}\"", "a".repeat(20 * deep)),
        format!("{head}[bucket.a]\nname = \"acme-a\"\nlifecycle = [{}]", "{id=\"x\"},".repeat(2000)),
        format!("{head}[bucket.a]\nname = \"acme-a\"\ncors_origins = [{}]", "\"x\",".repeat(5000)),
        format!("{head}{}", "[[waive]]\n".repeat(2000)),
        format!("{head}{}", "x = 1\n".repeat(50000)),
        format!("{head}forget = [{}]", "\"bucket.a\",".repeat(5000)),
        (0..4000)
            .map(|n| format!("\n[bucket.b{n}]\nname = \"acme-{n}\""))
            .fold(head.to_owned(), |a, b| a + &b),
        (0..4000).map(|n| format!("\n[bucket.b{n}]\nnam = \"acme\"")).fold(head.to_owned(), |a, b| a + &b),
        (0..4000).map(|n| format!("\n[key.k{n}]\nalias = \"same\"")).fold(head.to_owned(), |a, b| a + &b),
    ];
    for text in texts {
        assert_answered(&text);
    }
}
