//! `synod demo`: a cluster of processes on this machine, what it looks like, and what to try on it.

mod command;
mod percentile;
mod row;
mod sample;
mod screen;

pub(crate) use command::DemoCommand;
