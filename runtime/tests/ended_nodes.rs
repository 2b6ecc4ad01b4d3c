//! A simulation that has ended leaves nothing behind: thousands of them run in one process, and each ends its nodes by killing them.

use std::alloc::System;
use std::time::Duration;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use synod::sim::Medium;
use synod::sim::study::{Options, study};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// What a simulation may leave, in bytes: libraries keep some of what they have taken for the next one.
const LEFT: usize = 100_000;

fn grown(medium: Medium) -> usize {
    let options = Options { medium, nodes: 3, duration: Duration::from_secs(5), ..Options::default() };
    let run = |seed| assert_eq!(study(seed, &options).failure, None, "seed {seed}");
    // What is made once is there.
    run(1);
    let region = Region::new(ALLOCATOR);
    (2..6).for_each(run);
    let change = region.change();
    assert!(change.bytes_allocated > 1_000_000, "something was counted");
    change.bytes_allocated.saturating_sub(change.bytes_deallocated) / 4
}

#[test]
fn a_simulation_that_has_ended_keeps_no_node() {
    for medium in [Medium::Memory, Medium::Quic] {
        let left = grown(medium);
        assert!(left < LEFT, "{medium:?}: {left} bytes a simulation");
    }
}
