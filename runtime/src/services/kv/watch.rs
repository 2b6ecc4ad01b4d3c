//! Watching a prefix: a history bounded in entries and bytes, and streams that are closed rather than grow.
//!
//! Local to a node and no part of the replicated state.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::Stream;

use crate::services::kv::error::KvError;
use crate::services::kv::model::Event;

/// The changes of a prefix in order. After an error, which says why, the stream ends.
#[derive(Debug)]
pub struct WatchStream {}

impl Stream for WatchStream {
    type Item = Result<Event, KvError>;

    fn poll_next(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        todo!()
    }
}
