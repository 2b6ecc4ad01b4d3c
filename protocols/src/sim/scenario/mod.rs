//! Scenario scripts: a text of commands and the whole output expected of each, played on machines that are stepped by hand.
//!
//! Every message, every sync and every bit of time is the script's to give; nothing happens by chance. A protocol adds its own
//! commands and its own words by a [`Dialect`]. The language is described in `runtime/docs/scenarios.md`. After the
//! data-driven tests of etcd-raft.

mod deed;
mod dialect;
mod misread;
mod page;
mod perform;
mod play;
mod script;
mod selection;
mod stage;
mod story;
mod wire;
mod words;
mod work;

#[cfg(test)]
mod tests;

pub use dialect::{Ask, Dialect};
pub use misread::{Fault, Misread};
pub use page::Page;
pub use play::{Difference, Played, play};
pub use words::Words;
