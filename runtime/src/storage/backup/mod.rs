//! A backup of one replicated state: a file that stands by itself, away from the cluster it was taken from.
//!
//! A header that says what it is, then a snapshot as it stands in a node's directory. Who writes one, and who makes directories
//! of it, is not decided here.

mod fault;
mod header;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub use fault::BackupFault;
pub use header::BackupHeader;
pub use reader::BackupReader;
pub use writer::write_backup;
