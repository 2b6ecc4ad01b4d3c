//! How long and how often a figure is measured.

use std::time::Duration;

/// How often each figure is measured.
const TIMES: u32 = 5;

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
    /// Runs that take so long together.
    pub(crate) fn within(total: Duration) -> Self {
        let each = total / TIMES;
        Self { times: TIMES, each, before: each / 2 }
    }
}
