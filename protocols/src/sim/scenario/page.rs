//! The application of a scenario: a page on which every command writes its payload as a line, and is answered with it.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::log::{Body, Entry, SnapshotMeta};
use crate::sim::application::Application;
use crate::sim::trace::{mix, mix_bytes};
use crate::types::LogTime;

/// The lines written so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    lines: Vec<Bytes>,
    digest: u64,
}

impl Page {
    /// The lines, in order.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.lines.iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect()
    }
}

impl Application for Page {
    fn apply(&mut self, entry: &Entry) -> Bytes {
        self.digest = mix(self.digest, entry.index.0);
        let Body::Command { payload, .. } = &entry.body else { return Bytes::new() };
        self.digest = mix_bytes(self.digest, payload);
        self.lines.push(payload.clone());
        payload.clone()
    }

    fn wake(&self) -> Option<LogTime> {
        None
    }

    fn snapshot(&self) -> Bytes {
        let mut bytes = BytesMut::new();
        bytes.put_u64(self.digest);
        for line in &self.lines {
            bytes.put_u64(line.len() as u64);
            bytes.put_slice(line);
        }
        bytes.freeze()
    }

    fn restore(&mut self, _meta: &SnapshotMeta, state: &Bytes) {
        let mut state = state.clone();
        *self = Self { digest: state.get_u64(), lines: Vec::new() };
        while state.has_remaining() {
            let length = state.get_u64() as usize;
            self.lines.push(state.copy_to_bytes(length));
        }
    }

    fn digest(&self) -> u64 {
        self.digest
    }
}
