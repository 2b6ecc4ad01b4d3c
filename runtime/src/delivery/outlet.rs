//! The machine's side of a queue's end: it has no application, and its events go to the end.

use std::sync::Arc;

use synod_protocols::delivery::{Delivery, Event};
use synod_protocols::log::Entries;

use crate::delivery::end::End;
use crate::driver::{Effected, Frozen, Host, Thaw, Thawed};

/// Hands the machine's events on.
pub(super) struct Outlet(pub(super) Arc<End>);

impl Host<Delivery> for Outlet {
    fn apply(&mut self, _entries: Entries) -> Effected {
        Effected::default()
    }

    fn snapshot(&mut self) -> Frozen {
        Frozen::new(|_| Ok(()))
    }

    fn thaw(&self) -> Thaw {
        Thaw::new(|_, _| Ok(Thawed::new(|| ())))
    }

    fn event(&mut self, event: &Event) {
        self.0.hear(event);
    }
}
