//! A runner for the shipped workflows: it reads the very files, and runs their steps as GitHub's runner does, in a checked
//! out repository, against the served sandbox and the stand-in for GitHub's API. Of other people's actions it knows what
//! they leave behind.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Map, Value, json};

use super::expression::{fill, holds};
use super::github::{GitHub, REPOSITORY, TOKEN};
use crate::common::{TestEnvironment, byob_binary};

/// The commit that every run is for, unless it says otherwise.
pub(crate) const COMMIT: &str = "1111111111111111111111111111111111111111";

/// What GitHub tells a run.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    name: &'static str,
    git_ref: String,
    sha: String,
    payload: Value,
    head_ref: String,
}

impl Event {
    /// A commit on the default branch.
    pub(crate) fn push() -> Self {
        Self::on("push", "refs/heads/main")
    }

    /// The hour.
    pub(crate) fn schedule() -> Self {
        Self::on("schedule", "refs/heads/main")
    }

    fn on(name: &'static str, git_ref: &str) -> Self {
        let (git_ref, sha) = (git_ref.to_owned(), COMMIT.to_owned());
        Self { name, git_ref, sha, payload: json!({}), head_ref: String::new() }
    }

    /// The same for another branch.
    pub(crate) fn branch(mut self, branch: &str) -> Self {
        self.git_ref = format!("refs/heads/{branch}");
        self
    }

    /// A pull request from this branch, with this title, at this commit. The run itself is for the merge commit.
    pub(crate) fn pull_request(number: u64, branch: &str, title: &str, head: &str) -> Self {
        let mut event = Self::on("pull_request", &format!("refs/pull/{number}/merge"));
        event.sha = "9999999999999999999999999999999999999999".to_owned();
        event.head_ref = branch.to_owned();
        event.payload = json!({
            "pull_request": {
                "number": number,
                "title": title,
                "head": { "sha": head, "ref": branch, "repo": { "full_name": REPOSITORY } },
            },
        });
        event
    }

    /// The same from a fork.
    pub(crate) fn of_a_fork(mut self) -> Self {
        self.payload["pull_request"]["head"]["repo"]["full_name"] = json!("mallory/storage");
        self
    }
}

/// How a job went.
#[derive(Debug, Default)]
pub(crate) struct Job {
    /// `success`, `failure` or `skipped`.
    pub(crate) result: &'static str,
    /// Everything that its steps printed.
    pub(crate) log: String,
    /// The job's summary.
    pub(crate) summary: String,
    pub(crate) outputs: Map<String, Value>,
    /// The roles it became.
    pub(crate) roles: Vec<String>,
    /// The exit code of the step that failed.
    pub(crate) code: Option<i32>,
}

impl Job {
    #[track_caller]
    pub(crate) fn is(self, result: &str) -> Self {
        assert_eq!(self.result, result, "exit code {:?}; log:\n{}", self.code, self.log);
        self
    }

    /// An output as text; empty where there is none.
    pub(crate) fn output(&self, name: &str) -> String {
        self.outputs.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    }
}

/// `byob sandbox serve` over the world of a machine. Ends with the test.
struct Served {
    process: Child,
    url: String,
}

impl Served {
    fn start(env: &TestEnvironment) -> Self {
        let mut process = env.command("sandbox serve --port 0").stderr(Stdio::null()).spawn().unwrap();
        let mut url = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut url).unwrap();
        assert!(url.starts_with("http://"), "the sandbox is not served: {url:?}");
        Self { process, url: url.trim_end().to_owned() }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A customer's repository with its workflows, and the world that they work on.
pub(crate) struct Runner {
    /// The checked out repository.
    pub(crate) env: TestEnvironment,
    pub(crate) github: GitHub,
    aws: Served,
    temp: PathBuf,
    count: AtomicU32,
    /// Once this file is there, the job is cancelled.
    pub(crate) cancel: Option<PathBuf>,
}

/// The repository of the action, which is this one.
pub(crate) fn home() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// A YAML file of this repository.
pub(crate) fn yaml(path: impl AsRef<Path>) -> Value {
    let path = home().join(path);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

impl Runner {
    /// A repository with this `byob.toml`; `main` is at [`COMMIT`].
    pub(crate) fn new(config: &str) -> Self {
        let env = TestEnvironment::new(config);
        let aws = Served::start(&env);
        let github = GitHub::start();
        github.state().heads.insert("main".to_owned(), COMMIT.to_owned());
        let temp = env.home().join("runner-temp");
        std::fs::create_dir(&temp).unwrap();
        Self { env, github, aws, temp, count: AtomicU32::new(0), cancel: None }
    }

    /// The variables by which the AWS SDK finds this world.
    pub(crate) fn aws(&self) -> BTreeMap<String, String> {
        [
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("AWS_ENDPOINT_URL", self.aws.url.as_str()),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    /// byob itself, past the pipelines.
    #[track_caller]
    pub(crate) fn byob(&self, arguments: &str, code: i32) -> String {
        let mut command = self.env.command(arguments);
        command.envs(self.aws());
        self.env.finish(command.spawn().unwrap()).exits(code).stdout
    }

    /// Runs every job of a shipped workflow, in their order.
    pub(crate) fn run(&self, workflow: &str, event: &Event) -> BTreeMap<String, Job> {
        self.run_with(workflow, event, &json!({ "byob-path": byob_binary() }))
    }

    /// The same, with further inputs for the steps that use the action.
    pub(crate) fn run_with(&self, workflow: &str, event: &Event, with: &Value) -> BTreeMap<String, Job> {
        let workflow = yaml(Path::new("docs/ci/github").join(workflow));
        let mut waiting: Vec<(&String, &Value)> = workflow["jobs"].as_object().unwrap().iter().collect();
        let mut done: BTreeMap<String, Job> = BTreeMap::new();
        while !waiting.is_empty() {
            let ready = |(_, job): &(&String, &Value)| {
                job["needs"].as_str().is_none_or(|need| done.contains_key(need))
            };
            let at = waiting.iter().position(ready).expect("the jobs wait for each other");
            let (name, job) = waiting.remove(at);
            let result = self.job(job, event, &done, with);
            done.insert(name.clone(), result);
        }
        done
    }

    /// Runs one job again, with what the others ended with the first time.
    pub(crate) fn run_again(
        &self,
        workflow: &str,
        job: &str,
        event: &Event,
        done: &BTreeMap<String, Job>,
    ) -> Job {
        let workflow = yaml(Path::new("docs/ci/github").join(workflow));
        self.job(&workflow["jobs"][job], event, done, &json!({ "byob-path": byob_binary() }))
    }

    /// Runs the action by itself.
    pub(crate) fn action(&self, event: &Event, with: &Value) -> Job {
        let mut given = json!({ "byob-path": byob_binary() });
        merge(&mut given, with);
        let step = json!({ "uses": "OWNER/byob@0", "id": "byob", "with": given });
        let outputs = json!({
            "digest": "${{ steps.byob.outputs.digest }}",
            "exitcode": "${{ steps.byob.outputs.exitcode }}",
            "has-changes": "${{ steps.byob.outputs.has-changes }}",
        });
        let credentials =
            json!({ "uses": "aws-actions/configure-aws-credentials@0", "with": { "role-to-assume": "x" } });
        let job = json!({ "steps": [credentials, step], "outputs": outputs });
        self.job(&job, event, &BTreeMap::new(), &json!({}))
    }

    fn job(&self, job: &Value, event: &Event, done: &BTreeMap<String, Job>, with: &Value) -> Job {
        let needs: Map<String, Value> = done
            .iter()
            .map(|(name, job)| (name.clone(), json!({ "outputs": job.outputs, "result": job.result })))
            .collect();
        let mut context = json!({
            "github": {
                "event_name": event.name,
                "event": event.payload,
                "ref": event.git_ref,
                "repository": REPOSITORY,
                "action_repository": "OWNER/byob",
                "token": TOKEN,
            },
            "vars": { "BYOB_PLAN_ROLE": "plan", "BYOB_APPLY_ROLE": "apply", "BYOB_DRIFT_ROLE": "drift", "AWS_REGION": "us-east-1" },
            "needs": needs,
            "steps": {},
        });
        let needed = job["needs"].as_str().is_none_or(|need| done[need].result == "success");
        if !needed || !job["if"].as_str().is_none_or(|condition| holds(condition, &context)) {
            return Job { result: "skipped", ..Job::default() };
        }
        let mut machine = Machine::new(self, event);
        let mut ended = Job { result: "success", ..Job::default() };
        for step in job["steps"].as_array().unwrap() {
            let (outputs, code) = machine.step(step, &context, with);
            if let Some(id) = step["id"].as_str() {
                context["steps"][id] = json!({ "outputs": outputs });
            }
            if code != 0 {
                ended.result = "failure";
                ended.code = Some(code);
                break;
            }
        }
        for (name, value) in job["outputs"].as_object().into_iter().flatten() {
            ended.outputs.insert(name.clone(), fill(value.as_str().unwrap(), &context).into());
        }
        ended.log = machine.log;
        ended.summary = std::fs::read_to_string(&machine.files["GITHUB_STEP_SUMMARY"]).unwrap();
        ended.roles = machine.roles;
        let left: Vec<_> =
            std::fs::read_dir(&self.temp).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        let of_work = |name: &&std::ffi::OsString| !name.to_string_lossy().starts_with("byob-bin-");
        assert_eq!(left.iter().find(of_work), None, "a step left its work behind");
        ended
    }
}

/// What lasts from step to step of a job.
struct Machine<'a> {
    runner: &'a Runner,
    variables: BTreeMap<String, String>,
    files: BTreeMap<&'static str, PathBuf>,
    log: String,
    roles: Vec<String>,
}

impl<'a> Machine<'a> {
    fn new(runner: &'a Runner, event: &Event) -> Self {
        let number = runner.count.fetch_add(1, Ordering::Relaxed);
        let folder = runner.env.home().join(format!("job-{number}"));
        std::fs::create_dir(&folder).unwrap();
        let files: BTreeMap<&str, PathBuf> =
            ["GITHUB_OUTPUT", "GITHUB_PATH", "GITHUB_ENV", "GITHUB_STEP_SUMMARY"]
                .map(|name| {
                    let path = folder.join(name);
                    std::fs::write(&path, "").unwrap();
                    (name, path)
                })
                .into();
        let event_path = folder.join("event.json");
        std::fs::write(&event_path, event.payload.to_string()).unwrap();
        let api = &runner.github.url;
        let mut variables: BTreeMap<String, String> = [
            ("CI", "true"),
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_API_URL", api),
            ("GITHUB_GRAPHQL_URL", &format!("{api}/graphql")),
            ("GITHUB_SERVER_URL", "https://github.com"),
            ("GITHUB_REPOSITORY", REPOSITORY),
            ("GITHUB_EVENT_NAME", event.name),
            ("GITHUB_EVENT_PATH", event_path.to_str().unwrap()),
            ("GITHUB_REF", &event.git_ref),
            ("GITHUB_REF_NAME", event.git_ref.trim_start_matches("refs/heads/")),
            ("GITHUB_HEAD_REF", &event.head_ref),
            ("GITHUB_SHA", &event.sha),
            ("GITHUB_RUN_ID", "4242"),
            ("GITHUB_WORKSPACE", runner.env.dir().to_str().unwrap()),
            ("RUNNER_TEMP", runner.temp.to_str().unwrap()),
            ("HOME", runner.env.home().to_str().unwrap()),
            ("PATH", "/usr/bin:/bin"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        variables.extend(files.iter().map(|(name, path)| ((*name).to_owned(), path.display().to_string())));
        Self { runner, variables, files, log: String::new(), roles: Vec::new() }
    }

    /// One step of a workflow: its outputs and its exit code.
    fn step(&mut self, step: &Value, context: &Value, with: &Value) -> (Map<String, Value>, i32) {
        let Some(uses) = step["uses"].as_str() else { return self.shell(step, context, &BTreeMap::new()) };
        let inputs = &step["with"];
        match uses.split_once('@').unwrap().0 {
            // The repository is there already.
            "actions/checkout" => assert_eq!(inputs["persist-credentials"], false),
            "aws-actions/configure-aws-credentials" => {
                self.roles.push(fill(inputs["role-to-assume"].as_str().unwrap(), context));
                self.variables.extend(self.runner.aws());
            }
            "OWNER/byob" => {
                let mut given = inputs.clone();
                merge(&mut given, with);
                return self.action(&given, context);
            }
            other => panic!("the runner does not know {other}"),
        }
        (Map::new(), 0)
    }

    /// The action of this repository, from its file.
    fn action(&mut self, given: &Value, context: &Value) -> (Map<String, Value>, i32) {
        let action = yaml("action.yml");
        let declared = action["inputs"].as_object().unwrap();
        let unknown = given.as_object().unwrap().keys().find(|name| !declared.contains_key(*name));
        assert_eq!(unknown, None, "no such input");
        let inputs: Map<String, Value> = declared
            .iter()
            .map(|(name, input)| {
                let value = given[name].as_str().or(input["default"].as_str());
                let value = value.unwrap_or_else(|| panic!("{name} must be given"));
                (name.clone(), fill(value, context).into())
            })
            .collect();
        let mut inner = json!({ "inputs": inputs, "github": context["github"], "steps": {} });
        let path = BTreeMap::from([("GITHUB_ACTION_PATH".to_owned(), home().display().to_string())]);
        let mut code = 0;
        for step in action["runs"]["steps"].as_array().unwrap() {
            let (outputs, ended) = self.shell(step, &inner, &path);
            if let Some(id) = step["id"].as_str() {
                inner["steps"][id] = json!({ "outputs": outputs });
            }
            code = ended;
            if code != 0 {
                break;
            }
        }
        let outputs = action["outputs"].as_object().unwrap();
        let outputs = outputs.iter().map(|(name, output)| {
            (name.clone(), Value::String(fill(output["value"].as_str().unwrap(), &inner)))
        });
        (outputs.collect(), code)
    }

    /// A step of shell, as the runner starts it: from a file, with bash's strict options.
    fn shell(
        &mut self,
        step: &Value,
        context: &Value,
        more: &BTreeMap<String, String>,
    ) -> (Map<String, Value>, i32) {
        assert!(!step["run"].as_str().unwrap().contains("${{"), "an expression in a script: {step}");
        let script = self.files["GITHUB_OUTPUT"].with_file_name("step.sh");
        std::fs::write(&script, step["run"].as_str().unwrap()).unwrap();
        std::fs::write(&self.files["GITHUB_OUTPUT"], "").unwrap();
        let added = std::fs::read_to_string(&self.files["GITHUB_PATH"]).unwrap();
        let path: Vec<&str> = added.lines().rev().chain([self.variables["PATH"].as_str()]).collect();
        let folder =
            step["working-directory"].as_str().map_or(".".to_owned(), |folder| fill(folder, context));
        let log = self.files["GITHUB_OUTPUT"].with_file_name("log");
        let file = std::fs::File::create(&log).unwrap();
        let mut command = Command::new("bash");
        command.args(["--noprofile", "--norc", "-e", "-o", "pipefail"]).arg(&script);
        command.current_dir(self.runner.env.dir().join(folder)).env_clear().envs(&self.variables).envs(more);
        command.env("PATH", path.join(":"));
        for (name, value) in step["env"].as_object().into_iter().flatten() {
            command.env(name, fill(value.as_str().unwrap(), context));
        }
        command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        let mut child = command.spawn().unwrap();
        if let Some(sign) = &self.runner.cancel {
            while !sign.exists() && child.try_wait().unwrap().is_none() {
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            if child.try_wait().unwrap().is_none() {
                // To the step's process alone, as the runner does it: INT, and after a while TERM.
                for (signal, pause) in [("-INT", 500), ("-TERM", 0)] {
                    Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
                    std::thread::sleep(std::time::Duration::from_millis(pause));
                }
            }
        }
        let code = child.wait().unwrap().code().unwrap_or(-1);
        self.log.push_str(&std::fs::read_to_string(&log).unwrap());
        (outputs(&std::fs::read_to_string(&self.files["GITHUB_OUTPUT"]).unwrap()), code)
    }
}

fn merge(into: &mut Value, from: &Value) {
    for (name, value) in from.as_object().unwrap() {
        into[name] = value.clone();
    }
}

/// A file of outputs, as the runner reads it.
fn outputs(text: &str) -> Map<String, Value> {
    let mut outputs = Map::new();
    let mut ends = BTreeSet::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let (name, value) = match line.split_once("<<") {
            Some((name, end)) => {
                // Drawn by lot: a value that held the delimiter could write another output.
                assert!(end.len() > 30 && ends.insert(end), "{text}");
                let value: Vec<&str> = lines.by_ref().take_while(|line| *line != end).collect();
                (name, value.join("\n"))
            }
            None => {
                let (name, value) = line.split_once('=').unwrap_or_else(|| panic!("no output: {line}"));
                (name, value.to_owned())
            }
        };
        outputs.insert(name.to_owned(), value.into());
    }
    outputs
}

/// What of a log the runner would take for commands: lines that begin with `::`, or hold `##[`, while no stop-commands is
/// in force.
pub(crate) fn commands(log: &str) -> Vec<String> {
    let mut stopped: Option<String> = None;
    let mut commands = Vec::new();
    for line in log.lines().map(str::trim) {
        match &stopped {
            Some(token) if line == format!("::{token}::") => stopped = None,
            Some(_) => {}
            None => match line.strip_prefix("::stop-commands::") {
                Some(token) => stopped = Some(token.to_owned()),
                None if line.starts_with("::") || line.contains("##[") => commands.push(line.to_owned()),
                None => {}
            },
        }
    }
    assert_eq!(stopped, None, "commands were not taken up again");
    commands
}
