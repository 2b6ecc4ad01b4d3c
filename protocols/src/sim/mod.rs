//! Deterministic simulation: any [`Subject`] under virtual time, with faults as data and invariants after every step.
//!
//! A [`World`] carries out the effects of its nodes' machines over a [`Network`] and [`Disk`]s that misbehave by a seed. Equal seeds
//! give equal runs, which [`Trace::hash`] shows. Nothing here knows a protocol: a column brings its invariants, its workload
//! and its report. After FoundationDB (Zhou et al., SIGMOD 2021 §4) and TigerBeetle's VOPR.

mod application;
mod arrive;
pub mod check;
mod clock;
mod disk;
mod draw;
mod drive;
mod event;
mod fault;
mod gate;
mod heal;
mod history;
mod image;
mod inject;
mod invariant;
mod links;
mod lists;
mod lost_disk;
mod mishaps;
mod network;
mod node;
mod profile;
mod queue;
mod report;
pub mod scenario;
mod schedule;
mod shape;
mod subject;
mod trace;
mod violation;
mod watch;
mod weather;
mod world;

#[cfg(test)]
mod tests;

pub use application::Application;

pub use disk::{Disk, DiskConfig, Synced};
pub use drive::entry_hash;
pub use fault::{Count, Fault, FaultKind, Tally};
pub use heal::Fate;
pub use history::{Ending, History, Operation, OperationId};
pub use image::{Image, Misuse, Snapshot, Write};
pub use invariant::{Answer, Happening, Invariant, Scene};
pub use links::LinkConfig;
pub use lists::{Append, Lists};
pub use network::{Network, NetworkConfig, Routes};
pub use node::Node;
pub use profile::Profile;
pub use report::{Commands, Report};
pub use schedule::{Demand, Schedule};
pub use shape::Shape;
pub use subject::{Holder, Subject};
pub use trace::{Trace, TraceLine, mix, mix_bytes};
pub use violation::Violation;
pub use world::{Step, World, WorldConfig};
