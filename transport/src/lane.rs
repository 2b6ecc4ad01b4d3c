//! The ordered ways of one link: frames of one lane arrive in order, lanes do not wait for each other.
//!
//! Not a stream: a lane lives as long as its link.

/// How many ordered lanes a link has besides the control lane.
pub const ORDERED_LANES: u8 = 4;

/// How many lanes a link has in all.
pub(crate) const LANES: usize = ORDERED_LANES as usize + 1;

/// A lane of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// The highest priority: membership, watch, acknowledgements, protocol messages.
    Control,
    /// One of the ordinary lanes, `0..ORDERED_LANES`.
    Ordered(u8),
}

impl Lane {
    /// The ordinary lane for a target: the same target always gets the same lane.
    #[must_use]
    pub const fn for_target(target: u64) -> Self {
        let mixed = target.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56;
        Self::Ordered((mixed % ORDERED_LANES as u64) as u8)
    }

    /// The lane's number on the wire: 0 for control, then the ordinary ones.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Control => 0,
            Self::Ordered(n) => n + 1,
        }
    }

    /// The lane with a number of the wire.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Control),
            n if n <= ORDERED_LANES => Some(Self::Ordered(n - 1)),
            _ => None,
        }
    }
}
