//! Who may call an interface from elsewhere: what a node says beyond what its actors admit.
//!
//! It narrows and never widens: an interface that an actor has not opened to clients stays closed to them. Names are those in certificates.

use std::collections::{BTreeMap, BTreeSet};

use synod_transport::{Peer, Role};

/// Which peers may call an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callers {
    members: Named,
    clients: Named,
}

/// Which ones of a role.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Named {
    All,
    Only(BTreeSet<String>),
}

/// The interfaces that not everybody may call, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    rules: BTreeMap<String, Callers>,
}

impl Callers {
    /// No peer at all, until some are added: for actors of the same node only.
    #[must_use]
    pub fn nobody() -> Self {
        Self { members: Named::Only(BTreeSet::new()), clients: Named::Only(BTreeSet::new()) }
    }

    /// These members too.
    #[must_use]
    pub fn members<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.members.add(names);
        self
    }

    /// Every member.
    #[must_use]
    pub fn all_members(mut self) -> Self {
        self.members = Named::All;
        self
    }

    /// These clients too, where the actor admits clients.
    #[must_use]
    pub fn clients<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.clients.add(names);
        self
    }

    /// Every client, where the actor admits clients.
    #[must_use]
    pub fn all_clients(mut self) -> Self {
        self.clients = Named::All;
        self
    }

    /// Whether this peer is one of them.
    pub(crate) fn admit(&self, peer: &Peer) -> bool {
        let named = match peer.role {
            Role::Member => &self.members,
            Role::Client => &self.clients,
        };
        match named {
            Named::All => true,
            Named::Only(names) => names.contains(peer.name.as_str()),
        }
    }
}

impl Named {
    fn add<N: Into<String>>(&mut self, names: impl IntoIterator<Item = N>) {
        if let Self::Only(known) = self {
            known.extend(names.into_iter().map(Into::into));
        }
    }
}

impl Policy {
    /// Lets these and no other peers call the interface of this name.
    pub fn set(&mut self, interface: impl Into<String>, callers: Callers) {
        self.rules.insert(interface.into(), callers);
    }

    /// Who may call an interface; `None` when the node says nothing of it.
    pub(crate) fn of(&self, interface: &str) -> Option<Callers> {
        self.rules.get(interface).cloned()
    }
}
