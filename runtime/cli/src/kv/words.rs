//! What several commands on the map share: how a read is meant, how a value is shown, what a refusal says.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, ValueEnum};

use crate::client::{Answer, Path};
use crate::failure::Failure;
use crate::table::{printable, shortened};

/// What a read may miss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Consistency {
    /// Nothing: every acknowledged write is seen. Under a lease where the cluster reads by leases.
    Linearizable,
    /// Nothing either, and no clock is trusted: a majority is asked even where there is a lease.
    Confirmed,
    /// Whatever the node asked has not applied yet.
    Stale,
}

/// What has to hold for a write to take place.
#[derive(Args, Clone, Debug, Default)]
#[group(multiple = false)]
pub(crate) struct Expect {
    /// Only if the key has this value.
    #[arg(long, value_name = "VALUE")]
    pub(crate) expect: Option<String>,
    /// Only if the key is absent.
    #[arg(long)]
    pub(crate) expect_absent: bool,
    /// Only if the key was written last at this log index.
    #[arg(long, value_name = "INDEX")]
    pub(crate) expect_index: Option<u64>,
}

impl Consistency {
    /// The path with this wish.
    pub(crate) fn on(self, path: Path) -> Path {
        match self {
            Self::Linearizable => path,
            Self::Confirmed => path.with("consistency", "confirmed"),
            Self::Stale => path.with("consistency", "stale"),
        }
    }
}

impl Expect {
    /// The path with this condition.
    pub(crate) fn on(&self, path: Path) -> Path {
        if let Some(value) = &self.expect {
            return path.with("expect", value);
        }
        if let Some(index) = self.expect_index {
            return path.with("expect_index", index);
        }
        if self.expect_absent { path.with("expect_absent", "true") } else { path }
    }
}

/// The failure that an answer with an unexpected status is.
pub(crate) fn refused(key: &str, answer: &Answer) -> Failure {
    Failure::new(match answer.status {
        404 => format!("the key {key:?} is absent"),
        409 if answer.present => {
            let index = answer.index.unwrap_or_default();
            format!("the key {key:?} has another value: {} (index {index})", shown(&answer.body))
        }
        409 => format!("the key {key:?} is absent, a value was expected"),
        status => format!("refused with status {status}: {}", answer.error()),
    })
}

/// A value for people: text as it is, up to a line's length, other bytes by their number.
pub(crate) fn shown(value: &[u8]) -> String {
    match std::str::from_utf8(value) {
        Ok(text) => shortened(&printable(text), 72),
        Err(_) => format!("<{} bytes>", value.len()),
    }
}

/// A value for programs.
pub(crate) fn encoded(value: &[u8]) -> String {
    STANDARD.encode(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, present: bool, body: &str) -> Answer {
        Answer { status, index: Some(4), read_index: None, present, body: body.into() }
    }

    #[test]
    fn refusals_are_sentences() {
        assert_eq!(refused("a", &answer(404, false, "")).to_string(), "the key \"a\" is absent");
        let conflict = refused("a", &answer(409, true, "old")).to_string();
        assert_eq!(conflict, "the key \"a\" has another value: old (index 4)");
        let bad = refused("a", &answer(400, false, "{\"error\":\"bad key: it is empty\"}")).to_string();
        assert_eq!(bad, "refused with status 400: bad key: it is empty");
    }

    #[test]
    fn values_are_shown_without_harm() {
        assert_eq!(shown(b"a\x1b[2J"), "a\\u{1b}[2J");
        assert_eq!(shown(&[0xFF, 0xFE]), "<2 bytes>");
    }
}
