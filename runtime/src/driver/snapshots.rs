//! Snapshots of the machines: written and installed beside the turn, streamed to peers and from them.
//!
//! How they travel stands in `shipment`.

use std::cell::Cell;
use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use synod_protocols::log::SnapshotMeta;
use synod_protocols::{Effect, Input, LogIndex, NodeId, Protocol, SessionId, Timestamp};
use synod_transport::BulkReceiver;

use crate::address::MachineId;
use crate::driver::feed::{Arrival, Feed, Refused};
use crate::driver::frame;
use crate::driver::links::{BULK_FRAME, BULK_HELD, BULK_SNAPSHOT};
use crate::driver::meters::Meters;
use crate::driver::seat::Seat;
use crate::driver::shipment::{Direction, Mark, Shipment, receive, tell_held};
use crate::driver::state::Driver;
use crate::driver::thaw::{Thaw, ThawFault, Thawed};
use crate::storage::{SnapshotFault, Snapshots, Write};
use crate::wire::{Form, encode};

/// The largest frame that is taken from a stream.
pub(super) const LARGE_FRAME_BYTES: usize = 16 << 20;

impl<P: Protocol> Driver<P> {
    /// Freezes the application's state.
    ///
    /// Written out only when every earlier write of the machine is durable: a snapshot on the disk that is ahead of the log
    /// there would make entries that a later leader has replaced look like its continuation.
    pub(crate) fn take_snapshot(&mut self, machine: MachineId, meta: SnapshotMeta) {
        let Some(hosted) = self.machines.get_mut(&machine) else { return };
        hosted.freezing = Some(Box::new((hosted.outbox.last_write(), meta, hosted.host.snapshot())));
        self.write_snapshot(machine);
    }

    /// Writes the frozen state out, if there is one and it need not wait.
    pub(crate) fn write_snapshot(&mut self, machine: MachineId) {
        let Some(hosted) = self.machines.get_mut(&machine) else { return };
        let durable = hosted.gate.durable();
        let Some(due) = hosted.freezing.take_if(|freezing| freezing.0 <= durable) else { return };
        let (_, meta, frozen) = *due;
        let (seat, feed) = (hosted.seat, Arc::clone(&self.feed));
        let write = Box::new(move |writer: &mut dyn std::io::Write| frozen.write_to(writer));
        self.store.snapshots().take(machine, meta, write, move |result| {
            feed.push(Arrival::SnapshotTaken { seat, result });
        });
    }

    pub(crate) fn snapshot_taken(
        &mut self,
        now: Timestamp,
        machine: MachineId,
        result: Result<(SnapshotMeta, u64), SnapshotFault>,
    ) {
        let input = match result {
            Ok((meta, bytes)) => Input::SnapshotTaken { meta, bytes },
            Err(fault) => {
                tracing::warn!(protocol = P::NAME, ?machine, %fault, "a snapshot was not written");
                Input::SnapshotFailed
            }
        };
        self.step(now, machine, input);
    }

    pub(crate) fn send_snapshot(&mut self, machine: MachineId, to: NodeId, message: P::Message) {
        let Some(hosted) = self.machines.get_mut(&machine) else { return };
        let (seat, feed) = (hosted.seat, Arc::clone(&self.feed));
        let index = self.store.snapshots().newest(machine).map_or(LogIndex::ZERO, |meta| meta.index);
        let mut encoded = BytesMut::new();
        if let Err(error) = encode(&message, Form::Named, &mut encoded) {
            tracing::error!(protocol = P::NAME, ?machine, %error, "a message cannot be encoded");
            return feed.push(Arrival::SnapshotSent { seat, to, index, delivered: false });
        }
        let (courier, protocol) = self.links.courier();
        let shipment = Shipment {
            snapshots: self.store.snapshots().clone(),
            machine,
            courier,
            protocol,
            to,
            message: encoded.freeze(),
            held: hosted.transfers().listen(to),
            throttle: self.throttle.clone(),
        };
        let task = actix::spawn(async move {
            let known = Cell::new(index);
            let sent = shipment.send(&known).await;
            if let Err(error) = &sent {
                tracing::warn!(protocol = P::NAME, ?machine, peer = %to, %error, "a snapshot was not sent");
            }
            feed.push(Arrival::SnapshotSent { seat, to, index: known.get(), delivered: sent.is_ok() });
        });
        hosted.transfers().begin(Direction::Outgoing, to, task);
    }

    /// A peer opened a stream.
    pub(crate) fn bulk(
        &mut self,
        from: NodeId,
        session: SessionId,
        mut header: Bytes,
        stream: Box<dyn BulkReceiver>,
    ) {
        match header.try_get_u8() {
            Ok(BULK_FRAME) => {
                let (feed, meters) = (Arc::clone(&self.feed), self.meters.clone());
                actix::spawn(receive_frame(from, session, stream, feed, meters));
            }
            Ok(BULK_SNAPSHOT) => self.receive_snapshot(from, header, stream),
            Ok(BULK_HELD) => match Mark::take(&mut header) {
                Ok(mark) => {
                    if let Some(hosted) = self.machines.get_mut(&mark.machine) {
                        hosted.transfers().holds(from, mark);
                    }
                }
                Err(_) => self.bad(from, "a malformed mark of a snapshot"),
            },
            Ok(_) | Err(_) => self.bad(from, "a stream of an unknown kind"),
        }
    }

    fn receive_snapshot(&mut self, from: NodeId, mut header: Bytes, stream: Box<dyn BulkReceiver>) {
        let (Ok(mark), Ok(message)) = (Mark::take(&mut header), frame::message::<P>(&header)) else {
            return self.bad(from, "a snapshot with a malformed header");
        };
        let machine = mark.machine;
        let Some(hosted) = self.machines.get_mut(&machine) else {
            return self.meters.dropped("no_such_machine");
        };
        if hosted.has_snapshot_of(from) {
            // The sender finds its stream closed, and tries again if the machine still needs it.
            return self.meters.dropped("snapshot_pending");
        }
        let left = hosted.transfers().left();
        let receiver = match mark.offset {
            0 => self.store.snapshots().receive(machine, from),
            _ => match left.take_at(mark) {
                Some(receiver) => receiver.from(from),
                // The sender finds its stream closed, and begins at the beginning.
                None => return self.meters.dropped("snapshot_from_the_middle"),
            },
        };
        if let Some(held) = left.further(mark) {
            let (courier, protocol) = self.links.courier();
            // Without an answer the whole snapshot comes, which is as good.
            actix::spawn(async move { drop(tell_held(courier, protocol, from, held).await) });
        }
        let whole = hosted.transfers().expect(from);
        let (seat, feed) = (hosted.seat, Arc::clone(&self.feed));
        let meters = self.meters.clone();
        let task = actix::spawn(async move {
            match receive(receiver, stream, &whole, left).await {
                Ok(meta) => feed.push(Arrival::SnapshotReceived { seat, from, message, meta }),
                Err(error) => {
                    whole.set(false);
                    meters.bad.inc();
                    tracing::warn!(protocol = P::NAME, ?machine, peer = %from, %error, "a snapshot was not received");
                }
            }
        });
        hosted.transfers().begin(Direction::Incoming, from, task);
    }

    /// Begins the installation that waits first, once every earlier write of the machine is durable.
    pub(crate) fn install_next(&mut self, machine: MachineId) {
        let Some(hosted) = self.machines.get_mut(&machine) else { return };
        let Some(Effect::InstallSnapshot { id, from, meta }) = hosted.held.front() else { return };
        if hosted.installing || hosted.failed || hosted.gate.durable() < id.previous() {
            return;
        }
        let next = Effect::InstallSnapshot { id: *id, from: *from, meta: meta.clone() };
        let answer = self.perform(machine, next);
        debug_assert!(answer.is_none(), "an installation is answered later");
    }

    pub(crate) fn begin_install(&mut self, machine: MachineId, from: NodeId, meta: SnapshotMeta) {
        let Some(hosted) = self.machines.get_mut(&machine) else { return };
        hosted.installing = true;
        let (seat, feed, thaw) = (hosted.seat, Arc::clone(&self.feed), hosted.host.thaw());
        let snapshots = self.store.snapshots().clone();
        // A machine installs only what its log contradicts or does not reach. What contradicts it goes first: found beside the
        // snapshot after a crash, it would look like its continuation.
        let contradicting = vec![(machine, vec![Write::Truncate { from: meta.index }])];
        self.store.log().write_patiently(contradicting, move |cleared| match cleared {
            Ok(()) => install(snapshots, seat, from, meta, thaw, feed),
            Err(_) => feed.push(Arrival::Installed { seat, result: Err(SnapshotFault::LogFailed.into()) }),
        });
    }

    /// A snapshot is in place: the application takes it over, and what waited for it goes on.
    pub(crate) fn installed(
        &mut self,
        now: Timestamp,
        machine: MachineId,
        result: Result<(SnapshotMeta, Thawed), ThawFault>,
    ) {
        let Some(hosted) = self.machines.get_mut(&machine) else { return };
        hosted.installing = false;
        let Some(Effect::InstallSnapshot { id, .. }) = hosted.held.pop_front() else { return };
        match result {
            Ok((meta, thawed)) => {
                thawed.put();
                self.durable(now, machine, id);
                self.step(now, machine, Input::SnapshotInstalled(meta));
                self.resume(now, machine);
            }
            Err(error) => {
                tracing::error!(protocol = P::NAME, ?machine, %error, "a snapshot could not be installed");
                self.fail(now, machine);
            }
        }
    }

    /// Carries out what was held back, up to the next installation. What that brings about waits behind what is left.
    fn resume(&mut self, now: Timestamp, machine: MachineId) {
        while let Some(hosted) = self.machines.get_mut(&machine)
            && !matches!(hosted.held.front(), None | Some(Effect::InstallSnapshot { .. }))
            && let Some(effect) = hosted.held.pop_front()
        {
            if let Some(input) = self.perform(machine, effect) {
                self.step(now, machine, input);
            }
        }
        self.install_next(machine);
    }
}

async fn receive_frame<P: Protocol>(
    from: NodeId,
    session: SessionId,
    mut stream: Box<dyn BulkReceiver>,
    feed: Arc<Feed<P>>,
    meters: Meters,
) {
    let mut body = BytesMut::new();
    loop {
        match stream.read().await {
            Ok(Some(piece)) if body.len() + piece.len() <= LARGE_FRAME_BYTES => {
                body.extend_from_slice(&piece)
            }
            Ok(None) => break,
            Ok(Some(_)) | Err(_) => {
                meters.bad.inc();
                tracing::warn!(protocol = P::NAME, peer = %from, "a large frame was cut or has no end");
                return;
            }
        }
    }
    let bytes = body.len();
    if feed.push_peer(bytes, Arrival::Frame { from, session, body: body.freeze() }) == Err(Refused::Full) {
        meters.dropped("feed_full");
    }
}

/// Installs what was received from a peer, and reads it back for the application, all beside the driver's thread.
fn install<P: Protocol>(
    snapshots: Snapshots,
    seat: Seat,
    from: NodeId,
    meta: SnapshotMeta,
    thaw: Thaw,
    feed: Arc<Feed<P>>,
) {
    let installed = snapshots.clone();
    snapshots.install(seat.machine, from, meta, move |result| match result {
        Ok(()) => installed.load(seat.machine, move |loaded| {
            feed.push(Arrival::Installed { seat, result: thaw.read_loaded(loaded) });
        }),
        Err(fault) => feed.push(Arrival::Installed { seat, result: Err(fault.into()) }),
    });
}
