//! Waiting for the end of an actor, here or elsewhere: told exactly once, and at once for the dead.
//!
//! A watch lives as long as its link, which outlives short breaks; it is entered anew on another link to the same incarnation.

use std::sync::Arc;

use bytes::BytesMut;
use synod_protocols::Timestamp;
use synod_transport::{Lane, Role};
use tokio::sync::oneshot;
use tokio::task::yield_now;

use super::core::Core;
use super::interface::Interface;
use super::reference::ActorRef;
use super::registry::Watcher;
use super::route::linked;
use super::system::ActorSystem;
use super::target::Target;
use super::terminated::{CutOff, Reason, Terminated};
use crate::cluster::{Session, Waiting, Way};
use crate::error::Cause;
use crate::wire::{Head, decode, encode_body};

/// The longest word about an actor's end, in bytes.
const WORD_BYTES_MAX: usize = 256;

impl ActorSystem {
    /// Completes when the actor is no more: at once for one that is dead or was never there, else when it stops, has panicked too
    /// often, or its node is down (started again, shut down, or without a link for the idle timeout).
    pub async fn watch<I: Interface>(&self, reference: &ActorRef<I>) -> Terminated {
        end_of(&self.core, reference.target(), CutOff::End).await
    }
}

/// How an actor ends, when it does. Who waits for nodes that are away says nothing of them, so that they are welcome again.
pub(crate) async fn end_of(core: &Core, target: &Target, cut_off: CutOff) -> Terminated {
    if target.node == *core.name() {
        watch_here(core, target).await
    } else {
        watch_there(core, target, cut_off).await
    }
}

async fn watch_here(core: &Core, target: &Target) -> Terminated {
    let terminated = |reason| Terminated { reason, incarnation: target.incarnation };
    if target.incarnation != core.incarnation() {
        return terminated(Reason::NodeDown);
    }
    let (sender, end) = oneshot::channel();
    match core.registry.watch(target.actor, Watcher::Local(sender)) {
        Ok(()) => end.await.unwrap_or(terminated(Reason::Stopped)),
        Err((_, reason)) => terminated(reason),
    }
}

async fn watch_there(core: &Core, target: &Target, cut_off: CutOff) -> Terminated {
    let down = || {
        if cut_off == CutOff::End {
            core.quarantine(&target.node, target.incarnation);
        }
        Terminated { reason: Reason::NodeDown, incarnation: target.incarnation }
    };
    // A link may come yet, and who waits for it is told of each change: this does not turn in circles.
    let waits = || {
        let way = core.links.way(&target.node, target.incarnation);
        cut_off == CutOff::Wait && matches!(way, Way::Up(_) | Way::Expected)
    };
    loop {
        let lost = Terminated { reason: Reason::NodeDown, incarnation: target.incarnation };
        let Ok(session) = linked(core, target, core.settings.limits.idle_timeout).await else {
            if waits() {
                continue;
            }
            return down();
        };
        let Some((waiting, _)) = Waiting::enter(&session, Timestamp::NEVER) else {
            // The link has ended, and the table says so by now.
            continue;
        };
        let body = encode_body(&target.actor);
        let mut watching = Watching { waiting, actor: target.actor };
        let head = Head::Watch(watching.waiting.correlation());
        if session.send_patiently(Lane::Control, &head, body).await.is_err() {
            // The link is closed though the table does not say so yet.
            yield_now().await;
            continue;
        }
        match (&mut watching.waiting).await {
            Ok(body) => return decode(&body, WORD_BYTES_MAX).unwrap_or(lost),
            Err(error) if error.cause == Cause::Denied => {
                return Terminated { reason: Reason::Denied, ..lost };
            }
            // The link has waited for the peer in vain.
            Err(_) if core.links.has_lapsed(&target.node, target.incarnation) => {
                if !waits() {
                    return down();
                }
            }
            // It ended otherwise: there may be another one.
            Err(_) => {}
        }
    }
}

/// Takes the watch back when nobody waits for it any longer.
struct Watching {
    waiting: Waiting,
    actor: u64,
}

impl Drop for Watching {
    fn drop(&mut self) {
        if self.waiting.withdraw() {
            let body = encode_body(&self.actor);
            // A watch that cannot be taken back ends with its link or its actor.
            let _ = self.waiting.session().send(
                Lane::Control,
                &Head::Unwatch(self.waiting.correlation()),
                &mut |out: &mut BytesMut| {
                    out.extend_from_slice(&body);
                    Ok(())
                },
            );
        }
    }
}

/// Enters a peer's watch; `false` when the body names no actor.
pub(crate) fn enter_watch(core: &Core, session: &Arc<Session>, correlation: u64, body: &[u8]) -> bool {
    let Ok(actor) = decode::<u64>(body, WORD_BYTES_MAX) else { return false };
    let watcher = Watcher::Remote(session.clone(), correlation);
    let peer = session.peer();
    let hidden = match core.registry.find(actor) {
        Ok(feed) => !feed.offer.interfaces.iter().any(|offered| offered.is_for(peer)),
        Err(_) => peer.role == Role::Client,
    };
    if !session.shares.watches.take(1, core.settings.limits.peer_watches_max) {
        core.limit_reached("watches");
        let refused = Terminated { reason: Reason::Denied, incarnation: core.incarnation() };
        core.send(
            session.clone(),
            Lane::Control,
            Head::Reply { correlation, stream: false },
            encode_body(&refused),
        );
        return true;
    }
    // Given back when the watcher is told, or takes the watch back.
    let entered = if hidden { Err((watcher, Reason::Denied)) } else { core.registry.watch(actor, watcher) };
    if let Err((watcher, reason)) = entered {
        core.tell(watcher, Terminated { reason, incarnation: core.incarnation() });
    }
    true
}

/// Takes a peer's watch back; `false` when the body names no actor.
pub(crate) fn leave_watch(core: &Core, session: &Arc<Session>, correlation: u64, body: &[u8]) -> bool {
    let Ok(actor) = decode::<u64>(body, WORD_BYTES_MAX) else { return false };
    core.registry.unwatch_one(actor, session, correlation);
    true
}
