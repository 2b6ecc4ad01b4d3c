//! Children: actors that another one of their node started, and that do not outlive it.
//!
//! A child falls and rises by its own policy. Here stands how it comes into a family; how it leaves it is the supervisor's
//! business.

use super::factory::{Factory, Scope};
use super::interface::Remote;
use super::spawn::{SpawnError, Spawned};

impl Scope {
    /// Brings an actor to life that only holders of its reference reach, as a child of this one: it lives on the same node, is
    /// stopped before this one ends or is started again, and, when its policy says so, takes this one along.
    ///
    /// # Errors
    /// [`SpawnError`]; nothing is left of the child then.
    pub async fn spawn_child<A, S>(&self, factory: impl Factory<A, S>) -> Result<Spawned<A>, SpawnError>
    where
        A: Remote,
        S: 'static,
    {
        self.system.bring_child(None, self.own.actor, factory).await
    }

    /// As [`Scope::spawn_child`], under a name by which other nodes find it.
    ///
    /// # Errors
    /// [`SpawnError`]; nothing is left of the child then.
    pub async fn spawn_named_child<A, S>(
        &self,
        name: impl Into<String>,
        factory: impl Factory<A, S>,
    ) -> Result<Spawned<A>, SpawnError>
    where
        A: Remote,
        S: 'static,
    {
        self.system.bring_child(Some(name.into()), self.own.actor, factory).await
    }
}
