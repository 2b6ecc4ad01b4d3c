//! This node's end of one queue, as its sender, its receiver and the messages that were handed out share it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use synod_protocols::delivery::{Command, Delivery, Event, Reply, StreamId, Ticket};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{Mutex as Turn, Semaphore};

use crate::actor::Core;
use crate::address::MachineId;
use crate::delivery::meters::Meters;
use crate::delivery::options::SenderOptions;
use crate::driver::{CommandError, DriverHandle};

/// A message on its way to the receiver.
pub(super) struct Hand {
    pub(super) ticket: Ticket,
    pub(super) attempt: u32,
    pub(super) payload: Bytes,
}

/// One node's end of one queue.
pub(crate) struct End {
    pub(super) name: String,
    pub(super) core: Arc<Core>,
    pub(super) meters: Meters,
    driver: DriverHandle<Delivery>,
    machine: MachineId,
    /// Room for messages and for bytes that the machine has and no sender has taken.
    pub(super) messages: Semaphore,
    pub(super) bytes: Semaphore,
    /// How it was opened for sending, and the stream.
    pub(super) opened: Turn<Option<(SenderOptions, StreamId)>>,
    /// Where messages go. Bounded by how many the machine hands out at a time.
    receiver: Mutex<Option<UnboundedSender<Hand>>>,
}

impl End {
    pub(super) fn new(
        name: String,
        core: Arc<Core>,
        meters: Meters,
        driver: DriverHandle<Delivery>,
        machine: MachineId,
    ) -> Self {
        Self {
            name,
            core,
            meters,
            driver,
            machine,
            messages: Semaphore::new(0),
            bytes: Semaphore::new(0),
            opened: Turn::default(),
            receiver: Mutex::default(),
        }
    }

    /// Asks the machine.
    pub(super) async fn command(&self, command: Command, bytes: usize) -> Result<Reply, CommandError> {
        self.driver.command(self.machine, command, bytes).await
    }

    /// Tells the machine, which has bounded how often.
    pub(super) fn tell(&self, command: Command) {
        self.driver.tell(self.machine, command);
    }

    /// Lets a receiver have what is handed out; `false` when there is one.
    pub(super) fn enter(&self, receiver: UnboundedSender<Hand>) -> bool {
        let mut place = self.place();
        let is_free = place.is_none();
        if is_free {
            *place = Some(receiver);
        }
        is_free
    }

    /// The receiver has gone. Said before another one enters, so that the machine hears of it first.
    pub(super) fn leave(&self) {
        let mut place = self.place();
        *place = None;
        self.tell(Command::Retire);
    }

    /// Hears the machine, on its driver's thread.
    pub(super) fn hear(&self, event: &Event) {
        match event {
            Event::Hand { ticket, attempt, payload } => {
                self.meters.handed.inc();
                let hand = Hand { ticket: *ticket, attempt: *attempt, payload: payload.clone() };
                if let Some(receiver) = &*self.place() {
                    let sent = receiver.send(hand);
                    debug_assert!(sent.is_ok(), "a receiver leaves its place before its channel closes");
                }
            }
            Event::Room { messages, bytes } => {
                self.messages.add_permits(*messages);
                self.bytes.add_permits(*bytes);
            }
            Event::Accepted => {
                self.meters.accepted.inc();
                self.meters.unconfirmed.inc();
            }
            Event::Confirmed(count) => {
                self.meters.confirmed.inc_by(*count);
                self.meters.unconfirmed.dec_by(*count as i64);
            }
            Event::Resent(count) => {
                self.meters.resent.inc_by(*count);
            }
            Event::Reassigned(count) => {
                self.meters.reassigned.inc_by(*count);
            }
            Event::Repeated => {
                self.meters.repeated.inc();
            }
            Event::Returned => {
                self.meters.returned.inc();
            }
        }
    }

    fn place(&self) -> MutexGuard<'_, Option<UnboundedSender<Hand>>> {
        self.receiver.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
