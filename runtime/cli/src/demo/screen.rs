//! How a demo shows itself: a table redrawn in place on a terminal, periodic tables elsewhere, JSON lines for programs.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use serde_json::json;

use super::row::{Row, table};
use crate::failure::Failure;
use crate::output::{Form, print, print_json};

/// How often a table is printed where it cannot be redrawn.
const PERIOD: Duration = Duration::from_secs(5);

/// Where the demo shows itself.
pub(super) struct Screen {
    kind: Kind,
}

enum Kind {
    /// Redraws the last `lines` lines.
    Terminal { lines: usize },
    /// Prints a table now and then.
    Lines { next: Instant },
    /// Prints every state as JSON.
    Json,
}

impl Screen {
    /// The screen that standard output is.
    pub(super) fn new(form: Form) -> Self {
        let kind = match form {
            Form::Programs => Kind::Json,
            Form::People if std::io::stdout().is_terminal() => Kind::Terminal { lines: 0 },
            Form::People => Kind::Lines { next: Instant::now() },
        };
        Self { kind }
    }

    /// Something that happened; it stays on the screen.
    ///
    /// # Errors
    /// When standard output is gone.
    pub(super) fn say(&mut self, event: &str) -> Result<(), Failure> {
        match &mut self.kind {
            Kind::Terminal { lines } => {
                let erase = erase(std::mem::take(lines));
                print(format!("{erase}{event}\n"))
            }
            Kind::Lines { next } => {
                *next = Instant::now();
                print(format!("{event}\n"))
            }
            Kind::Json => print_json(&json!({ "event": event })),
        }
    }

    /// The nodes at this moment, and a note below them.
    ///
    /// # Errors
    /// When standard output is gone.
    pub(super) fn show(&mut self, rows: &[Row], note: &str) -> Result<(), Failure> {
        match &mut self.kind {
            Kind::Terminal { lines } => {
                let text = format!("{}{note}\n", table(rows));
                let erase = erase(*lines);
                *lines = text.lines().count();
                // Without wrapping, so that a narrow terminal shows less instead of scrolling.
                print(format!("\x1b[?7l{erase}{text}\x1b[?7h"))
            }
            Kind::Lines { next } if Instant::now() < *next => Ok(()),
            Kind::Lines { next } => {
                *next = Instant::now() + PERIOD;
                print(table(rows))
            }
            Kind::Json => print_json(&json!({ "nodes": rows })),
        }
    }
}

/// Goes up so many lines and erases everything from there on.
fn erase(lines: usize) -> String {
    if lines == 0 { String::new() } else { format!("\x1b[{lines}F\x1b[J") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_drawn_is_erased() {
        assert_eq!(erase(0), "");
        assert_eq!(erase(4), "\x1b[4F\x1b[J");
    }
}
