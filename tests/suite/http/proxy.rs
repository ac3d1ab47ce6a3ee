//! A proxy between `byob` and an endpoint that counts requests and makes trouble at one of them. One request a connection;
//! nothing of AWS is known here but which requests write.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What happens at one request, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Nothing.
    None,
    /// Once the Nth request has had its effect, the process is killed, and never sees the answer.
    Kill(u32),
    /// The Nth request that writes has its effect, and the connection ends without an answer.
    LoseWrite(u32),
}

/// A proxy, and what it has seen.
pub(crate) struct Proxy {
    pub(crate) url: String,
    seen: Arc<Seen>,
}

#[derive(Debug)]
struct Seen {
    upstream: String,
    trouble: Mutex<Trouble>,
    requests: AtomicU32,
    writes: AtomicU32,
    troubled: AtomicBool,
    log: Mutex<Vec<String>>,
    child: Mutex<Option<u32>>,
    /// Writes go on one after the other. A condition of S3 is looked at and acted upon at once; moto looks, and then acts.
    writing: Mutex<()>,
    ended: AtomicBool,
}

impl Proxy {
    /// In front of `http://127.0.0.1:PORT`.
    pub(crate) fn start(upstream: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Seen {
            upstream: upstream.strip_prefix("http://").unwrap().trim_end_matches('/').to_owned(),
            trouble: Mutex::new(Trouble::None),
            requests: AtomicU32::new(0),
            writes: AtomicU32::new(0),
            troubled: AtomicBool::new(false),
            log: Mutex::default(),
            child: Mutex::default(),
            writing: Mutex::default(),
            ended: AtomicBool::new(false),
        });
        let theirs = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if theirs.ended.load(Ordering::SeqCst) {
                    return;
                }
                let seen = Arc::clone(&theirs);
                std::thread::spawn(move || seen.answer(stream));
            }
        });
        Self { url, seen }
    }

    /// Orders trouble from now on; what was counted so far is forgotten.
    pub(crate) fn order(&self, trouble: Trouble) {
        *self.seen.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
        self.seen.requests.store(0, Ordering::SeqCst);
        self.seen.writes.store(0, Ordering::SeqCst);
        self.seen.troubled.store(false, Ordering::SeqCst);
        self.seen.log.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Starts a command that reaches the endpoint through here.
    pub(crate) fn spawn(&self, mut command: Command) -> Child {
        let mut pid = self.seen.child.lock().unwrap_or_else(PoisonError::into_inner);
        let child = command.env("AWS_ENDPOINT_URL", &self.url).spawn().unwrap();
        *pid = Some(child.id());
        child
    }

    /// Whether the request that trouble was ordered for came.
    pub(crate) fn troubled(&self) -> bool {
        self.seen.troubled.load(Ordering::SeqCst)
    }

    /// The requests that wrote, in order of their answers.
    pub(crate) fn writes(&self) -> Vec<String> {
        self.seen.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.seen.ended.store(true, Ordering::SeqCst);
        // Wakes the listener, so that it ends.
        let _ = TcpStream::connect(self.url.trim_start_matches("http://"));
    }
}

impl Seen {
    fn answer(&self, mut stream: TcpStream) {
        let Some((head, body)) = request(&mut stream) else { return };
        let number = self.requests.fetch_add(1, Ordering::SeqCst) + 1;
        let name = name(&head);
        let write = name.as_ref().map(|_| self.writes.fetch_add(1, Ordering::SeqCst) + 1);
        let alone = name.as_ref().map(|_| self.writing.lock().unwrap_or_else(PoisonError::into_inner));
        let Ok(mut upstream) = TcpStream::connect(&self.upstream) else { return };
        let head = format!("{}\r\nConnection: close\r\n\r\n", without(&head, "connection"));
        let mut answer = Vec::new();
        let sent = upstream.write_all(head.as_bytes()).and_then(|()| upstream.write_all(&body));
        if sent.and_then(|()| upstream.read_to_end(&mut answer)).is_err() {
            return;
        }
        drop(alone);
        if let Some(name) = name {
            self.log.lock().unwrap_or_else(PoisonError::into_inner).push(name);
        }
        match *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) {
            Trouble::Kill(at) if at == number => {
                self.troubled.store(true, Ordering::SeqCst);
                let pid = *self.child.lock().unwrap_or_else(PoisonError::into_inner);
                let pid = pid.expect("somebody asks").to_string();
                assert!(Command::new("kill").args(["-9", &pid]).status().unwrap().success());
            }
            Trouble::LoseWrite(at) if Some(at) == write => self.troubled.store(true, Ordering::SeqCst),
            // Who was killed meanwhile does not read it.
            _ => drop(stream.write_all(&answer)),
        }
    }
}

/// A request's head, without the empty line behind it, and its body.
fn request(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 16 * 1024];
    let end = loop {
        let count = stream.read(&mut buffer).ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&buffer[..count]);
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let length = header(&head, "content-length").map_or(0, |length| length.parse().unwrap());
    assert!(header(&head, "transfer-encoding").is_none(), "a body of unknown length:\n{head}");
    let mut body = bytes.split_off(end + 4);
    while body.len() < length {
        let count = stream.read(&mut buffer).ok().filter(|count| *count > 0)?;
        body.extend_from_slice(&buffer[..count]);
    }
    Some((head, body))
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let fields = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    fields.into_iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

fn without(head: &str, name: &str) -> String {
    let is_it = |line: &str| line.split_once(':').is_some_and(|(field, _)| field.eq_ignore_ascii_case(name));
    head.split("\r\n").filter(|line| !is_it(line)).collect::<Vec<_>>().join("\r\n")
}

/// What a request that writes is called, for whoever reads a failure.
fn name(head: &str) -> Option<String> {
    if let Some(target) = header(head, "x-amz-target") {
        let operation = target.rsplit('.').next().unwrap_or(target);
        let reads = ["Get", "List", "Describe"].iter().any(|verb| operation.starts_with(verb));
        return (!reads).then(|| operation.to_owned());
    }
    let line = head.lines().next().unwrap_or_default();
    let (method, path) = line.split_once(' ').unwrap_or_default();
    matches!(method, "PUT" | "DELETE").then(|| format!("{method} {}", path.trim_end_matches(" HTTP/1.1")))
}
