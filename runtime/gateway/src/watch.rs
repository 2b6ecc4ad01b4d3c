//! `GET /kv?watch=PREFIX&from=INDEX`: the changes of a prefix as server-sent events.
//!
//! The id of an event is its index; the changes of one transaction share an index, and from the second on the id says which one
//! it is (`12`, `12-1`, `12-2`). A client that comes back with `Last-Event-ID` therefore misses and repeats nothing.

use std::convert::Infallible;
use std::time::Duration;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream::{self, LocalBoxStream};
use futures_util::{Stream, StreamExt};
use synod::protocols::LogIndex;
use synod::services::kv::{Event, KvCause, KvError};
use tokio::time::Interval;

use crate::fault::Fault;
use crate::gate::Gate;
use crate::json::{WatchEnd, WatchEvent};
use crate::key;
use crate::query::{Query, malformed};
use crate::stopping::Stopping;

const WATCH: &[&str] = &["watch", "from"];

/// Where a watch begins: with the change number `skip` (from 0) of an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Start {
    index: LogIndex,
    skip: u64,
}

/// Which of the changes of its index an event is.
#[derive(Default)]
struct Ordinal {
    index: LogIndex,
    seen: u64,
}

/// The state of one stream.
struct Watch {
    events: LocalBoxStream<'static, Result<Event, KvError>>,
    heartbeat: Interval,
    stopping: Stopping,
    start: Option<Start>,
    ordinal: Ordinal,
    ended: bool,
}

/// Answers with a stream that ends when the client goes, the node stops or the history is lost.
pub(crate) fn watch(request: &HttpRequest, gate: &Data<Gate>) -> Result<HttpResponse, Fault> {
    let query = Query::of(request, WATCH)?;
    let prefix = query.text("watch")?.unwrap_or_default();
    key::check_prefix(&prefix)?;
    let start = match request.headers().get("Last-Event-ID") {
        Some(id) => {
            let id = id.to_str().ok().and_then(after);
            Some(id.ok_or_else(|| malformed("Last-Event-ID", "it is no id of an event of this watch"))?)
        }
        None => query.number("from")?.map(|index| Start { index: LogIndex(index), skip: 0 }),
    };
    let events = gate.service.map().watch(&prefix, start.map(|start| start.index))?;
    let watch = Watch {
        events,
        heartbeat: heartbeat(gate.config.heartbeat),
        stopping: gate.stopping.clone(),
        start,
        ordinal: Ordinal::default(),
        ended: false,
    };
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/event-stream; charset=utf-8"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .streaming(watch.into_stream()))
}

impl Watch {
    fn into_stream(self) -> impl Stream<Item = Result<Bytes, Infallible>> {
        stream::unfold(self, |mut watch| async move { Some((Ok(watch.next().await?), watch)) })
    }

    async fn next(&mut self) -> Option<Bytes> {
        if self.ended {
            return None;
        }
        loop {
            let event = tokio::select! {
                biased;
                () = self.stopping.wait() => return Some(self.end("shutdown", "the node shuts down", None)),
                event = self.events.next() => event,
                _ = self.heartbeat.tick() => return Some(Bytes::from_static(b": alive\n\n")),
            };
            self.heartbeat.reset();
            match event {
                Some(Ok(event)) => {
                    let ordinal = self.ordinal.of(event.index);
                    if self.start.is_some_and(|start| start.index == event.index && ordinal < start.skip) {
                        continue;
                    }
                    return Some(written(event, ordinal));
                }
                Some(Err(error)) => return Some(self.failed(&error)),
                None => return Some(self.end("error", "the watch was closed", None)),
            }
        }
    }

    fn failed(&mut self, error: &KvError) -> Bytes {
        let text = error.to_string();
        match error.cause {
            KvCause::Compacted { oldest } => self.end("compacted", &text, Some(oldest.0)),
            KvCause::Slow { .. } => self.end("slow", &text, None),
            KvCause::Stopped => self.end("shutdown", &text, None),
            KvCause::NoLeader
            | KvCause::Busy
            | KvCause::NoSpace
            | KvCause::Timeout
            | KvCause::Link(_)
            | KvCause::BadKey(_)
            | KvCause::TooLarge { .. }
            | KvCause::LeaseUnknown
            | KvCause::LeaseLimit
            | KvCause::SessionExpired
            | KvCause::KeyReused
            | KvCause::TooManySteps { .. }
            | KvCause::Unsupported
            | KvCause::NoReplica => self.end("error", &text, None),
        }
    }

    fn end(&mut self, reason: &str, error: &str, oldest: Option<u64>) -> Bytes {
        self.ended = true;
        let end = WatchEnd { reason: reason.to_owned(), error: error.to_owned(), oldest };
        let data = serde_json::to_string(&end).expect("text and numbers are JSON");
        Bytes::from(format!("event: end\ndata: {data}\n\n"))
    }
}

impl Ordinal {
    /// The number of this event among those of its index, from 0.
    fn of(&mut self, index: LogIndex) -> u64 {
        if index != self.index {
            *self = Self { index, seen: 0 };
        }
        self.seen += 1;
        self.seen - 1
    }
}

/// Where to begin after the event with this id.
fn after(id: &str) -> Option<Start> {
    let (index, ordinal) = match id.split_once('-') {
        None => (id, 0),
        Some((index, ordinal)) => (index, ordinal.parse::<u64>().ok()?),
    };
    Some(Start { index: LogIndex(index.parse().ok()?), skip: ordinal.checked_add(1)? })
}

fn written(event: Event, ordinal: u64) -> Bytes {
    let id = if ordinal == 0 { event.index.to_string() } else { format!("{}-{ordinal}", event.index) };
    let data = serde_json::to_string(&WatchEvent::from(event)).expect("text and numbers are JSON");
    Bytes::from(format!("id: {id}\ndata: {data}\n\n"))
}

/// Ticks at once, so that the client has the head of the answer, and then after every silence.
fn heartbeat(period: Duration) -> Interval {
    let mut interval = tokio::time::interval(period);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    interval
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_names_the_place_after_its_event() {
        assert_eq!(after("12"), Some(Start { index: LogIndex(12), skip: 1 }));
        assert_eq!(after("12-3"), Some(Start { index: LogIndex(12), skip: 4 }));
        for bad in ["", "-", "12-", "-1", "a", "1-18446744073709551615"] {
            assert_eq!(after(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn changes_of_one_index_are_numbered() {
        let mut ordinal = Ordinal::default();
        let numbers = [5, 5, 5, 6, 9, 9].map(|index| ordinal.of(LogIndex(index)));
        assert_eq!(numbers, [0, 1, 2, 0, 0, 1]);
    }
}
