//! What many runs came to, for people: how much was simulated, which faults struck, which rare paths were taken.
//!
//! Measures no time: whoever knows a clock says how long it took.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::sim::fault::{FaultKind, Tally};

/// How commands ended, as their clients know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Commands {
    /// They took effect.
    pub ok: u64,
    /// They did not and never will.
    pub refused: u64,
    /// Nobody knows.
    pub unknown: u64,
}

impl Commands {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.ok + self.refused + self.unknown
    }
}

/// The sum of many runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// How many runs.
    pub seeds: u64,
    /// How much time passed in them.
    pub simulated: Duration,
    /// How much time passed outside, as the caller measured it.
    pub wall: Duration,
    /// How many events happened.
    pub events: u64,
    /// How commands ended.
    pub commands: Commands,
    /// The faults asked for and injected.
    pub faults: Tally,
    /// The rare paths taken, and how often. A path that is listed with zero was expected and never taken.
    pub reached: BTreeMap<&'static str, u64>,
}

impl Report {
    /// Adds one run.
    pub fn add(
        &mut self,
        simulated: Duration,
        events: u64,
        commands: Commands,
        faults: &Tally,
        reached: &BTreeMap<&'static str, u64>,
    ) {
        self.seeds += 1;
        self.simulated += simulated;
        self.events += events;
        self.commands.ok += commands.ok;
        self.commands.refused += commands.refused;
        self.commands.unknown += commands.unknown;
        self.faults.merge(faults);
        for (path, count) in reached {
            *self.reached.entry(path).or_default() += count;
        }
    }

    /// Lists paths that ought to be taken sooner or later.
    pub fn expect(&mut self, paths: &[&'static str]) {
        for path in paths {
            self.reached.entry(path).or_default();
        }
    }

    /// Simulated over real time; zero when no real time was given.
    #[must_use]
    pub fn speed(&self) -> f64 {
        if self.wall.is_zero() { 0.0 } else { self.simulated.as_secs_f64() / self.wall.as_secs_f64() }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hours = self.simulated.as_secs_f64() / 3600.0;
        writeln!(
            f,
            "{} seeds, {hours:.1} simulated hours in {:.1} s: {:.0} times real time, {} events",
            self.seeds,
            self.wall.as_secs_f64(),
            self.speed(),
            self.events
        )?;
        let Commands { ok, refused, unknown } = self.commands;
        writeln!(f, "commands: {ok} ok, {refused} refused, {unknown} unknown")?;
        writeln!(f, "{:<20}{:>12}{:>12}", "fault", "requested", "injected")?;
        for kind in FaultKind::of_machines() {
            let count = self.faults.count(kind);
            writeln!(f, "{:<20}{:>12}{:>12}", kind.name(), count.requested, count.injected)?;
        }
        for (path, count) in self.reached.iter().filter(|(_, count)| **count > 0) {
            writeln!(f, "reached {path}: {count}")?;
        }
        for (path, _) in self.reached.iter().filter(|(_, count)| **count == 0) {
            writeln!(f, "never reached: {path}")?;
        }
        Ok(())
    }
}
