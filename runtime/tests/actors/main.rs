//! Actors through their references: on one node, between nodes in memory under a virtual clock, and between nodes over QUIC.

mod failures;
mod local;
mod remote;
mod subjects;
mod supervision;
mod watching;
mod world;
