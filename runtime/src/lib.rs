//! synod: compose a distributed service by spawning actors.
//!
//! A node is an actix actor system; its actors talk to actors on other nodes through typed messages over QUIC, and consensus,
//! storage and failure detection are actors like any other. This crate joins `synod-protocols`, which decides, and
//! `synod-transport`, which carries bytes, and is the only place with actors.
#![cfg_attr(doctest, doc = include_str!("../../README.md"))]

pub mod actor;
pub mod address;
pub mod cluster;
pub mod delivery;
pub mod driver;
pub mod env;
pub mod error;
pub mod node;
pub mod prelude;
pub mod scope;
pub mod services;
pub mod sim;
pub mod storage;
pub mod telemetry;
pub mod topics;
pub mod wire;

// What the derives generate names `::synod`, here too.
extern crate self as synod;

#[doc(hidden)]
pub use actix;
pub use node::Node;
pub use synod_macros::{Remote, Wire, interface};
pub use synod_protocols as protocols;
pub use synod_transport as transport;
