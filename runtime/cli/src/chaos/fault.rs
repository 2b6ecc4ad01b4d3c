//! The kinds of faults by name. What they do to whom is an act's.

use std::fmt;

use clap::ValueEnum;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Fault {
    /// Processes end as by `kill -9`, and are started again.
    Kill,
    /// Processes stand still (SIGSTOP), and go on.
    Pause,
    /// Datagrams between some nodes get lost, in one direction or both.
    Cut,
    /// Datagrams arrive late and out of order.
    Delay,
    /// Some datagrams get lost.
    Loss,
    /// A killed node comes back on a disk without room, until there is some.
    DiskFull,
    /// A byte in the middle of a killed node's log changes before it starts again.
    Corrupt,
}

impl Fault {
    /// All kinds.
    pub(super) const ALL: [Self; 7] =
        [Self::Kill, Self::Pause, Self::Cut, Self::Delay, Self::Loss, Self::DiskFull, Self::Corrupt];

    /// Its name on the command line and in the history.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Pause => "pause",
            Self::Cut => "cut",
            Self::Delay => "delay",
            Self::Loss => "loss",
            Self::DiskFull => "disk-full",
            Self::Corrupt => "corrupt",
        }
    }

    /// Whether it strikes the network, so that it goes together with one that does not.
    pub(super) const fn is_weather(self) -> bool {
        match self {
            Self::Cut | Self::Delay | Self::Loss => true,
            Self::Kill | Self::Pause | Self::DiskFull | Self::Corrupt => false,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
