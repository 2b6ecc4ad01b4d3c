//! The kinds of simulated runs: which faults may strike, how hard, and whether progress is owed while they do.
//!
//! A name only; what each of them means stands in `schedule.rs`.

/// What a run is to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// No faults: what must hold on a good day.
    Calm,
    /// Messages and paths only.
    Network,
    /// Processes and disks only.
    Process,
    /// Every kind, each seed with its own mix and intensity.
    Swarm,
    /// Every kind in every seed, as hard as it gets; nothing but safety is owed until the faults end.
    Safety,
    /// Partial connectivity that stays while a quorum hears each other, which has to get on meanwhile.
    Liveness,
    /// Three continents, and what happens between them.
    Wan,
}
