//! The output of a block: one line for each thing that happened, as far as the script wants to hear of it.

/// How much a script wants to hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Loudness {
    /// Nothing but what a command was asked to print.
    Silent,
    /// What nodes became, and what they answered.
    Quiet,
    /// Also each message, where its journey ends or is held up.
    Arrivals,
    /// Also each message when it is sent, and what is written to a disk that is held.
    All,
}

/// The lines told so far.
#[derive(Clone, Debug)]
pub(super) struct Story {
    pub(super) loudness: Loudness,
    lines: Vec<String>,
}

impl Default for Story {
    fn default() -> Self {
        Self { loudness: Loudness::All, lines: Vec::new() }
    }
}

impl Story {
    /// Tells something that is heard at this loudness and above.
    pub(super) fn tell(&mut self, at: Loudness, line: impl FnOnce() -> String) {
        if self.loudness >= at {
            self.lines.push(line());
        }
    }

    /// Tells something, however quiet it is to be.
    pub(super) fn say(&mut self, line: String) {
        self.lines.push(line);
    }

    /// The lines since the last call; `ok` when there is none.
    pub(super) fn take(&mut self) -> Vec<String> {
        let lines = std::mem::take(&mut self.lines);
        // An empty line would end the output.
        let kept: Vec<String> = lines.into_iter().filter(|line| !line.trim().is_empty()).collect();
        if kept.is_empty() { vec!["ok".to_owned()] } else { kept }
    }
}
