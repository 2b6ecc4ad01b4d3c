//! What an application imports: actix's prelude, references and derives, nodes, replicated state machines, protocols of its own.

pub use actix::prelude::*;
pub use bytes::Bytes;
pub use serde::{Deserialize, Serialize};
pub use synod_macros::{Remote, Wire, interface};

pub use crate::actor::{
    ActorRef, ActorSystem, Callers, LookupError, Reason, Scope, SpawnError, Spawned, Terminated,
};
pub use crate::actor::{BondEnded, BondError, CutOff};
pub use crate::error::{AskError, Cause, Outcome};

// A node, and who it is.
pub use crate::node::{LinkThread, Machine, Node, NodeBuilder, ServiceError, StartError};
pub use synod_transport::{Authority, Identity, IdentityError, PeerName, Validity};

// A replicated state machine.
pub use crate::services::replicated::{ReplicaError, Replicated};
pub use crate::services::{Applied, Frozen, StateMachine};

// Messages that are delivered until they are confirmed.
pub use crate::delivery::{Delivered, ReceiverOptions, ReliableReceiver, ReliableSender, SenderOptions};

// Messages for whoever listens.
pub use crate::topics::{Subscription, Topic};

// A protocol of one's own, and what it is made of.
pub use crate::driver::{CommandError, PlainHost};
pub use synod_protocols::protocol::{Input, Outbox, Place, Placed, Protocol, Recovered};
pub use synod_protocols::quorum::Majority;
pub use synod_protocols::timer::Timers;
pub use synod_protocols::{NodeId, Timestamp, Token};

// All of it in virtual time.
pub use crate::sim::{Simulation, simulate};
