//! What the clients of a study asked and were told, for the judgement at its end.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use synod_protocols::Outcome;

use crate::services::kv::KvError;

/// The key to which every client adds.
pub(crate) const SHARED: &str = "shared";

/// What clients asked and were told.
#[derive(Default)]
pub(crate) struct Ledger {
    pub(crate) ok: u64,
    pub(crate) refused: u64,
    pub(crate) unknown: u64,
    /// Keys whose write was acknowledged, with their values.
    pub(crate) written: BTreeMap<String, Bytes>,
    /// Keys whose write was refused.
    pub(crate) absent: BTreeSet<String>,
    /// Keys whose write nobody knows of.
    pub(crate) doubtful: BTreeSet<String>,
    /// The last acknowledged count of each client.
    pub(crate) counts: BTreeMap<String, u64>,
    /// Acknowledged and doubtful additions to the shared counter.
    pub(crate) added: (u64, u64),
    /// What must not have happened.
    pub(crate) complaints: Vec<String>,
}

impl Ledger {
    /// Notes something that must not have happened.
    pub(crate) fn complain(&mut self, complaint: String) {
        self.complaints.push(complaint);
    }

    /// Counts how a request ended; gives the outcome of one that failed.
    pub(crate) fn settle<T>(&mut self, result: &Result<T, KvError>) -> Option<Outcome> {
        match result {
            Ok(_) => {
                self.ok += 1;
                None
            }
            Err(error) => {
                match error.outcome {
                    Outcome::NotExecuted => self.refused += 1,
                    Outcome::Unknown => self.unknown += 1,
                }
                Some(error.outcome)
            }
        }
    }
}

/// The number that a value holds; zero for one that is none.
pub(crate) fn number(value: &[u8]) -> u64 {
    std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).unwrap_or_default()
}
