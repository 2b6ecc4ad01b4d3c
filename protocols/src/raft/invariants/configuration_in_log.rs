//! The configuration in force is the newest that the log carries: it comes with its entry, and when that is cut off it goes
//! (Raft §6; dissertation §4.1: in effect on append, and "a server must be prepared to fall back").

use crate::log::Body;
use crate::raft::{Membership, Raft};
use crate::sim::{Happening, Invariant, Scene, Violation};
use crate::types::LogIndex;

const NAME: &str = "configuration in the log";

/// Remembers nothing: a log is compared with what its machine takes for its configurations.
#[derive(Clone, Copy, Debug, Default)]
pub struct ConfigurationInLog;

impl<A> Invariant<Raft, A> for ConfigurationInLog {
    fn check(&mut self, scene: &Scene<'_, Raft, A>) -> Result<(), Violation> {
        let Some(machine) = scene.node().machine() else { return Ok(()) };
        let written = scene.happenings.iter().filter_map(|happening| match happening {
            Happening::LogWritten(from) => Some(*from),
            _ => None,
        });
        let Some(from) = written.min() else { return Ok(()) };
        let last = machine.log.last().index;
        let from = from.max(machine.log.base().index.next());
        if let Some((index, _)) = machine.configurations.all().find(|(index, _)| *index > last) {
            let details = format!("goes by a configuration of {index}, and its log ends at {last}");
            return Err(scene.violation(NAME, details));
        }
        for index in (from.0..=last.0).map(LogIndex) {
            let Some(entry) = machine.entry(index) else { continue };
            let carried = match &entry.body {
                Body::Configuration(bytes) => Membership::decode(bytes),
                Body::Noop | Body::Command { .. } | Body::Withheld => None,
            };
            let held = machine.configurations.all().find(|(at, _)| *at == index).map(|(_, it)| it);
            // Below a snapshot from which this process started, and where the group slept, a later one stands for all.
            let known = machine.snapshots.index.max(machine.configurations.first());
            if carried.as_ref() != held && index > known {
                let details = format!("at {index} its log carries {carried:?}, and it goes by {held:?}");
                return Err(scene.violation(NAME, details));
            }
        }
        Ok(())
    }
}
