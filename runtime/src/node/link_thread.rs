//! Where a node's links run.
//!
//! A choice and nothing else; `production` carries it out.

/// On which thread the sockets of a node are read and written, and its packets encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LinkThread {
    /// One of its own: nothing that the application does delays the links. Fastest for many messages at once.
    #[default]
    Own,
    /// One for the links and the drivers of protocols: a replicated write passes through half as many threads, which is most of its time
    /// while there are few. `apply` and `query` of the node's state machines run there too, and have to be quick: while one of them
    /// runs, the node hears nobody.
    WithProtocols,
    /// The one that starts the node: what is asked from there passes through no other thread on its way out. For clients; what blocks
    /// that thread blocks the links.
    Callers,
}
