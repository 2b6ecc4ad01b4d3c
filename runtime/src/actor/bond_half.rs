//! One half of a bond at work: it waits for the end of the other actor, and passes it on to the one of this node.
//!
//! Built on watches: a half says nothing to anybody.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use synod_macros::Wire;
use tokio::sync::oneshot;

use super::bonds::{Entered, Half};
use super::core::Core;
use super::registry::Watcher;
use super::target::Target;
use super::terminated::CutOff;
use super::watch::end_of;
use crate::cluster::Way;

/// What became of a half that was to be held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Wire, Serialize, Deserialize)]
pub(crate) enum Bound {
    /// It is held, since then or before.
    Held,
    /// Its actor has ended.
    Gone,
    /// The node holds as many as it may.
    Full,
}

/// Holds the half of an actor of this node.
pub(crate) fn hold(core: &Arc<Core>, half: Half, cut_off: CutOff) -> Bound {
    let loosened = match core.bonds.enter(&half) {
        Entered::Fresh(loosened) => loosened,
        Entered::Known => return Bound::Held,
        Entered::Full => return Bound::Full,
    };
    let (told, own_end) = oneshot::channel();
    if core.registry.watch(half.own, Watcher::Local(told)).is_err() {
        core.bonds.leave(&half);
        return Bound::Gone;
    }
    let held = core.clone();
    core.run(0, async move {
        let end = tokio::select! {
            biased;
            // Whoever loosened it has taken it out, and may have bound the two again.
            _ = loosened => return,
            _ = own_end => None,
            end = end_of(&held, &half.other, cut_off) => Some(end),
        };
        held.bonds.leave(&half);
        if let Some(end) = end
            && let Ok(feed) = held.registry.find(half.own)
        {
            feed.bond_ended(half.other.ended(end));
        }
    });
    Bound::Held
}

/// Whether the process of an actor of another node is known to be over.
pub(crate) fn is_over(core: &Core, other: &Target) -> bool {
    match core.links.way(&other.node, other.incarnation) {
        Way::Stale | Way::Quarantined | Way::Departed => true,
        Way::Up(_) | Way::Expected | Way::Nowhere => false,
    }
}
