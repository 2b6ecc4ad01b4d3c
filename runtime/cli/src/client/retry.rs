//! Attempts until a deadline: another node when one does not answer, the same idempotency key every time.

use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ureq::Agent;

use super::attempt::{Answer, Request, attempt};
use super::endpoint::{Connection, Endpoint};
use crate::failure::Failure;

/// What a node is told to take at most, so that it answers before the attempt is given up.
const NODE_TIMEOUT: Duration = Duration::from_secs(3);
const PAUSE_FIRST: Duration = Duration::from_millis(20);
const PAUSE_LONGEST: Duration = Duration::from_millis(500);

/// How long a call may take over all its attempts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience(pub(crate) Duration);

impl Patience {
    /// What the options say, or what suits a single request.
    pub(crate) fn of(connection: &Connection) -> Self {
        Self(connection.timeout.unwrap_or(Duration::from_secs(10)))
    }
}

/// Speaks to whichever of the nodes answers. Shared by threads.
pub(crate) struct Client {
    agent: Agent,
    endpoints: Vec<Endpoint>,
    favourite: AtomicUsize,
    run: u128,
    written: AtomicU64,
}

impl Client {
    /// A client of the nodes that the options name.
    ///
    /// # Errors
    /// When the certificates cannot be read or the operating system gives no randomness.
    pub(crate) fn new(connection: &Connection) -> Result<Self, Failure> {
        let mut run = [0; 16];
        getrandom::fill(&mut run).map_err(|error| Failure::new(format!("no randomness: {error}")))?;
        Ok(Self {
            agent: connection.agent()?,
            endpoints: connection.addr.0.clone(),
            favourite: AtomicUsize::new(0),
            run: u128::from_le_bytes(run),
            written: AtomicU64::new(0),
        })
    }

    /// A key that no other write of any client bears.
    pub(crate) fn idempotency_key(&self) -> String {
        format!("{:032x}-{}", self.run, self.written.fetch_add(1, Ordering::Relaxed))
    }

    /// The first answer that is a decision of the cluster (any status but 503, 504 and 429). A write has to bear an
    /// idempotency key.
    ///
    /// # Errors
    /// [`CallError`] when there was none in time; it says whether the request may have taken effect.
    pub(crate) fn call(&self, request: &Request, patience: Patience) -> Result<Answer, CallError> {
        let deadline = Instant::now() + patience.0;
        let mut pause = PAUSE_FIRST;
        let mut unknown = false;
        loop {
            let favourite = self.favourite.load(Ordering::Relaxed);
            let endpoint = &self.endpoints[favourite % self.endpoints.len()];
            let reason = match attempt(&self.agent, endpoint, request, &self.headers(deadline)) {
                Ok(answer) if !matches!(answer.status, 429 | 503 | 504) => return Ok(answer),
                Ok(answer) => {
                    unknown |= !answer.not_executed();
                    format!("{} {}", answer.status, answer.error())
                }
                Err(none) => {
                    unknown |= none.sent;
                    none.reason
                }
            };
            let next = favourite.wrapping_add(1);
            // When another thread has moved on already, its choice is as good.
            let _ = self.favourite.compare_exchange(favourite, next, Ordering::Relaxed, Ordering::Relaxed);
            if Instant::now() + pause >= deadline {
                let wrote = request.idempotency_key.is_some();
                return Err(CallError {
                    endpoint: endpoint.clone(),
                    reason,
                    unknown: unknown && wrote,
                    patience,
                });
            }
            thread::sleep(pause);
            pause = (pause * 2).min(PAUSE_LONGEST);
        }
    }

    fn headers(&self, deadline: Instant) -> [(&'static str, String); 1] {
        let left = deadline.saturating_duration_since(Instant::now()).min(NODE_TIMEOUT);
        [("Synod-Timeout-Ms", left.as_millis().max(1).to_string())]
    }
}

/// No node answered in time.
#[derive(Debug)]
pub(crate) struct CallError {
    endpoint: Endpoint,
    reason: String,
    unknown: bool,
    patience: Patience,
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { endpoint, reason, unknown, patience } = self;
        write!(f, "no answer within {:?}, the last attempt at {endpoint} said: {reason}", patience.0)?;
        let effect = if *unknown { "; whether the write took effect is unknown" } else { "" };
        f.write_str(effect)
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        Self::new(error.to_string())
    }
}
