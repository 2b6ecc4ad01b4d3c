//! A node as a whole: its configuration, its environment in production, its start and its end.
//!
//! What a node does stands in the rooms it joins.

mod config;
mod file;
mod production;

pub use config::{ConfigError, HttpConfig, NodeConfig, Override, RaftConfig, TlsConfig};
