//! What a consumer remembers of one producer: what is done of its stream, and the channel over which it comes.

use std::collections::VecDeque;

use crate::delivery::inlet::Inlet;
use crate::delivery::numbers::{ChannelId, StreamId};
use crate::delivery::ranges::Ranges;

/// How many channels of one producer are remembered as given up.
const RETIRED_MAX: usize = 16;

/// One producer as a consumer sees it.
#[derive(Clone, Debug, Default)]
pub(super) struct Stream {
    pub(super) id: StreamId,
    /// What of the stream is confirmed.
    pub(super) done: Ranges,
    pub(super) inlet: Option<Inlet>,
    /// Channels that were given up: what still comes over them is late.
    retired: VecDeque<ChannelId>,
}

impl Stream {
    /// Whether a channel was given up.
    pub(super) fn has_retired(&self, channel: ChannelId) -> bool {
        self.retired.contains(&channel)
    }

    /// The inlet of a channel that was not given up: another one's takes the place of the one before, another stream's begins anew.
    pub(super) fn enter(&mut self, id: StreamId, channel: ChannelId, ahead: u32) -> &mut Inlet {
        if self.inlet.as_ref().is_some_and(|inlet| inlet.id != channel) {
            self.retire();
        }
        if self.id != id {
            (self.id, self.done) = (id, Ranges::default());
        }
        self.inlet.get_or_insert_with(|| Inlet::new(channel, ahead))
    }

    /// Gives the channel up.
    pub(super) fn retire(&mut self) {
        let Some(inlet) = self.inlet.take() else { return };
        self.retired.push_back(inlet.id);
        if self.retired.len() > RETIRED_MAX {
            self.retired.pop_front();
        }
    }
}
