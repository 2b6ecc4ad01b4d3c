//! When each machine wants to be called next: one ordered set, of which the driver arms the first.

use std::collections::{BTreeMap, BTreeSet};

use synod_protocols::Timestamp;

use crate::address::MachineId;

/// At most one deadline for each machine.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    by_machine: BTreeMap<MachineId, Timestamp>,
    by_time: BTreeSet<(Timestamp, MachineId)>,
}

impl Deadlines {
    /// Replaces a machine's deadline.
    pub(crate) fn set(&mut self, machine: MachineId, deadline: Option<Timestamp>) {
        let before = match deadline {
            Some(deadline) => self.by_machine.insert(machine, deadline),
            None => self.by_machine.remove(&machine),
        };
        if before == deadline {
            return;
        }
        if let Some(before) = before {
            self.by_time.remove(&(before, machine));
        }
        if let Some(deadline) = deadline {
            self.by_time.insert((deadline, machine));
        }
    }

    /// The machines whose deadlines have passed, the longest overdue first.
    pub(crate) fn due(&self, now: Timestamp) -> Vec<MachineId> {
        self.by_time
            .iter()
            .take_while(|(deadline, _)| *deadline <= now)
            .map(|&(_, machine)| machine)
            .collect()
    }

    /// The earliest deadline.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.by_time.first().map(|&(deadline, _)| deadline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_has_one_deadline_and_the_earliest_is_due_first() {
        let mut deadlines = Deadlines::default();
        deadlines.set(MachineId(1), Some(Timestamp(30)));
        deadlines.set(MachineId(2), Some(Timestamp(20)));
        deadlines.set(MachineId(1), Some(Timestamp(10)));
        assert_eq!(deadlines.due(Timestamp(25)), [MachineId(1), MachineId(2)]);
        deadlines.set(MachineId(1), None);
        assert_eq!(deadlines.next(), Some(Timestamp(20)));
        assert_eq!(deadlines.due(Timestamp(19)), []);
    }
}
