//! One HTTP request to one node, and what came of it. Nothing is tried twice here.

use ureq::Agent;
use ureq::http::{self, Method};

use super::endpoint::Endpoint;
use super::path::Path;

const ANSWER_LIMIT: u64 = 64 << 20;

/// What is asked of a node.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// The verb.
    pub(crate) method: Method,
    /// Where.
    pub(crate) path: Path,
    /// What makes a retry take effect once; on writes.
    pub(crate) idempotency_key: Option<String>,
    /// The value, on a put.
    pub(crate) body: Vec<u8>,
}

/// A node's answer, whatever its status.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The log index the answer speaks of.
    pub(crate) index: Option<u64>,
    /// The last log index whose effect the answer contains, where it says so.
    pub(crate) read_index: Option<u64>,
    /// Whether the body of a conflict is a present value.
    pub(crate) present: bool,
    /// The body.
    pub(crate) body: Vec<u8>,
}

/// Why there was no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NoAnswer {
    /// What went wrong.
    pub(crate) reason: String,
    /// Whether the node may have got the request.
    pub(crate) sent: bool,
}

impl Request {
    /// A request that changes nothing.
    pub(crate) fn read(path: Path) -> Self {
        Self { method: Method::GET, path, idempotency_key: None, body: Vec::new() }
    }

    /// A request to write a value.
    pub(crate) fn put(path: Path, idempotency_key: String, body: Vec<u8>) -> Self {
        Self { method: Method::PUT, path, idempotency_key: Some(idempotency_key), body }
    }

    /// A request to remove a value.
    pub(crate) fn delete(path: Path, idempotency_key: String) -> Self {
        Self { method: Method::DELETE, path, idempotency_key: Some(idempotency_key), body: Vec::new() }
    }
}

impl Answer {
    /// The body as text, for messages.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).trim().to_owned()
    }

    /// The `error` of a JSON body, or the body.
    pub(crate) fn error(&self) -> String {
        let json = serde_json::from_slice::<serde_json::Value>(&self.body).ok();
        let error = json.as_ref().and_then(|json| json.get("error")).and_then(|error| error.as_str());
        error.map_or_else(|| self.text(), str::to_owned)
    }

    /// Whether a JSON body says that nothing was executed.
    pub(crate) fn not_executed(&self) -> bool {
        let json = serde_json::from_slice::<serde_json::Value>(&self.body).ok();
        json.as_ref().and_then(|json| json.get("outcome")).is_some_and(|outcome| outcome == "not_executed")
    }
}

/// Makes the request of one node; `headers` go with it.
///
/// # Errors
/// When no whole answer came.
pub(crate) fn attempt(
    agent: &Agent,
    endpoint: &Endpoint,
    request: &Request,
    headers: &[(&str, String)],
) -> Result<Answer, NoAnswer> {
    let mut builder =
        http::Request::builder().method(&request.method).uri(endpoint.url(request.path.as_str()));
    for (name, value) in headers {
        builder = builder.header(*name, value);
    }
    if let Some(key) = &request.idempotency_key {
        builder = builder.header("Idempotency-Key", key);
    }
    let malformed = |error: http::Error| NoAnswer { reason: error.to_string(), sent: false };
    let answer = if request.method == Method::PUT {
        agent.run(builder.body(request.body.as_slice()).map_err(malformed)?)
    } else {
        agent.run(builder.body(()).map_err(malformed)?)
    };
    let mut answer = answer.map_err(no_answer)?;
    let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
    let index = header("Synod-Index").and_then(|index| index.parse().ok());
    let read_index = header("Synod-Read-Index").and_then(|index| index.parse().ok());
    let present = header("Synod-Present") == Some("true");
    let status = answer.status().as_u16();
    let body = answer.body_mut().with_config().limit(ANSWER_LIMIT).read_to_vec().map_err(no_answer)?;
    Ok(Answer { status, index, read_index, present, body })
}

fn no_answer(error: ureq::Error) -> NoAnswer {
    let sent = match &error {
        ureq::Error::ConnectionFailed | ureq::Error::HostNotFound | ureq::Error::BadUri(_) => false,
        ureq::Error::Timeout(stage) => !matches!(stage, ureq::Timeout::Resolve | ureq::Timeout::Connect),
        ureq::Error::Io(error) => error.kind() != std::io::ErrorKind::ConnectionRefused,
        _ => true,
    };
    NoAnswer { reason: error.to_string(), sent }
}
