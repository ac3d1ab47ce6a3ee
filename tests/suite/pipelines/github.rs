//! GitHub's API on loopback, as far as the action asks it: comments, issues, labels, heads of branches and pull requests.
//! It also serves releases. It knows nothing of byob; what it is asked, it remembers.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use serde_json::{Value, json};

/// Whose words the token writes.
pub(crate) const BOT: &str = "github-actions[bot]";
/// The token of every run.
pub(crate) const TOKEN: &str = "ghs_0123456789abcdef";
/// The repository of the customer.
pub(crate) const REPOSITORY: &str = "acme/storage";

/// A comment on a pull request or an issue.
#[derive(Debug, Clone)]
pub(crate) struct Comment {
    pub(crate) number: u64,
    pub(crate) author: String,
    pub(crate) body: String,
    pub(crate) minimized: bool,
}

/// An issue.
#[derive(Debug, Clone)]
pub(crate) struct Issue {
    pub(crate) author: String,
    /// Who changed the body last.
    pub(crate) editor: Option<String>,
    pub(crate) title: String,
    pub(crate) body: String,
    pub(crate) open: bool,
    pub(crate) labels: Vec<String>,
}

/// What is in the repository.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// By their ids.
    pub(crate) comments: BTreeMap<u64, Comment>,
    /// By their numbers.
    pub(crate) issues: BTreeMap<u64, Issue>,
    pub(crate) labels: BTreeSet<String>,
    /// The heads of branches and, by `pull/N`, of pull requests.
    pub(crate) heads: BTreeMap<String, String>,
    /// Files of releases, by their paths.
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    /// `METHOD PATH` of every request; of GraphQL the first line of the query that is no comment.
    pub(crate) requests: Vec<String>,
    /// The token may read, and write nothing.
    pub(crate) read_only: bool,
    /// How many of the next questions the gateway answers with 502.
    pub(crate) bad_gateway: u32,
}

impl State {
    /// Writes a comment past the action.
    pub(crate) fn comment(&mut self, number: u64, author: &str, body: &str) -> u64 {
        // Ids do not fit into 32 bits any more.
        let id = 3_000_000_000 + self.comments.len() as u64;
        let (author, body) = (author.to_owned(), body.to_owned());
        self.comments.insert(id, Comment { number, author, body, minimized: false });
        id
    }

    /// How many requests of this kind there were.
    pub(crate) fn asked(&self, start: &str) -> usize {
        self.requests.iter().filter(|request| request.starts_with(start)).count()
    }
}

/// The server. It ends with the test process.
pub(crate) struct GitHub {
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
}

impl GitHub {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                thread::spawn(move || serve(stream, &state));
            }
        });
        Self { url, state }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn serve(mut stream: TcpStream, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let mut words = line.split_whitespace();
    let (Some(method), Some(path)) = (words.next(), words.next()) else { return };
    let (mut length, mut authorized) = (0, false);
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).unwrap();
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap(),
            "authorization" => authorized = value == format!("Bearer {TOKEN}"),
            "expect" => stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    let file = state.files.get(path).cloned();
    let (status, answer) = match file {
        Some(file) => (200, file),
        None => {
            let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
            let (status, answer) = if authorized {
                answer(&mut state, method, path, &body)
            } else {
                (401, json!({ "message": "Bad credentials" }))
            };
            (status, answer.to_string().into_bytes())
        }
    };
    drop(state);
    let head =
        format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", answer.len());
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&answer));
}

fn answer(state: &mut State, method: &str, path: &str, body: &Value) -> (u16, Value) {
    if state.bad_gateway > 0 {
        state.bad_gateway -= 1;
        return (502, Value::Null);
    }
    if path == "/graphql" {
        let query = body["query"].as_str().unwrap_or_default();
        state.requests.push(format!("QUERY {}", query.lines().nth(1).unwrap_or_default()));
        return (200, json!({ "data": { "repository": page(state, query, &body["variables"]) } }));
    }
    state.requests.push(format!("{method} {path}"));
    let Some(rest) = path.strip_prefix(&format!("/repos/{REPOSITORY}/")) else { return not_found() };
    if state.read_only && method != "GET" {
        return (403, json!({ "message": "Resource not accessible by integration" }));
    }
    let parts: Vec<&str> = rest.split('/').collect();
    let number = |at: usize| parts.get(at).and_then(|part: &&str| part.parse().ok()).unwrap_or(0);
    let text = |name: &str| body[name].as_str().map(str::to_owned);
    match (method, parts.as_slice()) {
        ("GET", ["git", "ref", "heads", ..]) => match state.heads.get(&decoded(&parts[3..].join("/"))) {
            Some(head) => (200, json!({ "object": { "sha": head } })),
            None => not_found(),
        },
        ("GET", ["labels", label]) if state.labels.contains(*label) => (200, json!({ "name": label })),
        ("POST", ["labels"]) => {
            state.labels.insert(text("name").unwrap());
            (201, json!({}))
        }
        ("POST", ["issues", _, "comments"]) => {
            let id = state.comment(number(1), BOT, &text("body").unwrap());
            (201, json!({ "id": id }))
        }
        ("PATCH", ["issues", "comments", _]) => match state.comments.get_mut(&number(2)) {
            Some(comment) => {
                comment.body = text("body").unwrap();
                (200, json!({}))
            }
            None => not_found(),
        },
        ("POST", ["issues"]) => {
            let labels: Vec<String> = serde_json::from_value(body["labels"].clone()).unwrap();
            assert!(labels.iter().all(|label| state.labels.contains(label)), "{labels:?} are not there");
            let issue = Issue {
                author: BOT.to_owned(),
                editor: None,
                title: text("title").unwrap(),
                body: text("body").unwrap(),
                open: true,
                labels,
            };
            let number = 100 + state.issues.len() as u64;
            state.issues.insert(number, issue);
            (201, json!({ "number": number }))
        }
        ("PATCH", ["issues", _]) => match state.issues.get_mut(&number(1)) {
            Some(issue) => {
                issue.body = text("body").unwrap();
                issue.editor = Some(BOT.to_owned());
                if let Some(state) = text("state") {
                    issue.open = state == "open";
                }
                (200, json!({}))
            }
            None => not_found(),
        },
        _ => not_found(),
    }
}

/// A path without its percent signs.
fn decoded(path: &str) -> String {
    assert!(!path.contains("%2F"), "a slash of a branch is a slash of the path: {path}");
    let mut bytes = Vec::new();
    let mut rest = path.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        match (first, after) {
            (b'%', [high, low, after @ ..]) => {
                let digits = [*high, *low].map(char::from).iter().collect::<String>();
                bytes.push(u8::from_str_radix(&digits, 16).unwrap());
                rest = after;
            }
            _ => bytes.push(*first),
        }
    }
    String::from_utf8(bytes).unwrap()
}

fn not_found() -> (u16, Value) {
    (404, json!({ "message": "Not Found" }))
}

/// One page of at most 100; the cursor is how many came before it.
fn page(state: &State, query: &str, variables: &Value) -> Value {
    assert_eq!(variables["owner"], "acme", "{variables}");
    assert_eq!(variables["name"], "storage", "{variables}");
    let from: usize = variables["after"].as_str().map_or(0, |after| after.parse().unwrap());
    let cut = |nodes: Vec<Value>| {
        let all = nodes.len();
        let nodes: Vec<Value> = nodes.into_iter().skip(from).take(100).collect();
        let to = from + nodes.len();
        json!({ "nodes": nodes, "pageInfo": { "hasNextPage": to < all, "endCursor": to.to_string() } })
    };
    if query.contains("pullRequest(") {
        let number = variables["number"].as_u64().unwrap();
        let of_this = state.comments.iter().filter(|(_, comment)| comment.number == number);
        let nodes = of_this.map(|(id, comment)| {
            json!({
                "fullDatabaseId": id.to_string(),
                "body": comment.body,
                "isMinimized": comment.minimized,
                "viewerDidAuthor": comment.author == BOT,
            })
        });
        let head = state.heads.get(&format!("pull/{number}"));
        json!({ "pullRequest": { "headRefOid": head, "comments": cut(nodes.collect()) } })
    } else {
        assert!(query.contains("issues("), "{query}");
        let labelled = |issue: &&Issue| issue.labels.iter().any(|label| *label == variables["label"]);
        assert!(query.contains("lastEditedAt") && query.contains("editor {"), "{query}");
        let actor = |login: &String| {
            let kind = if login == BOT { "Bot" } else { "User" };
            json!({ "__typename": kind, "login": login.trim_end_matches("[bot]") })
        };
        let nodes = state.issues.iter().filter(|(_, issue)| labelled(issue)).map(|(number, issue)| {
            json!({
                "number": number,
                "body": issue.body,
                "state": if issue.open { "OPEN" } else { "CLOSED" },
                "viewerDidAuthor": issue.author == BOT,
                "lastEditedAt": issue.editor.as_ref().map(|_| "2026-11-28T00:00:00Z"),
                "author": actor(&issue.author),
                "editor": issue.editor.as_ref().map(actor),
            })
        });
        json!({ "issues": cut(nodes.collect()) })
    }
}
