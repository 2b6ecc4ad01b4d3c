//! How a command fails: with one sentence for people. Not an error of a library: nothing branches on it.

use std::fmt;
use std::path::Path;

/// One clear sentence, without a full stop, that names what was wrong and where.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    sentence: String,
    code: u8,
}

impl Failure {
    /// A failure with this sentence.
    pub(crate) fn new(sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), code: 1 }
    }

    /// The same failure with the exit code that the command promises for it.
    pub(crate) fn with_code(self, code: u8) -> Self {
        Self { code, ..self }
    }

    /// The exit code: 1 unless the command promises another.
    pub(crate) fn code(&self) -> u8 {
        self.code
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
