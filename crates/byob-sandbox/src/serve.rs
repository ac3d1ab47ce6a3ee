//! The sandbox over HTTP/1 on loopback, for boto3, the AWS command line and other tools to look at.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;

use crate::error::SandboxError;
use crate::route::Request;
use crate::sandbox::{LostAnswer, Sandbox};

impl Sandbox {
    /// Answers on `addr` until `shutdown` is done; calls `ready` with the address once it listens (port 0 takes a
    /// free one). Path-style addressing; the service is told by the signature's credential scope, which is not
    /// checked.
    ///
    /// # Errors
    /// [`SandboxError::NotLoopback`] for any other address, [`SandboxError::Listen`] where the address is taken.
    pub async fn serve(
        self,
        addr: SocketAddr,
        ready: impl FnOnce(SocketAddr),
        shutdown: impl Future,
    ) -> Result<(), SandboxError> {
        if !addr.ip().is_loopback() {
            return Err(SandboxError::NotLoopback(addr));
        }
        let failed = |source| SandboxError::Listen { address: addr, source };
        let listener = tokio::net::TcpListener::bind(addr).await.map_err(failed)?;
        ready(listener.local_addr().map_err(failed)?);
        let mut connections = tokio::task::JoinSet::new();
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            tokio::select! {
                _ = &mut shutdown => return Ok(()),
                Some(_) = connections.join_next(), if !connections.is_empty() => {}
                accepted = listener.accept() => {
                    let (stream, _) = accepted.map_err(failed)?;
                    let sandbox = self.clone();
                    connections.spawn(async move {
                        let service = service_fn(move |request| respond(sandbox.clone(), request));
                        // A broken connection is the client's business, or a fault that was ordered.
                        let _ = hyper::server::conn::http1::Builder::new()
                            .serve_connection(TokioIo::new(stream), service)
                            .await;
                    });
                }
            }
        }
    }
}

/// The error that makes hyper drop the connection without an answer.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("the answer is lost on order")]
    Lost,
    #[error(transparent)]
    Body(#[from] hyper::Error),
}

impl From<Infallible> for Broken {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

async fn respond(
    sandbox: Sandbox,
    request: hyper::Request<Incoming>,
) -> Result<hyper::Response<Full<Bytes>>, Broken> {
    let (parts, body) = request.into_parts();
    let host = parts.headers.get("host").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let request = Request {
        method: parts.method.as_str().to_owned(),
        host: host.split(':').next().unwrap_or_default().to_owned(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers.clone(),
        body: body.collect().await?.to_bytes(),
        secure: true,
    };
    let answer = sandbox.answer(request).await.map_err(|LostAnswer| Broken::Lost)?;
    let mut response = hyper::Response::new(Full::new(answer.body));
    *response.status_mut() =
        http::StatusCode::from_u16(answer.status).unwrap_or(http::StatusCode::BAD_GATEWAY);
    *response.headers_mut() = answer.headers;
    Ok(response)
}
