//! How a command fails: with one sentence for people. Not an error of a library: nothing branches on it.

use std::fmt;
use std::path::Path;

/// One clear sentence, without a full stop, that names what was wrong and where.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    sentence: String,
}

impl Failure {
    /// A failure with this sentence.
    pub(crate) fn new(sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into() }
    }

    /// A failure of a deed on a file or directory.
    pub(crate) fn at(path: &Path, deed: &str, reason: impl fmt::Display) -> Self {
        Self::new(format!("{}: cannot {deed}: {reason}", path.display()))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl std::error::Error for Failure {}
