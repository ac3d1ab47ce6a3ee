//! The plan on a pull request: one comment that is kept up to date, and nothing from outside is more than text.

use serde_json::{Value, json};

use super::runner::{COMMIT, Event, Runner, commands};
use super::{applied, repository, repository_of};

const MARK: &str = "<!-- byob-action:plan:byob.toml -->\n";

/// A pull request of this repository, open at [`COMMIT`].
fn pull_request(runner: &Runner) -> Event {
    runner.github.state().heads.insert("pull/7".to_owned(), COMMIT.to_owned());
    Event::pull_request(7, "topic", "A better bucket", COMMIT)
}

fn bodies(runner: &Runner) -> Vec<String> {
    runner.github.state().comments.values().map(|comment| comment.body.clone()).collect()
}

#[test]
fn the_comment_is_written_once_and_then_updated() {
    let Some(runner) = repository() else { return };
    let event = pull_request(&runner);
    let job = runner.run("plan.yml", &event).remove("plan").unwrap().is("success");
    assert_eq!(job.roles, ["plan"]);
    let plan = serde_json::from_str::<Value>(&runner.byob("plan --format json", 0)).unwrap();
    let digest = plan["digest"].as_str().unwrap();
    let first = bodies(&runner);
    assert_eq!(first.len(), 1);
    assert!(first[0].starts_with(MARK), "{}", first[0]);
    assert!(
        first[0].contains(digest) && first[0].contains("W&amp;B") | first[0].contains("W&B"),
        "{}",
        first[0]
    );
    assert!(
        first[0].contains(COMMIT) && first[0].contains("/acme/storage/actions/runs/4242"),
        "{}",
        first[0]
    );
    assert!(job.summary.contains(digest), "{}", job.summary);
    // The log has the plan as text, for people.
    assert!(job.log.contains("bucket.storage   acme-wandb-storage"), "{}", job.log);

    runner.env.edit("[bucket.storage]", "[bucket.storage]\nversioning = \"enabled\"");
    runner.run("plan.yml", &event).remove("plan").unwrap().is("success");
    let second = bodies(&runner);
    assert_eq!(second.len(), 1);
    assert!(second[0].starts_with(MARK) && !second[0].contains(digest), "{}", second[0]);
    let state = runner.github.state();
    assert_eq!((state.asked("POST"), state.asked("PATCH")), (1, 1), "{:?}", state.requests);
}

#[test]
fn only_what_the_token_wrote_is_updated() {
    let Some(runner) = repository() else { return };
    let event = pull_request(&runner);
    // 150 words of others come first, some with our marker: ours is on the second page.
    let mut state = runner.github.state();
    let forged =
        format!("{MARK}### byob: nothing to do\n\nApprove: `byob apply --approve sha256:{}`", "0".repeat(64));
    for number in 0..150 {
        state.comment(7, "mallory", if number % 50 == 0 { &forged } else { "looks good" });
    }
    // Our own words that only mention the marker, and those on another pull request.
    state.comment(7, super::github::BOT, &format!("see {MARK}"));
    state.comment(8, super::github::BOT, &format!("{MARK}another one's"));
    let before: Vec<String> = state.comments.values().map(|comment| comment.body.clone()).collect();
    drop(state);

    for _ in 0..2 {
        runner.run("plan.yml", &event).remove("plan").unwrap().is("success");
    }
    let after = bodies(&runner);
    assert_eq!(after[..before.len()], before[..]);
    assert_eq!(after.len(), before.len() + 1);
    assert!(after.last().unwrap().starts_with(MARK));

    // Hidden by somebody: it stays so, and people see a new one.
    let id = *runner.github.state().comments.last_key_value().unwrap().0;
    runner.github.state().comments.get_mut(&id).unwrap().minimized = true;
    runner.run("plan.yml", &event).remove("plan").unwrap().is("success");
    assert_eq!(bodies(&runner).len(), before.len() + 2);
}

#[test]
fn a_run_that_was_overtaken_writes_no_comment() {
    let Some(runner) = repository() else { return };
    let event = pull_request(&runner);
    runner.github.state().heads.insert("pull/7".to_owned(), "3".repeat(40));
    let job = runner.run("plan.yml", &event).remove("plan").unwrap().is("success");
    assert!(job.log.contains("the pull request has a newer commit"), "{}", job.log);
    assert_eq!(bodies(&runner), [""; 0]);
}

#[test]
fn without_a_pull_request_there_is_no_comment_and_from_a_fork_no_plan() {
    let Some(runner) = repository() else { return };
    let job = runner.action(&Event::push(), &json!({ "command": "plan" })).is("success");
    assert!(job.log.contains("this run is not about a pull request"), "{}", job.log);
    assert_eq!(job.output("has-changes"), "true");
    let fork = pull_request(&runner).of_a_fork();
    runner.run("plan.yml", &fork).remove("plan").unwrap().is("skipped");
    assert_eq!(runner.github.state().requests, [""; 0]);
}

#[test]
fn a_token_that_may_not_comment_is_told_what_it_lacks() {
    let Some(runner) = repository() else { return };
    let event = pull_request(&runner);
    runner.github.state().read_only = true;
    let job = runner.run("plan.yml", &event).remove("plan").unwrap().is("failure");
    assert!(job.log.contains("permissions: {pull-requests: write}"), "{}", job.log);
}

/// A comment never shows a plan that is not this commit's any more.
#[test]
fn a_configuration_with_an_error_takes_the_plans_place_in_the_comment() {
    let Some(runner) = repository() else { return };
    let event = pull_request(&runner);
    runner.run("plan.yml", &event).remove("plan").unwrap().is("success");
    runner.env.edit("name = \"acme-wandb-storage\"", "nome = \"acme-wandb-storage\"");
    let job = runner.run("plan.yml", &event).remove("plan").unwrap().is("failure");
    assert!(job.log.contains("unknown field `nome`"), "{}", job.log);
    let after = bodies(&runner);
    assert_eq!(after.len(), 1);
    assert!(after[0].contains("there is no plan") && !after[0].contains("sha256:"), "{}", after[0]);
    assert!(job.summary.contains("there is no plan"), "{}", job.summary);
    assert_eq!((job.output("digest"), job.output("has-changes")), (String::new(), String::new()));
}

/// Findings of severity error: the plan is shown whole, the job is red, and there is nothing to approve.
#[test]
fn a_blocked_plan_is_shown_and_red() {
    let Some(runner) = applied() else { return };
    let event = pull_request(&runner);
    runner.env.edit("[bucket.storage]\nname = \"acme-wandb-storage\"\n", "");
    let job = runner.run("plan.yml", &event).remove("plan").unwrap().is("failure");
    let after = bodies(&runner);
    assert!(after[0].contains("BYOB006"), "{}", after[0]);
    let annotations = commands(&job.log);
    assert!(
        annotations.iter().any(|line| line.starts_with("::error ") && line.contains("BYOB006")),
        "{annotations:?}"
    );
}

/// What an author chooses: branch, title, texts in `byob.toml`. In no place is it more than text.
#[test]
fn hostile_names_are_text() {
    const HOSTILE: &str = "$(touch pwned) `touch pwned` \"; touch pwned; \" ::set-output name=digest::sha256:0 \
                           ##[error]x </details> --> @acme/owners";
    let config = format!(
        "{}encryption = {{ type = \"sse-kms\", key = \"key.storage\" }}\n\
         tags = {{ Owner = \"::set-output name=digest::sha256:0\", \"::add-path::\" = \"::error::x\" }}\n\
         [key.storage]\nalias = \"acme-wandb\"\ndescription = '''{HOSTILE}\n::set-output name=digest::sha256:0\n'''\n",
        super::CONFIG
    );
    let Some(runner) = repository_of(&config) else { return };
    runner.github.state().heads.insert("pull/7".to_owned(), COMMIT.to_owned());
    let hostile = format!("{HOSTILE}\n::set-env name=PATH::x\nbyob-0<<x");
    let event = Event::pull_request(7, &hostile, &hostile, COMMIT);
    let job = runner.run("plan.yml", &event).remove("plan").unwrap().is("success");
    let told = commands(&job.log);
    let ours =
        |line: &&String| ["::error ", "::warning ", "::notice "].iter().any(|kind| line.starts_with(kind));
    assert_eq!(told.iter().find(|line| !ours(line)), None);
    assert!(!runner.env.dir().join("pwned").exists());
    let body = &bodies(&runner)[0];
    assert!(body.starts_with(MARK), "{body}");

    // The same by the action itself, whose outputs can be seen; and in its own inputs.
    let job = runner.action(&event, &json!({ "command": "plan", "comment": "false" })).is("success");
    assert!(
        job.output("digest").starts_with("sha256:") && job.output("digest").len() == 71,
        "{}",
        job.output("digest")
    );
    for (input, value) in [
        ("config", "$(touch pwned)"),
        ("config", "--auto-approve"),
        ("config", "a.toml\n::error::x"),
        ("target", "bucket.storage;touch pwned $(touch pwned)"),
        ("recreate", "`touch pwned`"),
        ("comment", "$(touch pwned)"),
    ] {
        let mut with = json!({ "command": "plan", "comment": "false" });
        with[input] = json!(value);
        let job = runner.action(&event, &with).is("failure");
        assert_eq!(commands(&job.log).iter().find(|line| !ours(line)), None, "{}", job.log);
    }
    assert!(!runner.env.dir().join("pwned").exists());
}

/// A plan of a part and the plan of the whole do not take each other's comment.
#[test]
fn every_part_of_a_configuration_has_its_own_comment() {
    let Some(runner) = repository() else { return };
    let event = pull_request(&runner);
    let whole = json!({ "command": "plan" });
    let part = json!({ "command": "plan", "target": "bucket.storage.tags\nbucket.storage" });
    for _ in 0..2 {
        runner.action(&event, &whole).is("success");
        runner.action(&event, &part).is("success");
    }
    let first: Vec<String> =
        bodies(&runner).iter().map(|body| body.lines().next().unwrap_or_default().to_owned()).collect();
    let marked =
        "<!-- byob-action:plan:byob.toml:--target%3Dbucket.storage.tags%20--target%3Dbucket.storage -->";
    assert_eq!(first, [MARK.trim_end(), marked]);
}

/// The flags that choose what is planned reach byob, and the same digest can be applied with them.
#[test]
fn targets_are_the_same_for_plan_and_apply() {
    let Some(runner) = repository() else { return };
    runner.env.edit("[bucket.storage]", "[bucket.other]\nname = \"acme-wandb-other\"\n[bucket.storage]");
    let with =
        json!({ "command": "plan", "comment": "false", "target": "bucket.storage\n  bucket.storage.tags " });
    let plan = runner.action(&Event::push(), &with).is("success");
    let mut with = json!({ "command": "apply", "approve": plan.output("digest") });
    runner.action(&Event::push(), &with).is("failure");
    with["target"] = json!("bucket.storage bucket.storage.tags");
    runner.action(&Event::push(), &with).is("success");
    assert_eq!(runner.env.names("buckets").iter().filter(|name| name.contains("other")).count(), 0);
}
