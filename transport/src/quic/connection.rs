//! A living connection at work: the lanes it carries, its bulk streams, its datagrams, and its end.

use std::sync::Arc;

use quinn::{Connection, RecvStream, SendStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::agreement::{Agreed, agree};
use super::bulk::{BULK, BeginError, begin};
use super::close::{Close, link_reason};
use super::goodbye::{LAST_WORD, hear};
use super::hub::Hub;
use super::lane_io::{ACKS, LaneEnd, read_acks, read_lane, write_acks, write_lane};
use super::link::QuicLink;
use crate::contract::CloseReason;
use crate::lane::{LANES, Lane, REPLAYED};
use crate::metrics::add;
use crate::session::Session;

/// Above the streams of bulk and of the ordinary lanes, whose priority is 0.
const PRIORITY: i32 = 1;

/// A connection and what it carries.
#[derive(Clone)]
struct Work {
    hub: Arc<Hub>,
    connection: Connection,
    link: Arc<QuicLink>,
    session: Arc<Session>,
}

/// Puts a connection in its place and sets it to work. Nothing is awaited: nobody sees a half-open one.
pub(crate) fn open(
    hub: &Arc<Hub>,
    connection: Connection,
    link: &Arc<QuicLink>,
    send: SendStream,
    recv: RecvStream,
) {
    let replaced = hub.table.insert(link);
    if let Some((old, reason)) = replaced {
        hub.end(&old, reason);
    }
    hub.tls.review(link);
    hub.tasks.spawn(run(hub.clone(), connection, link.clone(), send, recv));
}

async fn run(
    hub: Arc<Hub>,
    connection: Connection,
    link: Arc<QuicLink>,
    mut send: SendStream,
    mut recv: RecvStream,
) {
    let Some(Agreed { session, told }) = agree(&hub, &link, &mut send, &mut recv).await else {
        let reason = link.closed_by_us().or_else(|| connection.close_reason().as_ref().map(link_reason));
        return hub.end(&link, reason.unwrap_or_else(|| CloseReason::Lost("no session".to_owned())));
    };
    Work { hub, connection, link, session }.work(send, recv, told).await;
}

impl Work {
    async fn work(self, send: SendStream, recv: RecvStream, told: [u64; REPLAYED]) {
        let Self { hub, connection, link, session } = &self;
        let mut writers = JoinSet::new();
        let control = session.batch(Lane::Control).clone();
        let control = write_lane(control, link.birth.number, send, hub.counters.clone());
        hub.tasks.join(&mut writers, control);
        for lane in Lane::all().filter(|lane| *lane != Lane::Control) {
            hub.tasks.join(&mut writers, self.clone().open_lane(lane));
        }
        hub.tasks.join(&mut writers, self.clone().open_acks(told));
        let mut readers = JoinSet::new();
        link.first_of(Lane::Control.number());
        hub.tasks.join(&mut readers, self.clone().lane(Lane::Control, recv));
        // In order, here and below: which of two that are ready comes first must not be chance, or a seed would not be one run.
        tokio::select! {
            biased;
            () = self.listen(&mut readers) => {}
            () = link.closing.notified() => {
                readers.abort_all();
                // A write that is under way goes on until the connection is closed: cut short, it would look like a broken frame.
                writers.detach_all();
                let reason = link.closed_by_us();
                hub.end(link, reason.unwrap_or_else(|| CloseReason::Lost("closed".to_owned())));
                return;
            }
        }
        // What had arrived when the connection ended is still handed over, before the end is told.
        while readers.join_next().await.is_some() {}
        let error = connection.closed().await;
        let reason = link.closed_by_us().or_else(|| link.closed_by_peer());
        hub.end(link, reason.unwrap_or_else(|| link_reason(&error)));
    }

    /// Takes the peer's streams and datagrams until the connection ends.
    async fn listen(&self, readers: &mut JoinSet<()>) {
        let handle = self.session.handle();
        let mut datagrams = true;
        loop {
            tokio::select! {
                biased;
                stream = self.connection.accept_uni() => match stream {
                    Ok(stream) => self.hub.tasks.join(readers, self.clone().incoming(stream)),
                    Err(_) => return,
                },
                payload = self.connection.read_datagram(), if datagrams => match payload {
                    Ok(payload) if self.link.is_over() => drop(payload),
                    Ok(payload) => {
                        add(&self.hub.counters.datagrams_in, 1);
                        self.hub.receiver.datagram(&handle, payload);
                    }
                    // The connection ended; the streams that have arrived are still to be taken.
                    Err(_) => datagrams = false,
                },
                Some(_) = readers.join_next(), if !readers.is_empty() => {}
            }
        }
    }

    /// Opens the stream of a lane and writes it.
    async fn open_lane(self, lane: Lane) {
        let priority = if lane == Lane::Fleeting { PRIORITY } else { 0 };
        if let Some(stream) = self.open(lane.number(), priority).await {
            let (batch, number) = (self.session.batch(lane).clone(), self.link.birth.number);
            write_lane(batch, number, stream, self.hub.counters.clone()).await;
        }
    }

    /// Opens the stream of acknowledgements and writes it.
    async fn open_acks(self, told: [u64; REPLAYED]) {
        if let Some(stream) = self.open(ACKS, PRIORITY).await {
            write_acks(self.session.clone(), stream, told, self.hub.counters.clone()).await;
        }
    }

    /// A stream to the peer that begins with its kind; `None` when the connection is gone.
    async fn open(&self, kind: u8, priority: i32) -> Option<SendStream> {
        let mut stream = self.connection.open_uni().await.ok()?;
        stream.set_priority(priority).ok()?;
        stream.write_all(&[kind]).await.ok()?;
        Some(stream)
    }

    /// Finds out what a stream of the peer is for.
    async fn incoming(self, mut stream: RecvStream) {
        let Self { hub, link, session, .. } = &self;
        let mut kind = [0];
        // A stream that is given up here is stopped by being dropped.
        match timeout(hub.config.stream_patience, stream.read_exact(&mut kind)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return,
            Err(_) => return add(&hub.counters.streams_stalled, 1),
        }
        match (kind[0], Lane::from_number(kind[0])) {
            (number, Some(found)) if link.first_of(number) => self.lane(found, stream).await,
            (_, Some(found)) => violation(hub, link, format!("a second stream for the lane {found:?}")),
            (BULK, None) => self.bulk(stream).await,
            (ACKS, None) if link.first_of(LANES as u8) => {
                if let LaneEnd::Violation(rule) = read_acks(link, session, stream).await {
                    violation(hub, link, rule);
                }
            }
            (LAST_WORD, None) => {
                if let Some(reason) = hear(stream).await {
                    link.peer_closes(reason.clone());
                    // What has arrived is still read, and then the end is told.
                    if let Some(connection) = link.connection() {
                        Close::Link(reason).apply(&connection);
                    }
                }
            }
            (ACKS, None) => violation(hub, link, "a second stream of acknowledgements".to_owned()),
            (other, None) => violation(hub, link, format!("a stream of the unknown kind {other}")),
        }
    }

    async fn lane(self, lane: Lane, stream: RecvStream) {
        let Self { hub, link, session, .. } = self;
        let frame_max = hub.config.frame_bytes_max;
        match read_lane(link.clone(), session, lane, stream, frame_max, hub.receiver.clone()).await {
            LaneEnd::Over => {}
            LaneEnd::Violation(rule) => violation(&hub, &link, rule),
        }
    }

    async fn bulk(&self, stream: RecvStream) {
        let Self { hub, link, session, .. } = self;
        let header_max = hub.config.bulk_header_bytes_max;
        let Ok(begun) = timeout(hub.config.stream_patience, begin(stream, header_max)).await else {
            return add(&hub.counters.streams_stalled, 1);
        };
        match begun {
            Ok((header, receiver)) if !link.is_over() && link.closed_by_us().is_none() => {
                add(&hub.counters.bulk_in, 1);
                hub.receiver.bulk(&session.handle(), header, receiver);
            }
            // A stream that was given up within its header is a stream that never was.
            Ok(_) | Err(BeginError::Stream) => {}
            Err(BeginError::Oversized(claimed)) => {
                violation(
                    hub,
                    link,
                    format!("a bulk header claims {claimed} bytes, the limit is {header_max}"),
                );
            }
        }
    }
}

/// Closes the connection, and with it the session, to a peer that broke a rule.
fn violation(hub: &Hub, link: &QuicLink, rule: String) {
    // Data of a peer whose connection has just ended is read too: what it broke is counted all the same.
    if link.closed_by_us().is_none() {
        add(&hub.counters.violations, 1);
        link.close(CloseReason::Violation(rule));
    }
}
