//! What an application imports: actix's prelude, references, interfaces, derives.

pub use actix::prelude::*;
pub use bytes::Bytes;
pub use serde::{Deserialize, Serialize};
pub use synod_macros::{Remote, Wire, interface};

pub use crate::actor::{ActorRef, ActorSystem, LookupError, Reason, Scope, SpawnError, Spawned, Terminated};
pub use crate::error::{AskError, Cause, Outcome};
