//! Everything that may be wrong with a request, and the one place where it becomes a response.
//!
//! The body is JSON: `error` in words, and `outcome` wherever a write may be in doubt.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, RETRY_AFTER};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use synod::protocols::Outcome;
use synod::services::kv::{KvCause, KvError};
use synod::services::replicated::ReplicaCause;

use crate::service::Unchanged;

/// Why a request has no ordinary answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// The client's path, query or header breaks a rule; nothing changed.
    #[error("{0}")]
    Malformed(String),
    /// There is no such route; nothing changed.
    #[error("there is nothing at {0}")]
    NoRoute(String),
    /// Who asks may not have it; nothing changed.
    #[error("{0}")]
    Forbidden(String),
    /// The route does not know the method; nothing changed.
    #[error("the method {method} does not apply here, use {allowed}")]
    Method {
        /// The client's.
        method: String,
        /// The methods that do.
        allowed: &'static str,
    },
    /// The body exceeds the limit; nothing changed.
    #[error("the body exceeds the limit of {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The body broke off; nothing changed.
    #[error("the body broke off: {0}")]
    BrokenBody(String),
    /// The body did not come in time; nothing changed.
    #[error("the body did not come within {0:?}")]
    SlowBody(Duration),
    /// A read was not answered in time; nothing changed.
    #[error("no answer within {0:?}")]
    Late(Duration),
    /// The node cannot say how it stands, or is not ready.
    #[error("{0}")]
    NotReady(String),
    /// The group did not change its members, or its leader.
    #[error("{0}")]
    Members(#[from] Unchanged),
    /// The map did not do it.
    #[error("{0}")]
    Map(#[from] KvError),
}

#[derive(Serialize)]
struct Body {
    error: String,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest: Option<u64>,
}

impl Fault {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Map(error) => error.outcome,
            Self::Members(unchanged) => unchanged.error.outcome,
            Self::Malformed(_)
            | Self::NoRoute(_)
            | Self::Forbidden(_)
            | Self::Method { .. }
            | Self::TooLarge { .. }
            | Self::BrokenBody(_)
            | Self::SlowBody(_)
            | Self::Late(_)
            | Self::NotReady(_) => Outcome::NotExecuted,
        }
    }
}

impl ResponseError for Fault {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Malformed(_) | Self::BrokenBody(_) => StatusCode::BAD_REQUEST,
            Self::SlowBody(_) => StatusCode::REQUEST_TIMEOUT,
            Self::NoRoute(_) => StatusCode::NOT_FOUND,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Late(_) | Self::NotReady(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Members(unchanged) => match unchanged.error.cause {
                ReplicaCause::Members(_) | ReplicaCause::Successor(_) => StatusCode::BAD_REQUEST,
                ReplicaCause::ChangeInProgress => StatusCode::CONFLICT,
                _ => StatusCode::SERVICE_UNAVAILABLE,
            },
            Self::Map(error) => of_cause(&error.cause),
        }
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        let mut oldest = None;
        match self {
            Self::Method { allowed, .. } => {
                response.insert_header((ALLOW, *allowed));
            }
            Self::Map(KvError { cause: KvCause::Busy, .. }) => {
                response.insert_header((RETRY_AFTER, "1"));
            }
            Self::Map(KvError { cause: KvCause::Compacted { oldest: index }, .. }) => oldest = Some(index.0),
            Self::Malformed(_)
            | Self::NoRoute(_)
            | Self::Forbidden(_)
            | Self::TooLarge { .. }
            | Self::BrokenBody(_)
            | Self::SlowBody(_)
            | Self::Late(_)
            | Self::NotReady(_)
            | Self::Members(_)
            | Self::Map(_) => {}
        }
        response.json(Body { error: self.to_string(), outcome: outcome_word(self.outcome()), oldest })
    }
}

fn of_cause(cause: &KvCause) -> StatusCode {
    match cause {
        KvCause::NoLeader
        | KvCause::Busy
        | KvCause::NoSpace
        | KvCause::Timeout
        | KvCause::Link(_)
        | KvCause::Slow { .. }
        | KvCause::LeaseLimit
        | KvCause::Stopped
        | KvCause::NoReplica => StatusCode::SERVICE_UNAVAILABLE,
        KvCause::BadKey(_) | KvCause::LeaseUnknown | KvCause::TooManySteps { .. } => StatusCode::BAD_REQUEST,
        KvCause::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        KvCause::Compacted { .. } => StatusCode::GONE,
        // A retry with the same key cannot do better, so it is no 503.
        KvCause::SessionExpired | KvCause::KeyReused => StatusCode::UNPROCESSABLE_ENTITY,
        KvCause::Unsupported => StatusCode::NOT_IMPLEMENTED,
    }
}

fn outcome_word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::NotExecuted => "not_executed",
        Outcome::Unknown => "unknown",
    }
}
