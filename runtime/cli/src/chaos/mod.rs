//! `synod chaos`: real processes under faults, clients that write down what they saw, and the checker's verdict on it.
//!
//! The network between the nodes is a proxy of datagrams in this process: each node reaches each peer at an address of its own.

mod act;
mod card;
mod client;
mod cluster;
mod command;
mod damage;
mod fault;
mod http;
mod nemesis;
mod proxy;
mod question;
mod recorder;
mod schedule;
mod small_disk;
mod weather;

pub(crate) use command::ChaosCommand;
