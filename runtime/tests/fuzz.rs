//! Bytes that nobody should send or find on a disk, for every reader of bytes that come from outside.
//!
//! Each target says what has to hold for any bytes at all: no panic, memory within a bound that the input's length gives, a typed refusal or
//! a value that is written back as it was read. `runtime/docs/testing.md` says how to run them for long and what to do with a find.

#[path = "fuzz/configuration.rs"]
mod configuration;
#[path = "fuzz/corpus.rs"]
mod corpus;
#[path = "fuzz/driver.rs"]
mod driver;
#[path = "fuzz/envelope.rs"]
mod envelope;
#[path = "fuzz/frame.rs"]
mod frame;
#[path = "fuzz/hello.rs"]
mod hello;
#[path = "fuzz/log.rs"]
mod log;
#[path = "fuzz/message.rs"]
mod message;
#[path = "fuzz/mutation.rs"]
mod mutation;
#[path = "fuzz/snapshot.rs"]
mod snapshot;
#[path = "fuzz/storehouse.rs"]
mod storehouse;
#[path = "fuzz/target.rs"]
mod target;

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

use driver::{Effort, fuzz};
use target::Target;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const TARGETS: [Target; 7] = [
    frame::TARGET,
    hello::TARGET,
    envelope::TARGET,
    message::TARGET,
    log::TARGET,
    snapshot::TARGET,
    configuration::TARGET,
];

/// One test, because the allocator counts for the whole process.
#[test]
fn no_bytes_break_a_reader_or_take_more_memory_than_they_are_worth() {
    let effort = Effort::asked_for();
    println!("SYNOD_FUZZ_SEED={}", effort.seed);
    for target in TARGETS.iter().filter(|target| effort.wants(target.name)) {
        println!("{}", fuzz(target, &effort));
    }
}
