//! The two endpoints, boto3 to look at them past byob, and a customer: a machine with a `byob.toml` that is pointed at
//! one of them. Nothing of a test's business enters here.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, Once, OnceLock, PoisonError};

use serde_json::{Value, json};

use crate::common::{Output, TestEnvironment, byob_binary};

/// Where a test runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// `moto_server`, or the endpoint that `BYOB_TEST_ENDPOINT` names.
    Moto,
    /// `byob sandbox serve`.
    Sandbox,
}

/// An endpoint that answers.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) place: Place,
    pub(crate) url: String,
    /// The account of the caller there.
    pub(crate) account: String,
    keys: Keys,
}

/// Access key, secret, and the session token where there is one.
type Keys = (String, String, Option<String>);

impl Endpoint {
    /// Whether it is moto, and not an endpoint that was given in its place.
    pub(crate) fn is_moto(&self) -> bool {
        self.place == Place::Moto && variable("BYOB_TEST_ENDPOINT").is_none()
    }
}

/// The endpoint of a place, started at the first call in this process; `None`, and said so, where there is no Python.
/// Where `CI` is set that fails instead.
pub(crate) fn endpoint(place: Place) -> Option<&'static Endpoint> {
    static MOTO: OnceLock<Endpoint> = OnceLock::new();
    static SANDBOX: OnceLock<Endpoint> = OnceLock::new();
    let Some(python) = python() else {
        left_out();
        return None;
    };
    let cell = match place {
        Place::Moto => &MOTO,
        Place::Sandbox => &SANDBOX,
    };
    Some(cell.get_or_init(|| {
        let url = match (place, variable("BYOB_TEST_ENDPOINT")) {
            (Place::Moto, Some(url)) => url,
            (Place::Moto, None) => serve(&python, &["moto"]).0,
            (Place::Sandbox, _) => {
                let byob = byob_binary().to_str().unwrap();
                serve(&python, &[byob, "sandbox", "serve", "--port", "0", "--sandbox=world"]).0
            }
        };
        reached(place, url, given_keys())
    }))
}

/// A moto of its own in which rights count: once for one who may everything, once for one who may only read. `None`
/// where another endpoint was given in moto's place.
pub(crate) fn writer_and_reader() -> Option<[&'static Endpoint; 2]> {
    endpoint(Place::Moto).filter(|endpoint| endpoint.is_moto())?;
    let (url, users) = serve(&python()?, &["moto-with-iam"]);
    let users: Value = serde_json::from_str(&users).unwrap();
    let as_user = |name: &str| {
        let key = |at: usize| users[name][at].as_str().unwrap().to_owned();
        let endpoint = reached(Place::Moto, url.clone(), (key(0), key(1), None));
        &*Box::leak(Box::new(endpoint))
    };
    Some([as_user("writer"), as_user("reader")])
}

fn reached(place: Place, url: String, keys: Keys) -> Endpoint {
    let answer = call(&url, &keys, &[Call::new("sts", "get_caller_identity", json!({}))]).remove(0);
    let account = answer["ok"]["Account"].as_str().unwrap_or_else(|| panic!("{url}: {answer}")).to_owned();
    Endpoint { place, url, account, keys }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The Python that has moto and boto3.
fn python() -> Option<PathBuf> {
    variable("BYOB_TEST_PYTHON").map(PathBuf::from)
}

fn left_out() {
    static SAID: Once = Once::new();
    let why = "the suite over HTTP needs BYOB_TEST_PYTHON, a Python with moto and boto3; tests/run makes one";
    assert!(variable("CI").is_none(), "{why}, and CI is set");
    SAID.call_once(|| {
        // Past the test runner's capture, which shows nothing of tests that pass.
        let _ = writeln!(std::io::stderr(), "LEFT OUT: {why}");
    });
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("suite/http").join(name)
}

/// Runs a helper script with nothing of our environment.
fn spawn(python: &Path, name: &str, arguments: &[&str]) -> Child {
    let mut command = Command::new(python);
    command.arg(script(name)).args(arguments).env_clear().env("PATH", "/usr/bin:/bin");
    command.env("PYTHONDONTWRITEBYTECODE", "1").env("AWS_EC2_METADATA_DISABLED", "true");
    command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command.spawn().unwrap_or_else(|error| panic!("{} {name}: {error}", python.display()))
}

/// Those of the environment where an endpoint was given with them, else such as emulators take.
fn given_keys() -> Keys {
    let given = variable("BYOB_TEST_ENDPOINT").is_some();
    let of_environment = |name| variable(name).filter(|_| given);
    let or_test = |name| of_environment(name).unwrap_or_else(|| "test".to_owned());
    (or_test("AWS_ACCESS_KEY_ID"), or_test("AWS_SECRET_ACCESS_KEY"), of_environment("AWS_SESSION_TOKEN"))
}

/// Starts a server that ends when this process does: its standard input is held by a static, and ends with us. Returns its
/// address, and what it said behind that.
fn serve(python: &Path, arguments: &[&str]) -> (String, String) {
    static SERVERS: Mutex<Vec<Child>> = Mutex::new(Vec::new());
    let mut child = spawn(python, "serve.py", arguments);
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("http://"), "serve.py {arguments:?} did not start: {line:?}");
    SERVERS.lock().unwrap_or_else(PoisonError::into_inner).push(child);
    let (url, rest) = line.trim_end().split_once(' ').unwrap_or((line.trim_end(), ""));
    (url.to_owned(), rest.to_owned())
}

/// One call of boto3.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    service: &'static str,
    operation: &'static str,
    params: Value,
}

impl Call {
    pub(crate) fn new(service: &'static str, operation: &'static str, params: Value) -> Self {
        Self { service, operation, params }
    }
}

/// `s3.put_bucket_cors(…)`.
pub(crate) fn s3(operation: &'static str, params: Value) -> Call {
    Call::new("s3", operation, params)
}

/// `kms.put_key_policy(…)`.
pub(crate) fn kms(operation: &'static str, params: Value) -> Call {
    Call::new("kms", operation, params)
}

/// Makes calls in one Python that lives as long as this process, because starting one takes as long as fifty calls.
fn call(url: &str, keys: &Keys, calls: &[Call]) -> Vec<Value> {
    static BOTO: OnceLock<Mutex<(Child, ChildStdin, BufReader<ChildStdout>)>> = OnceLock::new();
    let boto = BOTO.get_or_init(|| {
        let mut child = spawn(&python().unwrap(), "call.py", &[]);
        let pipes = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Mutex::new((child, pipes.0, pipes.1))
    });
    let calls: Vec<Value> = calls
        .iter()
        .map(|c| json!({ "service": c.service, "operation": c.operation, "region": REGION, "params": c.params }))
        .collect();
    let mut pipes = boto.lock().unwrap_or_else(PoisonError::into_inner);
    writeln!(pipes.1, "{}", json!({ "endpoint": url, "keys": keys, "calls": calls })).unwrap();
    let mut line = String::new();
    pipes.2.read_line(&mut line).unwrap();
    let mut answer: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("call.py: {e}: {line:?}"));
    match answer["answers"].take() {
        Value::Array(answers) => answers,
        other => panic!("call.py: {other}"),
    }
}

/// Where everything of this suite lives.
pub(crate) const REGION: &str = "us-east-1";

/// A machine with a `byob.toml`, pointed at an endpoint. Buckets and aliases carry names that no other test has, because
/// all tests share one endpoint and run side by side.
pub(crate) struct Customer {
    pub(crate) endpoint: &'static Endpoint,
    env: TestEnvironment,
    unique: String,
}

impl Customer {
    /// A customer whose `byob.toml` is made of `[aws]`, `[wandb]` and these tables, in which `UNIQUE` stands for what
    /// makes names this customer's own.
    pub(crate) fn new(endpoint: &'static Endpoint, deployment: &str, tables: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let stamp = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let unique = format!("byob-{stamp:x}-{:x}-{count}", std::process::id());
        let account = &endpoint.account;
        let head = format!(
            "version = 1\n[aws]\nregion = \"{REGION}\"\naccount_id = \"{account}\"\n[wandb]\n\
             deployment = \"{deployment}\"\n[tags]\nNamespace = \"WeightsBiases\"\n"
        );
        let text = format!("{head}{tables}").replace("UNIQUE", &unique);
        Self { endpoint, env: machine(endpoint, &text), unique }
    }

    /// Another machine, of somebody with these credentials, with the same `byob.toml` and a copy of the record.
    pub(crate) fn colleague(&self, endpoint: &'static Endpoint) -> Self {
        let env = machine(endpoint, &self.env.read("byob.toml"));
        if self.env.dir().join(RECORD).exists() {
            env.write(RECORD, &self.env.read(RECORD));
        }
        Self { endpoint, env, unique: self.unique.clone() }
    }

    /// A name of this customer's own.
    pub(crate) fn name(&self, suffix: &str) -> String {
        format!("{}-{suffix}", self.unique)
    }

    pub(crate) fn env(&self) -> &TestEnvironment {
        &self.env
    }

    /// Runs `byob` and insists on its exit code.
    #[track_caller]
    pub(crate) fn byob(&self, arguments: &str, code: i32) -> Output {
        let output = self.env.byob(arguments);
        assert_eq!(
            output.code,
            Some(code),
            "exit code of: byob {arguments}   ({})\n--- stdout\n{}\n--- stderr\n{}",
            self.endpoint.url,
            output.stdout,
            output.stderr
        );
        output
    }

    /// Makes calls past byob; every one must succeed.
    #[track_caller]
    pub(crate) fn boto(&self, calls: &[Call]) -> Vec<Value> {
        let answers = call(&self.endpoint.url, &self.endpoint.keys, calls);
        let mut wrong = String::new();
        for (call, answer) in calls.iter().zip(&answers) {
            if answer.get("error").is_some() {
                let _ = writeln!(wrong, "{}.{}({}): {answer}", call.service, call.operation, call.params);
            }
        }
        assert!(wrong.is_empty(), "boto3 at {}:\n{wrong}", self.endpoint.url);
        answers.into_iter().map(|mut answer| answer["ok"].take()).collect()
    }

    /// Makes calls past byob; in place of an answer an error's code stands.
    pub(crate) fn ask(&self, calls: &[Call]) -> Vec<Value> {
        let answers = call(&self.endpoint.url, &self.endpoint.keys, calls);
        answers
            .into_iter()
            .map(|mut answer| match answer.get("error") {
                Some(error) => error["code"].clone(),
                None => answer["ok"].take(),
            })
            .collect()
    }

    /// The record.
    pub(crate) fn record(&self) -> Value {
        serde_json::from_str(&self.env.read(RECORD)).unwrap()
    }

    /// What the record says a root is: the bucket's name, the key's ARN.
    pub(crate) fn identity(&self, address: &str) -> String {
        let record = self.record();
        let identity = &record["resources"][address]["identity"];
        identity.as_str().unwrap_or_else(|| panic!("{address} is not in {record:#}")).to_owned()
    }
}

const RECORD: &str = "state/byob.state.json";

fn machine(endpoint: &Endpoint, config: &str) -> TestEnvironment {
    let env = TestEnvironment::new(config)
        .with("AWS_ENDPOINT_URL", &endpoint.url)
        .with("AWS_REGION", REGION)
        .with("AWS_EC2_METADATA_DISABLED", "true")
        .with("AWS_ACCESS_KEY_ID", &endpoint.keys.0)
        .with("AWS_SECRET_ACCESS_KEY", &endpoint.keys.1);
    match &endpoint.keys.2 {
        Some(token) => env.with("AWS_SESSION_TOKEN", token),
        None => env,
    }
}

/// Makes, of each function over an endpoint, one test at each place.
macro_rules! at_both_places {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        mod $name {
            use crate::http::harness::{Place, endpoint};

            #[test]
            fn against_moto() {
                if let Some(endpoint) = endpoint(Place::Moto) {
                    super::$name(endpoint);
                }
            }

            #[test]
            fn against_the_served_sandbox() {
                if let Some(endpoint) = endpoint(Place::Sandbox) {
                    super::$name(endpoint);
                }
            }
        }
    )*};
}
pub(crate) use at_both_places;
