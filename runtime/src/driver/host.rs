//! What a machine's entries take effect on: an application behind an object-safe trait.
//!
//! Lives on the driver's thread, so it need not be `Send`. Not for protocols without an application; they take [`PlainHost`].

use bytes::Bytes;
use synod_protocols::log::Entries;
use synod_protocols::{LogIndex, LogTime, Protocol};

use crate::driver::frozen::Frozen;
use crate::driver::thaw::{Thaw, Thawed};

/// The application side of one machine.
pub trait Host<P: Protocol>: 'static {
    /// Lets committed entries take effect, in order.
    fn apply(&mut self, entries: Entries) -> Effected;

    /// The state after the last `apply`. Cheap: the machine waits.
    fn snapshot(&mut self) -> Frozen;

    /// What reads a snapshot of this application beside the driver's thread, and puts the state in place of the present one on it.
    /// When it cannot read the snapshot, the machine cannot go on.
    fn thaw(&self) -> Thaw;

    /// Hears an event of the machine.
    fn event(&mut self, event: &P::Event) {
        let _ = event; // The default is not interested.
    }

    /// Hears that the machine's writes have failed: it acknowledges nothing any more.
    fn failed(&mut self) {}
}

/// What applying entries did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effected {
    /// The application's answer for each command applied, in order.
    pub results: Vec<(LogIndex, Bytes)>,
    /// The log time at which the application wants to be called again.
    pub wake: Option<LogTime>,
}

/// No application: entries have no effect, snapshots are empty.
#[derive(Clone, Copy, Debug, Default)]
pub struct PlainHost;

impl<P: Protocol> Host<P> for PlainHost {
    fn apply(&mut self, _entries: Entries) -> Effected {
        Effected::default()
    }

    fn snapshot(&mut self) -> Frozen {
        Frozen::new(|_| Ok(()))
    }

    fn thaw(&self) -> Thaw {
        Thaw::new(|_, _| Ok(Thawed::new(|| ())))
    }
}
