//! What is left out of a seed's circumstances to make a failing run smaller, and how that is written on a command line.
//!
//! Which parts to leave out is tried in `shrink.rs`.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

use crate::sim::{DiskConfig, NetworkConfig, Schedule};
use crate::types::Timestamp;

/// What is left out of a run; the default leaves nothing out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reduction {
    /// The positions of the faults that stay in the schedule; all, when there is no such set.
    pub keep: Option<BTreeSet<usize>>,
    /// What is as on a calm day.
    pub quiet: BTreeSet<Quiet>,
    /// The end of the safety phase, when it is earlier; such a run asks no more commands after it than it takes.
    pub until: Option<Timestamp>,
    /// How many clients there are at most.
    pub clients: Option<u64>,
    /// Another draw of what is chance within the same circumstances; zero for the seed's own.
    pub salt: u64,
}

/// Something that chance does all along, and that can be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quiet {
    /// Messages vanish.
    Loss,
    /// Messages come twice.
    Duplicate,
    /// Messages overtake each other.
    Reorder,
    /// Paths clog, are narrow or full.
    Paths,
    /// Delays are longer than on a local network.
    Delay,
    /// Disks are slow and stall.
    Disk,
    /// Clocks drift, applications take their time.
    Pace,
    /// The operator asks for transfers, campaigns, snapshots.
    Operator,
    /// Clients read.
    Reads,
}

/// A text that is no reduction.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is no part of a reduction: keep=N,…/quiet=NAME,…/until=MS/clients=N/salt=N")]
pub struct ReductionError(String);

impl Quiet {
    /// Everything that can be left out.
    pub const ALL: [Self; 9] = [
        Self::Loss,
        Self::Duplicate,
        Self::Reorder,
        Self::Paths,
        Self::Delay,
        Self::Disk,
        Self::Pace,
        Self::Operator,
        Self::Reads,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Loss => "loss",
            Self::Duplicate => "duplicate",
            Self::Reorder => "reorder",
            Self::Paths => "paths",
            Self::Delay => "delay",
            Self::Disk => "disk",
            Self::Pace => "pace",
            Self::Operator => "operator",
            Self::Reads => "reads",
        }
    }
}

impl Reduction {
    /// Takes out of a schedule what is left out.
    pub fn apply(&self, schedule: &mut Schedule) {
        if let Some(keep) = &self.keep {
            let mut position = 0..;
            schedule.faults.retain(|_| position.next().is_some_and(|position| keep.contains(&position)));
        }
        if let Some(until) = self.until {
            schedule.faults.retain(|(at, _)| *at < until);
            schedule.demands.retain(|demand| demand.until <= until);
        }
        for &quiet in &self.quiet {
            silence(schedule, quiet);
        }
    }

    fn read(&mut self, part: &str) -> Option<()> {
        let (name, value) = part.split_once('=')?;
        let mut items = value.split(',').filter(|item| !item.is_empty());
        match name {
            "keep" => self.keep = Some(items.map(str::parse).collect::<Result<_, _>>().ok()?),
            "quiet" => {
                let named = |name: &str| Quiet::ALL.into_iter().find(|quiet| quiet.name() == name);
                self.quiet = items.map(named).collect::<Option<_>>()?;
            }
            "until" => {
                let span = Duration::from_millis(items.next()?.parse().ok()?);
                self.until = Some(Timestamp::ZERO.after(span));
            }
            "clients" => self.clients = Some(items.next()?.parse().ok()?),
            "salt" => self.salt = items.next()?.parse().ok()?,
            _ => return None,
        }
        Some(())
    }
}

fn silence(schedule: &mut Schedule, quiet: Quiet) {
    let world = &mut schedule.world;
    let calm = NetworkConfig::calm();
    match quiet {
        Quiet::Loss => world.network.loss = 0.0,
        Quiet::Duplicate => world.network.duplicate = 0.0,
        Quiet::Reorder => world.network.reorder = 0.0,
        Quiet::Paths => (world.network.clog, world.network.bandwidth, world.network.capacity) = (0.0, 0, 0),
        Quiet::Delay => {
            world.network.delay_min = calm.delay_min;
            world.network.delay_mean = calm.delay_mean;
            world.network.delay_max = calm.delay_max;
        }
        Quiet::Disk => {
            let DiskConfig { lose, tear, .. } = world.disk;
            world.disk = DiskConfig { lose, tear, ..DiskConfig::calm() };
        }
        Quiet::Pace => (world.drift_ppm, world.job_max) = (0, Duration::from_micros(100)),
        // The workload looks itself.
        Quiet::Operator | Quiet::Reads => {}
    }
}

impl fmt::Display for Reduction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if let Some(keep) = &self.keep {
            parts.push(format!("keep={}", list(keep.iter())));
        }
        if !self.quiet.is_empty() {
            parts.push(format!("quiet={}", list(self.quiet.iter().map(|quiet| quiet.name()))));
        }
        if let Some(until) = self.until {
            parts.push(format!("until={}", until.0.div_ceil(1_000_000)));
        }
        if let Some(clients) = self.clients {
            parts.push(format!("clients={clients}"));
        }
        if self.salt > 0 {
            parts.push(format!("salt={}", self.salt));
        }
        f.write_str(&parts.join("/"))
    }
}

fn list(items: impl Iterator<Item = impl fmt::Display>) -> String {
    items.map(|item| item.to_string()).collect::<Vec<_>>().join(",")
}

impl FromStr for Reduction {
    type Err = ReductionError;

    fn from_str(text: &str) -> Result<Self, ReductionError> {
        let mut reduction = Self::default();
        for part in text.split('/').filter(|part| !part.is_empty()) {
            reduction.read(part).ok_or_else(|| ReductionError(part.to_owned()))?;
        }
        Ok(reduction)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let reduction = Reduction {
            keep: Some(BTreeSet::from([3, 17])),
            quiet: Quiet::ALL.into(),
            until: Some(Timestamp(12_345_000_000)),
            clients: Some(2),
            salt: 7,
        };
        let text = reduction.to_string();
        assert_eq!(text.parse(), Ok(reduction));
        assert!(text.starts_with("keep=3,17/quiet=loss,"), "{text}");
        let nothing = Reduction { keep: Some(BTreeSet::new()), ..Reduction::default() };
        assert_eq!(nothing.to_string().parse(), Ok(nothing));
        assert_eq!("".parse(), Ok(Reduction::default()));
        for wrong in ["keep=x", "quiet=noise", "until=", "x=1", "salt"] {
            assert_eq!(wrong.parse::<Reduction>(), Err(ReductionError(wrong.to_owned())));
        }
    }
}
