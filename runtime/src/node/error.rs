//! Why a node did not start, or did not begin a service.

use std::io;
use std::path::PathBuf;

use synod_transport::{IdentityError, TransportError};

use crate::actor::{SpawnError, SystemError};
use crate::delivery::QueueError;
use crate::driver::CreateError;
use crate::storage::{LogFailure, OpenError, WriteFault};

/// Why a node did not start; nothing runs.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Something that cannot be a node's or cluster's name.
    #[error("{0:?} is no name: 1 to 63 of a-z, 0-9 and inner hyphens")]
    Name(String),
    /// Neither an identity nor an environment was given.
    #[error("a node needs an identity: give the builder one with .tls(..)")]
    NoIdentity,
    /// The credential could not be read.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// Every peer would refuse the node's certificate.
    #[error("{}: {reason}, so every peer would refuse this node", certificate.display())]
    Unacceptable {
        /// The certificate's file.
        certificate: PathBuf,
        /// What the peers would say.
        reason: TransportError,
    },
    /// The operating system gave no threads, or no actix system runs here.
    #[error("cannot start the node's threads: {0}")]
    Threads(io::Error),
    /// The directory cannot be used.
    #[error("cannot use the directory {}: {source}", directory.display())]
    Directory {
        /// Which.
        directory: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The log could not be opened.
    #[error("{}: {source}", directory.display())]
    Store {
        /// Of which directory.
        directory: PathBuf,
        /// What was wrong.
        source: OpenError,
    },
    /// The actor system did not start.
    #[error(transparent)]
    System(#[from] SystemError),
    /// The actor that answers for the node's bonds did not come to life.
    #[error("the actor for bonds did not start: {0}")]
    Bonds(SpawnError),
}

/// Why a node that has started can keep nothing any more. Its replicas answer no more; what it acknowledged is on its disk, and
/// only a new start finds out what else is.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the log has failed and the node has to be started again: {}: {source}", directory.display())]
pub struct NodeFailure {
    /// The node's directory; empty when it was given another world than the operating system's.
    pub directory: PathBuf,
    /// What became of the log.
    pub source: LogFailure,
}

/// Why a service was not begun on a node; nothing of it runs.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The node keeps nothing.
    #[error(
        "the node has no directory, so it cannot keep what the service promises: give the builder one with .directory(..)"
    )]
    NoDirectory,
    /// A member's name is no name.
    #[error("{0:?} is no name: 1 to 63 of a-z, 0-9 and inner hyphens")]
    Name(String),
    /// This node is not among the members.
    #[error("this node, {0}, is not among the members")]
    NotMember(String),
    /// The settings contradict each other.
    #[error("{0}")]
    Settings(String),
    /// A service of this name was removed from this node, where its name cannot be used again. Nothing runs, and nothing changed.
    #[error("the service {0} was removed from this node, and does not come back: choose another name")]
    Removed(String),
    /// The service has ended on this node, but that it was removed could not be made durable: it may be there again when the node
    /// starts anew.
    #[error("the service {name} has ended, and may be back after a restart: {source}")]
    NotRemoved {
        /// Which.
        name: String,
        /// What the log said.
        source: WriteFault,
    },
    /// The queue could not be opened.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The machine could not be hosted.
    #[error(transparent)]
    Create(#[from] CreateError),
    /// The actor through which other nodes reach the service could not be spawned.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
}
