//! The numbers protocols speak of, each a type of its own so that a term is never taken for an index.
//!
//! No behaviour beyond arithmetic that cannot overflow, and printing.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A number of a kind of its own, printed with a prefix that tells it from others.
macro_rules! number {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl $name {
            /// The smallest value, which stands for "none yet".
            pub const ZERO: Self = Self(0);

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

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}", self.0)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }
    };
}
pub(crate) use number;

number!(
    /// A node of the cluster, as protocols name it. The runtime derives it from the node's name.
    NodeId, "n"
);
number!(
    /// One process start of a node: drawn anew at each start, never reused.
    Incarnation, "inc"
);
number!(
    /// A Raft term (Raft §5.1): a logical clock of leaderships.
    Term, "t"
);
number!(
    /// The position of an entry in a replicated log; the first entry has index 1.
    LogIndex, "i"
);
number!(
    /// A caller's question to its own machine; the machine answers each token exactly once.
    Token, "tok"
);
number!(
    /// The position of a write in the one total order of a machine's writes; the first has id 1.
    WriteId, "w"
);
number!(
    /// One unbroken connection to a peer; a later connection to the same peer has another id.
    SessionId, "s"
);
number!(
    /// A request of a machine to its driver that is answered by an input.
    RequestId, "r"
);
number!(
    /// A client whose retries are recognised, unique in the cluster for ever.
    ClientId, "c"
);
number!(
    /// The identity of one disk: drawn when its log is made, kept in the header of each of its segments, never given twice. A
    /// member that lost its disk, or found it damaged, has another one.
    StoreId, "store"
);
number!(
    /// Monotonic local time in nanoseconds since an arbitrary origin of this process. Never compared between nodes.
    Timestamp, "@"
);
number!(
    /// Replicated time in nanoseconds since the log began. Stamped by the leader, never decreasing along the log.
    LogTime, "lt"
);

/// What is known about the effect of a request that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Outcome {
    /// It did not take effect and never will; repeating it is safe.
    NotExecuted,
    /// It may have taken effect or may yet; only a request with a session tag is safe to repeat.
    Unknown,
}

impl Timestamp {
    /// A time so late that it is never reached.
    pub const NEVER: Self = Self(u64::MAX);

    /// The time from an earlier instant to this one; zero if `earlier` is in fact later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// This instant put off by `delay`, saturating at [`Timestamp::NEVER`].
    #[must_use]
    pub fn after(self, delay: Duration) -> Self {
        Self(self.0.saturating_add(nanos(delay)))
    }
}

impl LogTime {
    /// This time put off by `delay`, saturating.
    #[must_use]
    pub fn after(self, delay: Duration) -> Self {
        Self(self.0.saturating_add(nanos(delay)))
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
