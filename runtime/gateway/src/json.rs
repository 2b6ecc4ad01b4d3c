//! What stands in JSON bodies and events, for those who write it and those who read it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use synod::services::kv::{Event, EventKind, KeyValue};

/// One row of a range.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// The key.
    pub key: String,
    /// The value, in base64.
    pub value: String,
    /// The log index of the key's last write.
    pub index: u64,
}

/// One event of a watch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchEvent {
    /// `put`, `delete` or `expire`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The key.
    pub key: String,
    /// The value in base64; absent when the key is gone.
    pub value: Option<String>,
    /// The log index of the change.
    pub index: u64,
}

/// Why a watch ends, the data of its last event, whose name is `end`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchEnd {
    /// `compacted`, `slow`, `shutdown` or `error`.
    pub reason: String,
    /// The reason in words.
    pub error: String,
    /// The first index from which a watch can start, when the history before it is no longer held.
    pub oldest: Option<u64>,
}

impl Item {
    /// The value's bytes.
    ///
    /// # Errors
    /// When the text is no base64.
    pub fn bytes(&self) -> Result<Bytes, base64::DecodeError> {
        STANDARD.decode(&self.value).map(Bytes::from)
    }
}

impl WatchEvent {
    /// The value's bytes, unless the key is gone.
    ///
    /// # Errors
    /// When the text is no base64.
    pub fn bytes(&self) -> Result<Option<Bytes>, base64::DecodeError> {
        self.value.as_ref().map(|value| STANDARD.decode(value).map(Bytes::from)).transpose()
    }
}

impl From<KeyValue> for Item {
    fn from(row: KeyValue) -> Self {
        Self { key: row.key, value: STANDARD.encode(&row.value), index: row.index.0 }
    }
}

impl From<Event> for WatchEvent {
    fn from(event: Event) -> Self {
        let kind = match event.kind {
            EventKind::Put => "put",
            EventKind::Delete => "delete",
            EventKind::Expire => "expire",
        };
        let value = event.value.map(|value| STANDARD.encode(&value));
        Self { kind: kind.to_owned(), key: event.key, value, index: event.index.0 }
    }
}
