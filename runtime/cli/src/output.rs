//! For whom a command prints. Results go to standard output; progress and complaints to standard error.

use std::io::{self, Write};

use serde::Serialize;

use crate::failure::Failure;

/// For whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Tables and sentences.
    People,
    /// JSON, one value a line.
    Programs,
}

/// Prints text as it is.
///
/// # Errors
/// When standard output does not take it; a reader that has gone away is no failure of ours, but there is nobody to go on for.
pub(crate) fn print(text: impl AsRef<[u8]>) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let printed = out.write_all(text.as_ref()).and_then(|()| out.flush());
    printed.map_err(|error| Failure::new(format!("cannot write to standard output: {error}")))
}

/// Prints a value as one line of JSON.
///
/// # Errors
/// As [`print()`].
pub(crate) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let mut line =
        serde_json::to_string(value).map_err(|error| Failure::new(format!("cannot write JSON: {error}")))?;
    line.push('\n');
    print(line)
}
