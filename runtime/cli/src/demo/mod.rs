//! `synod demo`: a cluster of processes on this machine, what it looks like, and what to try on it.

mod child;
mod command;
mod files;
mod layout;
mod percentile;
mod ports;
mod row;
mod sample;
mod screen;

pub(crate) use child::Children;
pub(crate) use command::DemoCommand;
pub(crate) use files::{client_identity, last_words, prepare};
pub(crate) use layout::{CLIENT, CLUSTER, Place};
pub(crate) use ports::{choose_http, choose_quic};
