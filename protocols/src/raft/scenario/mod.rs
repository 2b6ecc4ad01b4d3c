//! Raft's part of the language of scenarios: its commands, its settings and its words.
//!
//! The scripts are in `protocols/tests/scenarios/raft`; how they are written stands in `runtime/docs/scenarios.md`.

mod dialect;
mod glance;
mod settings;
mod speech;
mod view;
