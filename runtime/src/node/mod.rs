//! A node as a whole: its configuration, its environment in production, its start and its end.
//!
//! What a node does stands in the rooms it joins.

mod builder;
mod config;
mod drivers;
mod error;
mod file;
mod founders;
mod group;
mod handle;
mod identity;
mod link_thread;
mod machine;
mod network;
mod one_copy;
mod overrides;
mod pairs;
mod production;
mod queues;
mod resting;
mod services;
mod start;

pub use builder::NodeBuilder;
pub use config::{
    BackupAccess, ConfigError, HttpConfig, KV, KvConfig, LinkConfig, NodeConfig, Override, RaftConfig,
    TlsConfig,
};
pub use error::{NodeFailure, ServiceError, StartError};
pub use founders::Founders;
pub use group::Group;
pub use handle::Node;
pub use link_thread::LinkThread;
pub use machine::Machine;
pub use resting::{RestingFault, Restored};
