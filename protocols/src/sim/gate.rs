//! What a simulated process says once its writes are durable, with what is left out of it, as a driver does.

use std::collections::VecDeque;

use crate::protocol::{Effect, Protocol};
use crate::types::WriteId;

/// Keeps something to be said, unless what waits for the same write covers it; what it covers itself goes.
pub(super) fn hold<P: Protocol>(gated: &mut VecDeque<Effect<P>>, effect: Effect<P>) {
    if let Effect::Send { to, message, after } = &effect {
        let mut covered = false;
        gated.retain(|earlier| match earlier {
            Effect::Send { to: other, message: before, after: write } if (other, write) == (to, after) => {
                covered |= P::covers(before, message);
                covered || !P::covers(message, before)
            }
            _ => true,
        });
        if covered {
            return;
        }
    }
    gated.push_back(effect);
}

/// Takes the next thing that need not wait any more.
pub(super) fn released<P: Protocol>(gated: &mut VecDeque<Effect<P>>, durable: WriteId) -> Option<Effect<P>> {
    let after = match gated.front()? {
        Effect::Send { after, .. } | Effect::Reply { after, .. } | Effect::Emit { after, .. } => *after,
        // Nothing else is ever held back.
        _ => WriteId::ZERO,
    };
    if after <= durable { gated.pop_front() } else { None }
}
