//! How long and how often a figure is measured.

use std::time::Duration;

/// How often each figure is measured, if nothing else is said.
pub(crate) const TIMES: u32 = 5;

/// The runs of each figure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Runs {
    /// How many.
    pub(crate) times: u32,
    /// How long each takes.
    pub(crate) each: Duration,
    /// How long the same is done before, without counting.
    pub(crate) before: Duration,
}

impl Runs {
    /// So many runs that take so long together.
    pub(crate) fn within(total: Duration, times: u32) -> Self {
        let each = total / times;
        Self { times, each, before: each / 2 }
    }
}
