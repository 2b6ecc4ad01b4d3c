//! A program that measures, run to its end, and its figures.

use std::error::Error;
use std::process::{Command, Stdio};

use serde::Deserialize;

/// One figure of one run.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) unit: String,
    #[serde(alias = "median")]
    pub(crate) value: f64,
}

/// Runs a program to its end.
///
/// # Errors
/// When it fails, or says something else than figures; what it said on standard error is seen by whoever watches.
pub(crate) fn figures_of(mut command: Command) -> Result<Vec<Figure>, Box<dyn Error>> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::piped()).output();
    let output = output.map_err(|error| format!("cannot run {command:?}: {error}"))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        let last = words.lines().last().unwrap_or("it said nothing").to_owned();
        return Err(format!("{command:?} ended with {}: {last}", output.status).into());
    }
    let text = String::from_utf8(output.stdout)?;
    Ok(text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
}
