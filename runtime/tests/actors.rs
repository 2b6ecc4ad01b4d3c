//! Actors through their references: on one node, between nodes in memory under a virtual clock, and between nodes over QUIC.

#[path = "actors/bonds.rs"]
mod bonds;
#[path = "actors/breaks.rs"]
mod breaks;
#[path = "actors/courier.rs"]
mod courier;
#[path = "actors/credit.rs"]
mod credit;
#[path = "actors/failures.rs"]
mod failures;
#[path = "actors/families.rs"]
mod families;
#[path = "actors/hostile.rs"]
mod hostile;
#[path = "actors/limits.rs"]
mod limits;
#[path = "actors/local.rs"]
mod local;
#[path = "actors/manifests.rs"]
mod manifests;
#[path = "actors/noise.rs"]
mod noise;
#[path = "actors/policy.rs"]
mod policy;
#[path = "actors/quic.rs"]
mod quic;
#[path = "actors/remote.rs"]
mod remote;
#[path = "actors/restarting.rs"]
mod restarting;
#[path = "actors/subjects.rs"]
mod subjects;
#[path = "actors/supervision.rs"]
mod supervision;
#[path = "actors/watching.rs"]
mod watching;
#[path = "actors/world.rs"]
mod world;
