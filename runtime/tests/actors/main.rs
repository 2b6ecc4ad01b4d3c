//! Actors through their references: on one node, between nodes in memory under a virtual clock, and between nodes over QUIC.

mod failures;
mod hostile;
mod local;
mod manifests;
mod quic;
mod remote;
mod subjects;
mod supervision;
mod watching;
mod world;
