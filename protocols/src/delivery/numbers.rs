//! The numbers of reliable delivery, each a type of its own.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl $name {
            /// The value after this one; the largest value is its own successor.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }

            /// The value before this one; zero is its own predecessor.
            #[must_use]
            pub const fn previous(self) -> Self {
                Self(self.0.saturating_sub(1))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }
    };
}

number!(
    /// All that one producer ever sends: of a durable one for as long as its disk lives, of another one for one start of its process.
    StreamId, "stream "
);
number!(
    /// A message's place in its stream, from 1 on.
    Sequence, "#"
);
number!(
    /// One way from a producer to a consumer, from when it is opened until either gives it up.
    ChannelId, "channel "
);
number!(
    /// A message's place in its channel, from 1 on.
    Position, "@"
);
number!(
    /// One life of a consumer: what it has seen is forgotten with it.
    ConsumerId, "consumer "
);
