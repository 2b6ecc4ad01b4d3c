//! The ordered ways of one link: frames of one lane arrive in order, lanes do not wait for each other.
//!
//! Not a stream: a lane lives as long as its link, the fleeting one as long as one connection of it.

/// How many ordered lanes a link has besides the control lane and the fleeting one.
pub const ORDERED_LANES: u8 = 4;

/// How many lanes are written again after a break: those with the lowest numbers.
pub(crate) const REPLAYED: usize = ORDERED_LANES as usize + 1;

/// How many lanes a link has in all.
pub(crate) const LANES: usize = REPLAYED + 1;

/// A lane of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// The highest priority: watch, lookups, manifests.
    Control,
    /// One of the ordinary lanes, `0..ORDERED_LANES`.
    Ordered(u8),
    /// For what is stale when its connection breaks, and sent anew by whoever still cares: messages of protocols. It has the priority of the control
    /// lane, is never written again, and takes nothing while there is no connection.
    Fleeting,
}

impl Lane {
    /// The ordinary lane for a target: the same target always gets the same lane.
    #[must_use]
    pub const fn for_target(target: u64) -> Self {
        let mixed = target.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56;
        Self::Ordered((mixed % ORDERED_LANES as u64) as u8)
    }

    /// The lane's number on the wire: 0 for control, then the ordinary ones, then the fleeting one.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Control => 0,
            Self::Ordered(n) => n + 1,
            Self::Fleeting => ORDERED_LANES + 1,
        }
    }

    /// The lane with a number of the wire.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Control),
            n if n <= ORDERED_LANES => Some(Self::Ordered(n - 1)),
            n if n == ORDERED_LANES + 1 => Some(Self::Fleeting),
            _ => None,
        }
    }

    /// Whether what a broken connection did not bring is written again.
    pub(crate) const fn is_replayed(self) -> bool {
        !matches!(self, Self::Fleeting)
    }

    /// All lanes, by number.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        (0..LANES as u8).filter_map(Self::from_number)
    }
}
