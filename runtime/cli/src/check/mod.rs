//! `synod check`: whether a recorded history is linearizable.

mod command;
mod drawing;
mod findings;
mod line;
mod record;
mod report;
mod shape;

#[cfg(test)]
mod tests;

pub(crate) use command::{CheckCommand, judge};
pub(crate) use findings::{Findings, Limits};
