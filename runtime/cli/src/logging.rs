//! What a node logs, and where: lines on standard error, chosen by `SYNOD_LOG`.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::failure::Failure;

const VARIABLE: &str = "SYNOD_LOG";
const DEFAULT: &str = "info";

/// Logs to standard error from here on. Once for each process.
///
/// # Errors
/// When the variable cannot be understood.
pub(crate) fn start() -> Result<(), Failure> {
    let filter = filter(std::env::var(VARIABLE).ok().as_deref())?;
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colours)
        .try_init()
        .map_err(|error| Failure::new(format!("cannot log: {error}")))
}

fn filter(directives: Option<&str>) -> Result<EnvFilter, Failure> {
    let directives = directives.map(str::trim).filter(|text| !text.is_empty()).unwrap_or(DEFAULT);
    let bad = |error| Failure::new(format!("environment variable {VARIABLE}: {directives:?}: {error}"));
    EnvFilter::builder().parse(directives).map_err(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_is_understood_or_named() {
        assert_eq!(filter(None).unwrap().to_string(), "info");
        assert_eq!(filter(Some("warn,synod=debug")).unwrap().to_string(), "synod=debug,warn");
        let refusal = filter(Some("synod=loud")).unwrap_err().to_string();
        assert!(refusal.contains("SYNOD_LOG") && refusal.contains("synod=loud"), "{refusal}");
    }
}
