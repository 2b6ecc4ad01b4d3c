//! Clusters of `synod node` processes on this machine: where their files and ports are, how they start and how they end.

mod child;
mod files;
mod layout;
mod ports;

pub(crate) use child::Children;
pub(crate) use files::{client_identity, last_words, prepare, prepare_by, quic_ports};
pub(crate) use layout::{CLIENT, CLUSTER, Place};
pub(crate) use ports::{choose_http, choose_quic, consecutive_http};
