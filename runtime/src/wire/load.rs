//! What a window counts: messages, and blocks of their bytes. Both ends of a link count the same frame alike.

use std::ops::{Add, AddAssign, Sub, SubAssign};

/// The bytes of a block. What a frame has below a whole one is covered by its being a message.
const BLOCK: usize = 256;

/// Messages and blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// How many messages.
    pub messages: u32,
    /// How many whole blocks of 256 bytes, of each message by itself.
    pub blocks: u32,
}

impl Load {
    /// Of one frame of so many bytes, its header included.
    #[must_use]
    pub const fn of(bytes: usize) -> Self {
        Self { messages: 1, blocks: blocks(bytes) }
    }

    /// A window of so many messages and bytes.
    #[must_use]
    pub const fn window(messages: u32, bytes: usize) -> Self {
        Self { messages, blocks: blocks(bytes) }
    }

    /// Whether a window of this size takes another message beside `other`: one of any size, while there is room for both.
    #[must_use]
    pub const fn has_room_beside(self, other: Self) -> bool {
        other.messages < self.messages && other.blocks < self.blocks
    }

    /// Whether this is no less than half of a window.
    #[must_use]
    pub const fn is_half_of(self, window: Self) -> bool {
        self.messages >= window.messages.div_ceil(2) || self.blocks >= window.blocks.div_ceil(2)
    }

    /// Whether this is no more than `other` in both.
    #[must_use]
    pub const fn is_within(self, other: Self) -> bool {
        self.messages <= other.messages && self.blocks <= other.blocks
    }

    pub(crate) const fn packed(self) -> u64 {
        (self.messages as u64) << 32 | self.blocks as u64
    }

    pub(crate) const fn unpacked(packed: u64) -> Self {
        Self { messages: (packed >> 32) as u32, blocks: packed as u32 }
    }
}

const fn blocks(bytes: usize) -> u32 {
    let blocks = bytes / BLOCK;
    if blocks > u32::MAX as usize { u32::MAX } else { blocks as u32 }
}

impl Add for Load {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let messages = self.messages.saturating_add(other.messages);
        Self { messages, blocks: self.blocks.saturating_add(other.blocks) }
    }
}

impl Sub for Load {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        let messages = self.messages.saturating_sub(other.messages);
        Self { messages, blocks: self.blocks.saturating_sub(other.blocks) }
    }
}

impl AddAssign for Load {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl SubAssign for Load {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_takes_one_message_of_any_size_while_there_is_room_for_both() {
        let window = Load::window(2, 1024);
        assert!(window.has_room_beside(Load::default()));
        assert!(window.has_room_beside(Load::of(1023)));
        assert!(!window.has_room_beside(Load::of(1024)), "all blocks are taken");
        assert!(!window.has_room_beside(Load::of(10) + Load::of(10)), "both messages are");
        assert!(Load::of(10).is_half_of(window) && !Load::default().is_half_of(window));
        assert!(Load::of(1).is_half_of(Load::window(1, 1 << 20)), "of an odd one the larger half");
        let load = Load { messages: 7, blocks: u32::MAX };
        assert_eq!(Load::unpacked(load.packed()), load);
    }
}
