//! A living link at work: its lanes, its bulk streams, its datagrams, and its end.

use std::sync::Arc;

use quinn::{Connection, RecvStream, SendStream};
use tokio::task::JoinSet;

use super::bulk::{BULK, BeginError, begin};
use super::close::{Close, link_reason};
use super::goodbye::{LAST_WORD, hear};
use super::hub::Hub;
use super::lane_io::{LaneEnd, read_lane, write_lane};
use super::link::QuicLink;
use crate::batch::Batch;
use crate::contract::{CloseReason, Link};
use crate::lane::{LANES, Lane};
use crate::metrics::add;

/// Puts a link in its place, tells the receiver, and sets it to work. Nothing is awaited: nobody sees a half-open link.
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
    add(&hub.counters.links_opened, 1);
    hub.receiver.connected(link.clone());
    hub.tasks.spawn(work(hub.clone(), connection, link.clone(), send, recv));
}

async fn work(
    hub: Arc<Hub>,
    connection: Connection,
    link: Arc<QuicLink>,
    send: SendStream,
    recv: RecvStream,
) {
    let mut writers = JoinSet::new();
    let control = write_lane(link.batch(Lane::Control).clone(), send, hub.counters.clone());
    hub.tasks.join(&mut writers, control);
    for number in 1..LANES as u8 {
        if let Some(lane) = Lane::from_number(number) {
            let opened = open_lane(connection.clone(), link.batch(lane).clone(), lane, hub.clone());
            hub.tasks.join(&mut writers, opened);
        }
    }
    let mut readers = JoinSet::new();
    link.first_of(Lane::Control);
    hub.tasks.join(&mut readers, lane(hub.clone(), link.clone(), Lane::Control, recv));
    // In order, here and below: which of two that are ready comes first must not be chance, or a seed would not be one run.
    tokio::select! {
        biased;
        () = listen(&hub, &connection, &link, &mut readers) => {}
        () = link.closing.notified() => {
            readers.abort_all();
            // A write that is under way goes on until the connection is closed: cut short, it would look like a broken frame.
            writers.detach_all();
            let reason = link.closed_by_us();
            hub.end(&link, reason.unwrap_or_else(|| CloseReason::Lost("closed".to_owned())));
            return;
        }
    }
    // What had arrived when the connection ended is still handed over, before the end is told.
    while readers.join_next().await.is_some() {}
    let error = connection.closed().await;
    let reason = link.closed_by_us().or_else(|| link.closed_by_peer());
    hub.end(&link, reason.unwrap_or_else(|| link_reason(&error)));
}

/// Takes the peer's streams and datagrams until the connection ends.
async fn listen(hub: &Arc<Hub>, connection: &Connection, link: &Arc<QuicLink>, readers: &mut JoinSet<()>) {
    let handle: Arc<dyn Link> = link.clone();
    let mut datagrams = true;
    loop {
        tokio::select! {
            biased;
            stream = connection.accept_uni() => match stream {
                Ok(stream) => hub.tasks.join(readers, incoming(hub.clone(), link.clone(), stream)),
                Err(_) => return,
            },
            payload = connection.read_datagram(), if datagrams => match payload {
                Ok(payload) if link.is_over() => drop(payload),
                Ok(payload) => {
                    add(&hub.counters.datagrams_in, 1);
                    hub.receiver.datagram(&handle, payload);
                }
                // The connection ended; the streams that have arrived are still to be taken.
                Err(_) => datagrams = false,
            },
            Some(_) = readers.join_next(), if !readers.is_empty() => {}
        }
    }
}

/// Opens the stream of an ordinary lane and writes it.
async fn open_lane(connection: Connection, batch: Arc<Batch>, lane: Lane, hub: Arc<Hub>) {
    let opened = async {
        let mut stream = connection.open_uni().await.ok()?;
        stream.write_all(&[lane.number()]).await.ok()?;
        Some(stream)
    };
    match opened.await {
        Some(stream) => write_lane(batch, stream, hub.counters.clone()).await,
        None => batch.close(),
    }
}

/// Finds out what a stream of the peer is for.
async fn incoming(hub: Arc<Hub>, link: Arc<QuicLink>, mut stream: RecvStream) {
    let mut kind = [0];
    if stream.read_exact(&mut kind).await.is_err() {
        return;
    }
    match (kind[0], Lane::from_number(kind[0])) {
        (_, Some(found)) if link.first_of(found) => lane(hub, link, found, stream).await,
        (_, Some(found)) => violation(&hub, &link, format!("a second stream for the lane {found:?}")),
        (BULK, None) => bulk(&hub, &link, stream).await,
        (LAST_WORD, None) => {
            if let Some(reason) = hear(stream).await {
                link.peer_closes(reason.clone());
                // What has arrived is still read, and then the end is told.
                if let Some(connection) = link.connection() {
                    Close::Link(reason).apply(&connection);
                }
            }
        }
        (other, None) => violation(&hub, &link, format!("a stream of the unknown kind {other}")),
    }
}

async fn lane(hub: Arc<Hub>, link: Arc<QuicLink>, lane: Lane, stream: RecvStream) {
    let frame_max = hub.config.frame_bytes_max;
    match read_lane(link.clone(), lane, stream, frame_max, hub.receiver.clone()).await {
        LaneEnd::Over => {}
        LaneEnd::Violation(rule) => violation(&hub, &link, rule),
    }
}

async fn bulk(hub: &Arc<Hub>, link: &Arc<QuicLink>, stream: RecvStream) {
    let header_max = hub.config.bulk_header_bytes_max;
    match begin(stream, header_max).await {
        Ok((header, receiver)) if !link.is_over() && link.closed_by_us().is_none() => {
            add(&hub.counters.bulk_in, 1);
            let handle: Arc<dyn Link> = link.clone();
            hub.receiver.bulk(&handle, header, receiver);
        }
        // A stream that was given up within its header is a stream that never was.
        Ok(_) | Err(BeginError::Stream) => {}
        Err(BeginError::Oversized(claimed)) => {
            violation(hub, link, format!("a bulk header claims {claimed} bytes, the limit is {header_max}"));
        }
    }
}

/// Closes the link to a peer that broke a rule.
fn violation(hub: &Hub, link: &QuicLink, rule: String) {
    // Data of a peer whose connection has just ended is read too: what it broke is counted all the same.
    if link.closed_by_us().is_none() {
        add(&hub.counters.violations, 1);
        link.close(CloseReason::Violation(rule));
    }
}
