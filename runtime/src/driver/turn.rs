//! One turn of a driver: everything that has arrived, every deadline that has passed, one frame per peer, one write.
//!
//! What may go before the write is durable leaves before the write begins; what may not leaves in the turn in which it ends. What
//! was committed takes effect after both: nobody waits for the application who need not.

use actix::{Actor, ActorContext, AsyncContext, Context, StreamHandler};
use bytes::Bytes;
use synod_protocols::{Input, LogIndex, NodeId, Protocol, RequestId, SessionId, Timestamp};

use crate::address::MachineId;
use crate::driver::feed::{Arrival, Unanswered};
use crate::driver::frame;
use crate::driver::seat::Seat;
use crate::driver::state::Driver;
use crate::driver::wakes::{Wake, Wakes};
use crate::storage::{ReadFault, Write, WriteFault};
use crate::wire::decode;

/// How often in one turn machines may ask to be called at once; beyond it others come first.
const ROUNDS: usize = 8;

impl<P: Protocol> Actor for Driver<P> {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Context<Self>) {
        context.add_stream(Wakes::new(self.feed.clone(), self.clock.clone(), self.deadline.clone()));
    }
}

impl<P: Protocol> StreamHandler<Wake> for Driver<P> {
    fn handle(&mut self, _wake: Wake, context: &mut Context<Self>) {
        self.turn();
        if !self.stopping.is_empty() && self.is_flushed() {
            context.stop();
        }
    }
}

impl<P: Protocol> Drop for Driver<P> {
    /// Also when the whole place goes down: nobody waits for an answer that will not come.
    fn drop(&mut self) {
        for arrival in self.feed.close() {
            match arrival {
                Arrival::Command { answer, .. } => answer.give(Err(Unanswered::Stopped)),
                Arrival::Shutdown { done } => self.stopping.push(done),
                _ => {}
            }
        }
        let waiting = std::mem::take(&mut self.stopping);
        self.farewell(waiting);
    }
}

impl<P: Protocol> Driver<P> {
    fn turn(&mut self) {
        // Taken before the clock is read: what arrives is never stamped with a time before it came, however long this thread is
        // held up here, or a lease would end early.
        let arrivals = self.feed.take();
        let now = self.clock.now();
        self.meters.turns.inc();
        for arrival in arrivals {
            self.arrive(now, arrival);
        }
        if self.stopping.is_empty() {
            self.expire(now);
        }
        self.go_out(now);
        self.apply_committed(now);
        if self.room.probe(now) {
            self.store.log().probe_space();
        }
        let machines = self.deadlines.next().filter(|_| self.stopping.is_empty());
        let deadlines = [machines, self.writes.retry_at(), self.room.probe_at()];
        self.deadline.set(deadlines.into_iter().flatten().min().unwrap_or(Timestamp::NEVER));
    }

    /// Sends what is to be sent, and writes what is to be written.
    fn go_out(&mut self, now: Timestamp) {
        self.fail_broken(now);
        self.links.flush();
        self.begin_write(now);
    }

    /// Lets what was committed take effect, while the network and the disk are at work.
    fn apply_committed(&mut self, now: Timestamp) {
        if self.applying.is_empty() {
            return;
        }
        while let Some(machine) = self.applying.pop_front() {
            if let Some(input) = self.catch_up(machine) {
                self.step(now, machine, input);
            }
        }
        self.go_out(now);
    }

    fn arrive(&mut self, now: Timestamp, arrival: Arrival<P>) {
        match arrival {
            Arrival::Frame { from, session, body } => self.frame(now, from, session, body),
            Arrival::Bulk { from, session, header, stream } => self.bulk(from, session, header, stream),
            Arrival::Reachable { peer, session } => {
                self.links.reachable(peer, session);
                self.step_all(now, &Input::Reachable { peer, session });
            }
            Arrival::Unreachable { peer, session } => {
                if self.links.unreachable(peer, session) {
                    self.step_all(now, &Input::Unreachable { peer });
                }
            }
            Arrival::Silent { peer } => {
                for machine in self.watches.silent(peer) {
                    self.step(now, machine, Input::Suspected { peer });
                }
            }
            Arrival::Command { machine, command, answer } => self.command(now, machine, command, answer),
            Arrival::Create(creation) => self.create(now, *creation),
            Arrival::Thawed { machine, result } => self.thawed(now, machine, result),
            Arrival::Remove { machine, done } => {
                // Who asked may have lost interest.
                let _ = done.send(self.remove(machine));
            }
            Arrival::Observe { machine, observer } => {
                let _ = observer.send(self.machines.get_mut(&machine).map(|hosted| hosted.observe()));
            }
            Arrival::Written(result) => self.written(now, result),
            Arrival::Space(available) => {
                if available {
                    self.writes.retry();
                }
                let changed = self.room.log_says(now, available);
                self.tell_space(now, changed);
            }
            Arrival::Loaded { seat, request, result } => self.loaded(now, seat, request, result),
            Arrival::SnapshotTaken { seat, result } if self.is_seated(seat) => {
                self.snapshot_taken(now, seat.machine, result);
            }
            Arrival::SnapshotSent { seat, to, index, delivered } if self.is_seated(seat) => {
                self.step(now, seat.machine, Input::SnapshotSent { to, index, delivered });
            }
            Arrival::SnapshotReceived { seat, from, message, meta } if self.is_seated(seat) => {
                self.step(
                    now,
                    seat.machine,
                    Input::SnapshotReceived { from, message: Box::new(message), meta },
                );
                if let Some(hosted) = self.machines.get_mut(&seat.machine) {
                    hosted.transfers().decided(from);
                }
            }
            Arrival::Installed { seat, result } if self.is_seated(seat) => {
                self.installed(now, seat.machine, result)
            }
            // The machine they were meant for has left.
            Arrival::SnapshotTaken { .. }
            | Arrival::SnapshotSent { .. }
            | Arrival::SnapshotReceived { .. }
            | Arrival::Installed { .. } => {}
            Arrival::Shutdown { done } => self.stopping.push(done),
        }
    }

    fn frame(&mut self, now: Timestamp, from: NodeId, session: SessionId, mut body: Bytes) {
        if !self.stopping.is_empty() {
            return;
        }
        self.meters.frames_received.inc();
        while let Some(part) = frame::next(&mut body) {
            let Ok((machine, bytes)) = part else { return self.bad(from, "a cut frame") };
            if !self.machines.contains_key(&machine) {
                self.meters.dropped("no_such_machine");
                continue;
            }
            match frame::message::<P>(&bytes) {
                Ok(message) => {
                    self.meters.messages_received.inc();
                    self.step(now, machine, Input::Message { from, session, message });
                }
                Err(error) => self.bad(from, &error.to_string()),
            }
        }
    }

    fn command(
        &mut self,
        now: Timestamp,
        machine: MachineId,
        command: P::Command,
        answer: crate::driver::feed::Answer<P>,
    ) {
        if !self.stopping.is_empty() {
            return answer.give(Err(Unanswered::Stopped));
        }
        let Some(hosted) = self.machines.get_mut(&machine) else {
            return answer.give(Err(Unanswered::NoSuchMachine));
        };
        let token = hosted.ask(answer);
        let failed = hosted.failed;
        self.step(now, machine, Input::Command { token, command });
        if failed && let Some(hosted) = self.machines.get_mut(&machine) {
            hosted.answers.clear();
        }
    }

    fn written(&mut self, now: Timestamp, result: Result<(), WriteFault>) {
        match result {
            Ok(()) => {
                let finished = self.writes.finish();
                let changed = self.room.written(now, self.writes.is_put_off());
                self.tell_space(now, changed);
                for (seat, id) in finished {
                    if self.is_seated(seat) {
                        self.durable(now, seat.machine, id);
                        self.install_next(seat.machine);
                    }
                }
            }
            Err(WriteFault::NoSpace) => {
                self.writes.put_off(now);
                let changed = self.room.written(now, true);
                self.tell_space(now, changed);
            }
            Err(fault @ WriteFault::TooLarge { limit, .. }) => {
                let large = |write: &Write| write.body().len() as u64 > limit;
                self.evict(now, &fault, |_, writes| writes.iter().any(large));
            }
            Err(fault @ WriteFault::Gap { machine, .. }) => {
                self.evict(now, &fault, |other, _| other == machine)
            }
            Err(WriteFault::Failed) => self.fail_all(now),
        }
    }

    /// Nothing was written because of single machines: they fail, the others go on.
    fn evict(&mut self, now: Timestamp, fault: &WriteFault, guilty: impl Fn(MachineId, &[Write]) -> bool) {
        tracing::error!(protocol = P::NAME, %fault, "the log refused a write");
        let evicted = self.writes.evict(guilty);
        if evicted.is_empty() {
            return self.fail_all(now);
        }
        for seat in evicted {
            if self.is_seated(seat) {
                self.fail(now, seat.machine);
            }
        }
    }

    fn fail_all(&mut self, now: Timestamp) {
        self.writes.clear();
        for machine in self.machines.keys().copied().collect::<Vec<_>>() {
            self.fail(now, machine);
        }
    }

    fn tell_space(&mut self, now: Timestamp, changed: bool) {
        if changed {
            let available = self.room.is_available();
            self.step_all(now, &Input::Space { available });
        }
    }

    fn loaded(
        &mut self,
        now: Timestamp,
        seat: Seat,
        request: RequestId,
        result: Result<Vec<(LogIndex, Bytes)>, ReadFault>,
    ) {
        if !self.is_seated(seat) {
            return;
        }
        let decoded = result.map_err(|fault| fault.to_string()).and_then(|entries| {
            let record =
                |(_, body): (LogIndex, Bytes)| decode(&body, usize::MAX).map_err(|error| error.to_string());
            entries.into_iter().map(record).collect::<Result<Vec<P::Record>, String>>()
        });
        match decoded {
            Ok(records) => self.step(now, seat.machine, Input::Loaded { request, records }),
            Err(error) => {
                // What was durable and cannot be read is lost: the machine must not go on as if it had it.
                tracing::error!(protocol = P::NAME, machine = ?seat.machine, error, "entries cannot be read back");
                self.fail(now, seat.machine);
            }
        }
    }

    fn expire(&mut self, now: Timestamp) {
        for _ in 0..ROUNDS {
            let due = self.deadlines.due(now);
            if due.is_empty() {
                return;
            }
            for machine in due {
                self.step(now, machine, Input::Timeout);
            }
        }
    }

    fn fail_broken(&mut self, now: Timestamp) {
        for seat in std::mem::take(&mut self.broken) {
            if self.is_seated(seat) {
                self.fail(now, seat.machine);
            }
        }
    }

    fn begin_write(&mut self, now: Timestamp) {
        let Some(batch) = self.writes.begin(now) else { return };
        self.meters.writes.inc();
        self.meters.records.inc_by(self.writes.records() as u64);
        self.meters.records_per_write.observe(self.writes.records() as f64);
        let feed = self.feed.clone();
        self.store.log().write(batch, move |result| feed.push(Arrival::Written(result)));
    }

    fn step_all(&mut self, now: Timestamp, input: &Input<P>) {
        for machine in self.machines.keys().copied().collect::<Vec<_>>() {
            self.step(now, machine, input.clone());
        }
    }

    /// A peer broke the rules of the wire.
    pub(crate) fn bad(&mut self, from: NodeId, what: &str) {
        self.meters.bad.inc();
        // One word for each connection: a newer version may say again and again what this one does not know.
        if self.links.is_news(from) {
            tracing::warn!(protocol = P::NAME, peer = %from, what, "a peer's message was not understood");
        } else {
            tracing::debug!(protocol = P::NAME, peer = %from, what, "a peer's message was not understood");
        }
    }

    fn is_seated(&self, seat: Seat) -> bool {
        self.machines.get(&seat.machine).is_some_and(|hosted| hosted.seat == seat)
    }
}
