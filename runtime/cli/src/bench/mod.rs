//! `synod bench`: how fast messages and durable writes are on this machine, measured between processes of this binary.

mod at_once;
mod cluster;
mod cold_start;
mod command;
mod counter;
mod echo;
mod figure;
mod groups;
mod house;
mod http;
mod kv;
mod latency;
mod length;
mod load;
mod local;
mod messages;
mod messaging;
mod process;
mod recovery;
mod remote;
mod runs;
mod storage;
mod topic;
mod writers;

pub(crate) use command::BenchCommand;
