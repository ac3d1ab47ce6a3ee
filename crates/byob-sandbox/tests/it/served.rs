use std::net::SocketAddr;

use byob_sandbox::{Sandbox, SandboxError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{sandbox, with_faults};

async fn served(sandbox: Sandbox) -> SocketAddr {
    let (send, receive) = tokio::sync::oneshot::channel();
    let ready = move |address| send.send(address).unwrap();
    tokio::spawn(sandbox.serve("127.0.0.1:0".parse().unwrap(), ready, std::future::pending::<()>()));
    receive.await.unwrap()
}

async fn ask(address: SocketAddr, request: &str, service: &str, further: &str, body: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let text = format!(
        "{request} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n{further}Authorization: \
         AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, \
         Signature=x\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn all_services_answer_over_http() {
    let address = served(sandbox().await).await;
    let answer = ask(address, "PUT /over-http", "s3", "", "").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let answer = ask(address, "GET /over-http?encryption", "s3", "", "").await;
    assert!(answer.contains("<SSEAlgorithm>AES256</SSEAlgorithm>"), "{answer}");
    let answer = ask(address, "GET /over-http?policy", "s3", "", "").await;
    assert!(answer.contains("<Code>NoSuchBucketPolicy</Code>") && answer.contains("<RequestId>"), "{answer}");
    let answer = ask(address, "HEAD /nowhere", "s3", "", "").await;
    assert!(answer.starts_with("HTTP/1.1 404") && answer.ends_with("\r\n\r\n"), "{answer}");
    let answer = ask(address, "POST /", "sts", "", "Action=GetCallerIdentity&Version=2011-06-15").await;
    assert!(answer.contains("<Account>123456789012</Account>"), "{answer}");
    let target = "X-Amz-Target: TrentService.CreateKey\r\n";
    let answer = ask(address, "POST /", "kms", target, "{}").await;
    assert!(answer.contains("\"KeyState\":\"Enabled\""), "{answer}");
    let answer = ask(address, "POST /", "ec2", "", "").await;
    assert!(answer.starts_with("HTTP/1.1 501"), "{answer}");
}

#[tokio::test]
async fn a_lost_answer_is_a_broken_connection() {
    let address = served(with_faults("lose=CreateBucket:1").await).await;
    assert_eq!(ask(address, "PUT /lost", "s3", "", "").await, "");
    assert!(ask(address, "HEAD /lost", "s3", "", "").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn only_loopback_is_served() {
    let everywhere = "0.0.0.0:0".parse().unwrap();
    let result = sandbox().await.serve(everywhere, |_| (), std::future::pending::<()>()).await;
    assert!(matches!(result, Err(SandboxError::NotLoopback(_))));
}
