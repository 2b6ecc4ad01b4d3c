//! Snapshots as files: written in checked chunks beside the log, given a name when they are whole and durable.
//!
//! What a snapshot holds is the application's business. A file and the stream that carries it to a peer are the same bytes.

mod body;
mod fault;
mod files;
mod reader;
mod receiver;

pub use body::SnapshotBody;
pub use fault::SnapshotFault;
pub use files::Snapshots;
pub use reader::SnapshotReader;
pub use receiver::SnapshotReceiver;
