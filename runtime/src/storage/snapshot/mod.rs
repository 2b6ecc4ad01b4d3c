//! Snapshots as files: written in checked chunks beside the log, given a name when they are whole and durable.
//!
//! What a snapshot holds is the application's business. A file and the stream that carries it to a peer are the same bytes.

mod body;
mod cursor;
mod fault;
mod files;
mod format;
mod intake;
mod partial;
mod reader;
mod receiver;
mod shelf;
mod survey;
mod writer;

pub use body::SnapshotBody;
pub use fault::SnapshotFault;
pub use files::Snapshots;
pub(super) use format::{Chain, FRAME_HEADER, FormatFault, Frame, PROLOGUE, VERSION};
pub use reader::SnapshotReader;
pub use receiver::SnapshotReceiver;
pub(super) use shelf::{directory, snapshot_path};
pub(super) use survey::{Survey, set_aside, survey};
pub(super) use writer::Writer;
