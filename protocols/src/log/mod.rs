//! Words that every replicated log shares: the entry, and what a snapshot says of itself.
//!
//! No protocol rule stands here; how entries are chosen is the business of the columns.

mod entries;
mod entry;
mod memory;
mod outline;
mod position;
mod terms;

pub use entries::Entries;
pub use entry::{Body, Entry, SessionTag, SnapshotMeta};
pub use memory::MemoryLog;
pub use outline::Outline;
pub use position::Position;
pub use terms::Terms;
