//! Carrying out what machines want done: the only `match` over effects.
//!
//! Decides nothing about a protocol; each effect is handed to the part that it concerns.

use std::collections::VecDeque;

use synod_protocols::{Effect, Input, Protocol, Records, Timestamp, WriteId};

use crate::address::MachineId;
use crate::driver::feed::Arrival;
use crate::driver::gate::Utterance;
use crate::driver::host::Effected;
use crate::driver::links::Links;
use crate::driver::machines::Hosted;
use crate::driver::persist::encode_records;
use crate::driver::state::Driver;
use crate::storage::Write;

impl<P: Protocol> Driver<P> {
    /// Gives a machine one input, and carries out what it wants done, until it wants nothing more.
    pub(crate) fn step(&mut self, now: Timestamp, machine: MachineId, input: Input<P>) {
        let (mut next, mut inputs) = (Some(input), VecDeque::new());
        while let Some(input) = next.take().or_else(|| inputs.pop_front()) {
            let Some(hosted) = self.machines.get_mut(&machine) else { return };
            hosted.machine.handle(now, input, &mut hosted.outbox);
            self.meters.steps.inc();
            for path in hosted.outbox.take_reached() {
                self.meters.reached(path);
            }
            for effect in hosted.outbox.take() {
                inputs.extend(self.carry_out(machine, effect));
            }
        }
        if let Some(hosted) = self.machines.get(&machine) {
            self.deadlines.set(machine, hosted.machine.next_deadline());
        }
    }

    /// Carries out one effect, or holds it back until a snapshot is installed; gives the input that answers it at once.
    fn carry_out(&mut self, machine: MachineId, effect: Effect<P>) -> Option<Input<P>> {
        let hosted = self.machines.get_mut(&machine)?;
        let installing = hosted.installing || !hosted.held.is_empty();
        if waits_for_installation(&effect) && (installing || matches!(effect, Effect::InstallSnapshot { .. }))
        {
            hosted.held.push_back(effect);
            self.install_next(machine);
            return None;
        }
        self.perform(machine, effect)
    }

    /// Carries out one effect; gives the input that answers it at once.
    pub(crate) fn perform(&mut self, machine: MachineId, effect: Effect<P>) -> Option<Input<P>> {
        let hosted = self.machines.get_mut(&machine)?;
        let links = &mut self.links;
        match effect {
            Effect::Send { to, message, after } => say(hosted, links, after, Utterance::Send { to, message }),
            Effect::Reply { token, reply, after } => {
                say(hosted, links, after, Utterance::Reply { token, reply })
            }
            Effect::Emit { event, after } => say(hosted, links, after, Utterance::Emit { event }),
            Effect::Persist { id, records } => self.persist(machine, id, &records),
            Effect::Truncate { id, from } => self.write(machine, id, [Write::Truncate { from }]),
            Effect::Compact { id, upto } => self.write(machine, id, [Write::Compact { upto }]),
            Effect::Load { request, from, to, max_bytes } => {
                let (seat, feed) = (hosted.seat, self.feed.clone());
                self.store.log().read(machine, from, to, max_bytes, move |result| {
                    feed.push(Arrival::Loaded { seat, request, result });
                });
            }
            Effect::Apply { entries } => {
                hosted.committed.push(entries);
                self.applying.push_back(machine);
            }
            Effect::TakeSnapshot { meta } => {
                // Of the state after the last `Apply`.
                let applied = self.catch_up(machine);
                self.take_snapshot(machine, meta);
                return applied;
            }
            Effect::SendSnapshot { to, message } => self.send_snapshot(machine, to, message),
            Effect::InstallSnapshot { from, meta, .. } => self.begin_install(machine, from, meta),
            Effect::DropSnapshot { from } => self.store.snapshots().drop_received(machine, from),
            Effect::Watch { peers } => {
                if !peers.is_empty() {
                    hosted.rest();
                }
                for peer in self.watches.set(machine, peers) {
                    self.feed.push(Arrival::Silent { peer });
                }
            }
        }
        None
    }

    /// Lets what is committed take effect on a machine's application; gives the input that says so.
    pub(crate) fn catch_up(&mut self, machine: MachineId) -> Option<Input<P>> {
        let hosted = self.machines.get_mut(&machine)?;
        let committed = std::mem::take(&mut hosted.committed);
        if hosted.failed {
            return None;
        }
        let upto = committed.iter().rev().find_map(|entries| entries.last())?.index;
        let mut all = Effected::default();
        for entries in committed {
            let Effected { results, wake } = hosted.host.apply(entries);
            all.results.extend(results);
            all.wake = wake;
        }
        Some(Input::Applied { upto, results: all.results, wake: all.wake })
    }

    /// Every write of the machine up to `id` is durable: what waited for it is said, then the machine is told.
    pub(crate) fn durable(&mut self, now: Timestamp, machine: MachineId, id: WriteId) {
        let Some(hosted) = self.machines.get_mut(&machine) else { return };
        hosted.gate.open(id);
        while let Some(utterance) = hosted.gate.released() {
            utter(hosted, &mut self.links, utterance);
        }
        self.write_snapshot(machine);
        self.step(now, machine, Input::Persisted(id));
    }

    /// The machine's writes have failed: it is told once, and what waits for a write is never said.
    pub(crate) fn fail(&mut self, now: Timestamp, machine: MachineId) {
        let Some(hosted) = self.machines.get_mut(&machine) else { return };
        if std::mem::replace(&mut hosted.failed, true) {
            return;
        }
        tracing::error!(
            protocol = P::NAME,
            machine = &*hosted.name,
            "a write failed, the machine has stopped"
        );
        hosted.host.failed();
        self.step(now, machine, Input::WriteFailed);
        if let Some(hosted) = self.machines.get_mut(&machine) {
            // Whoever got no answer from the machine learns that the outcome is unknown.
            hosted.answers.clear();
        }
    }

    fn persist(&mut self, machine: MachineId, id: WriteId, records: &Records<P::Record>) {
        match encode_records::<P>(records) {
            Ok(writes) => self.write(machine, id, writes),
            Err(error) => {
                tracing::error!(protocol = P::NAME, ?machine, error, "a record cannot be encoded");
                if let Some(hosted) = self.machines.get(&machine) {
                    self.broken.push(hosted.seat);
                }
            }
        }
    }

    fn write(&mut self, machine: MachineId, id: WriteId, writes: impl IntoIterator<Item = Write>) {
        if let Some(hosted) = self.machines.get(&machine)
            && !hosted.failed
        {
            self.writes.add(hosted.seat, id, writes);
        }
    }
}

/// While a snapshot waits to be installed, the writes and the applying that come after it wait too; what is said does not.
fn waits_for_installation<P: Protocol>(effect: &Effect<P>) -> bool {
    match effect {
        Effect::Persist { .. }
        | Effect::Truncate { .. }
        | Effect::Compact { .. }
        | Effect::Apply { .. }
        | Effect::TakeSnapshot { .. }
        | Effect::InstallSnapshot { .. } => true,
        Effect::Send { .. }
        | Effect::Reply { .. }
        | Effect::Emit { .. }
        | Effect::Load { .. }
        | Effect::SendSnapshot { .. }
        | Effect::DropSnapshot { .. }
        | Effect::Watch { .. } => false,
    }
}

fn say<P: Protocol>(hosted: &mut Hosted<P>, links: &mut Links<P>, after: WriteId, utterance: Utterance<P>) {
    if let Some(utterance) = hosted.gate.pass(after, utterance) {
        utter(hosted, links, utterance);
    }
}

fn utter<P: Protocol>(hosted: &mut Hosted<P>, links: &mut Links<P>, utterance: Utterance<P>) {
    match utterance {
        Utterance::Send { to, message } => links.send(to, hosted.seat.machine, message),
        Utterance::Reply { token, reply } => {
            if let Some(answer) = hosted.answers.remove(&token) {
                answer.give(Ok(reply));
            }
        }
        Utterance::Emit { event } => {
            hosted.host.event(&event);
            hosted.tell(event);
        }
    }
}
