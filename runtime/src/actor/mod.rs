//! Actors that other nodes can call: plain actix actors behind a bounded feed, named by references that travel.
//!
//! A message goes from an [`ActorRef`] along its route: into the target's feed as it is when the target is on this node, onto a
//! link encoded when it is not. The feed's pump hands it to the handler on the actor's own thread; the supervisor keeps feed and
//! reference when the handler panics. Nothing vanishes: what is not delivered comes back as an [`crate::error::AskError`] or a
//! [`DeadLetter`].

mod ask;
mod asking;
mod asks;
mod binder;
mod bond;
mod bond_half;
mod bonds;
mod catalogue;
mod charged;
mod children;
mod core;
mod dispatch;
mod factory;
mod farewell;
mod feed;
mod interface;
mod kind;
mod ledger;
mod letter;
mod line;
mod lookup;
mod message;
mod offer;
mod outgoing;
#[cfg(test)]
mod parked;
mod patience;
mod policy;
mod pump;
mod reference;
mod registry;
mod remote_message;
mod restarts;
mod route;
mod settings;
mod signals;
mod spawn;
mod start;
mod supervisor;
mod system;
mod target;
mod terminated;
mod watch;

pub(crate) use self::core::Core;
pub(crate) use feed::{Fed, Feed};
pub(crate) use ledger::{Closing, Word};
pub(crate) use line::Line;
pub(crate) use lookup::answer_lookup;
#[cfg(test)]
pub(crate) use parked::Parked;
pub(crate) use registry::Watcher;
pub(crate) use watch::{enter_watch, leave_watch};

pub use ask::Ask;
pub use bond::BondError;
pub use dispatch::Entry;
pub use factory::{Factory, Scope};
pub use interface::{Accepts, Interface, Remote, Served, Serves};
pub use letter::{DeadLetter, DeadLetterHook};
pub use lookup::LookupError;
pub use policy::{Callers, Policy};
pub use reference::ActorRef;
pub use remote_message::{RemoteMessage, RemoteValue};
pub use restarts::{Backoff, Beyond, Restarts, When};
pub use settings::{Limits, Settings};
pub use spawn::{SpawnError, Spawned};
pub use start::SystemError;
pub use system::ActorSystem;
pub use terminated::{BondEnded, CutOff, Reason, Terminated};
