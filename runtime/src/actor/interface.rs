//! What an interface is: a name and its messages; and what it takes for an actor to serve it.
//!
//! `interface!` and `#[derive(Remote)]` implement these traits; they contain data, no control flow.

use std::any::TypeId;
use std::time::Duration;

use actix::{Actor, Context, Supervised};

use super::catalogue::Key;
use super::dispatch::Entry;
use super::remote_message::RemoteMessage;
use super::restarts::Restarts;
use crate::wire::MessageShape;

/// A set of messages under a name: all that a caller needs to know of an actor.
pub trait Interface: Send + Sync + 'static {
    /// The stable name.
    const NAME: &'static str;

    /// The messages in the interface's order.
    fn messages() -> Vec<MessageShape>;
}

/// An interface that has message `M`.
#[diagnostic::on_unimplemented(
    message = "the interface `{Self}` has no message `{M}`",
    note = "write `{M}` between the braces of its `interface!`"
)]
pub trait Accepts<M: RemoteMessage>: Interface {
    /// The message's position in [`Interface::messages`].
    const POSITION: u16;
}

/// An interface all of whose messages `A` handles.
#[diagnostic::on_unimplemented(
    message = "`{A}` does not handle every message of the interface `{Self}`",
    note = "implement actix's `Handler` on `{A}` for each message of `{Self}`, with `type Context = Context<Self>`"
)]
pub trait Serves<A: Actor<Context = Context<A>>>: Interface {
    /// How `A` handles them, in the interface's order.
    fn entries() -> Vec<Entry<A>>;
}

/// An actor that can be called from other nodes. Derive it: the derive also implements actix's `Supervised`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be called from other nodes",
    note = "write `#[derive(Remote)]` and `#[remote(Interface)]` on it"
)]
pub trait Remote: Actor<Context = Context<Self>> + Supervised {
    /// How many messages wait before it.
    const MAILBOX: usize = 1024;
    /// When, and how often, it is started again.
    const RESTARTS: Restarts = Restarts::at_most(5, Duration::from_secs(10));

    /// The interfaces it serves.
    fn serves() -> Vec<Served<Self>>;
}

/// An interface as one actor type serves it.
pub struct Served<A: Actor<Context = Context<A>>> {
    pub(crate) key: Key,
    pub(crate) clients: bool,
    pub(crate) entries: Vec<Entry<A>>,
}

impl<A: Actor<Context = Context<A>>> Served<A> {
    /// For members of the cluster only.
    #[must_use]
    pub fn to_members<I: Serves<A>>() -> Self {
        Self { key: key::<I>(), clients: false, entries: I::entries() }
    }

    /// For clients too.
    #[must_use]
    pub fn to_clients<I: Serves<A>>() -> Self {
        Self { clients: true, ..Self::to_members::<I>() }
    }
}

/// The key of an interface.
pub(crate) fn key<I: Interface>() -> Key {
    Key { id: TypeId::of::<I>(), name: I::NAME, messages: I::messages }
}
