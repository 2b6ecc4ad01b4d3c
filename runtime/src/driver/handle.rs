//! How the rest of the node speaks to a driver, from any thread.
//!
//! A future that is dropped takes nothing back: what was asked takes effect or not, and the answer goes nowhere.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use synod_protocols::{Outcome, Protocol, Recovered};
use tokio::sync::{broadcast, oneshot};

use crate::address::MachineId;
use crate::driver::create_error::CreateError;
use crate::driver::feed::{Answer, Arrival, Creation, Feed, Refused, Unanswered, Uncreated};
use crate::driver::host::Host;
use crate::driver::recovery::recover;
use crate::driver::thaw::ThawFault;
use crate::storage::{RecoverError, SnapshotFault, SnapshotReader, Store, WriteFault};

/// A driver, as its users hold it; clones reach the same one. Small, for there are several for each machine.
pub struct DriverHandle<P: Protocol> {
    inner: Arc<Inner<P>>,
}

struct Inner<P: Protocol> {
    feed: Arc<Feed<P>>,
    store: Store,
    /// The machines whose records were handed over: asked again, the store would say that there are none.
    claimed: Mutex<BTreeSet<MachineId>>,
}

/// Why a command got no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// The driver hosts no such machine. Nothing changed.
    #[error("there is no such machine")]
    NoSuchMachine,
    /// Too much waits for the driver already. Nothing changed.
    #[error("too much waits for the driver")]
    Busy,
    /// The driver had stopped before it took the command. Nothing changed.
    #[error("the driver has stopped")]
    Stopped,
    /// The machine left, its writes failed, or its node went down, while it had the command.
    #[error("the machine has gone")]
    Lost,
}

impl CommandError {
    /// Whether the command may have taken effect.
    #[must_use]
    pub const fn outcome(self) -> Outcome {
        match self {
            Self::NoSuchMachine | Self::Busy | Self::Stopped => Outcome::NotExecuted,
            Self::Lost => Outcome::Unknown,
        }
    }
}

impl<P: Protocol> DriverHandle<P> {
    pub(crate) fn new(feed: Arc<Feed<P>>, store: Store) -> Self {
        Self { inner: Arc::new(Inner { feed, store, claimed: Mutex::default() }) }
    }

    /// Hosts a machine, once in the life of a process: recovers it from log and snapshot, and lets `host` be what its entries take effect on. `host` is called
    /// on the driver's thread.
    ///
    /// # Errors
    /// [`CreateError`]; nothing is hosted then.
    pub async fn create(
        &self,
        name: impl Into<Arc<str>>,
        config: P::Config,
        host: impl FnOnce() -> Box<dyn Host<P>> + Send + 'static,
    ) -> Result<MachineId, CreateError> {
        let name = name.into();
        let machine = MachineId::of(P::NAME, &name);
        if self.inner.store.has_removed(machine) {
            return Err(RecoverError::Removed { machine }.into());
        }
        if !self.inner.claimed.lock().unwrap_or_else(PoisonError::into_inner).insert(machine) {
            return Err(CreateError::Exists);
        }
        let recovered = recover::<P>(&self.inner.store, machine).await?;
        let (done, created) = oneshot::channel();
        let creation = Creation { machine, name, config, recovered, host: Box::new(host), done };
        self.inner
            .feed
            .push_user(0, Arrival::Create(Box::new(creation)))
            .map_err(|_| CreateError::Stopped)?;
        match created.await {
            Ok(Ok(())) => Ok(machine),
            Ok(Err(Uncreated::Exists)) => Err(CreateError::Exists),
            Ok(Err(Uncreated::Snapshot(ThawFault::Snapshot(fault)))) => Err(CreateError::Snapshot(fault)),
            Ok(Err(Uncreated::Snapshot(ThawFault::Application(error)))) => Err(CreateError::Restore(error)),
            Ok(Err(Uncreated::Stopped)) | Err(_) => Err(CreateError::Stopped),
        }
    }

    /// Gives a machine a command that holds about `bytes`, and waits for its reply.
    ///
    /// # Errors
    /// [`CommandError`] says whether the command may have taken effect.
    pub async fn command(
        &self,
        machine: MachineId,
        command: P::Command,
        bytes: usize,
    ) -> Result<P::Reply, CommandError> {
        // Counted with what it takes besides its payload, so that a flood of empty commands is bounded too.
        const OVERHEAD: usize = 256;
        let (sender, reply) = oneshot::channel();
        let arrival = Arrival::Command { machine, command, answer: Answer(sender) };
        self.inner.feed.push_user(OVERHEAD + bytes, arrival).map_err(|refused| match refused {
            Refused::Full => CommandError::Busy,
            Refused::Closed => CommandError::Stopped,
        })?;
        match reply.await {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(Unanswered::NoSuchMachine)) => Err(CommandError::NoSuchMachine),
            Ok(Err(Unanswered::Stopped)) => Err(CommandError::Stopped),
            Err(_) => Err(CommandError::Lost),
        }
    }

    /// Hosts a machine that keeps nothing on the disk, before anything that is asked later. Who hosts it sees to it that its name is
    /// used once.
    pub(crate) fn host_bare(
        &self,
        name: &str,
        config: P::Config,
        host: impl FnOnce() -> Box<dyn Host<P>> + Send + 'static,
    ) -> MachineId {
        let machine = MachineId::of(P::NAME, name);
        let (name, host) = (name.into(), Box::new(host));
        // A driver that has stopped hosts nothing, which whoever asks the machine is told.
        let (done, _) = oneshot::channel();
        let recovered = Recovered::default();
        self.inner.feed.push(Arrival::Create(Box::new(Creation {
            machine,
            name,
            config,
            recovered,
            host,
            done,
        })));
        machine
    }

    /// Gives a machine a command whose reply nobody wants to hear. For commands of which there are few.
    pub(crate) fn tell(&self, machine: MachineId, command: P::Command) {
        let (sender, _) = oneshot::channel();
        self.inner.feed.push(Arrival::Command { machine, command, answer: Answer(sender) });
    }

    /// The events of a machine from here on; `None` when it is not hosted. Who lags behind by more than 1,024 events misses some and is told.
    pub async fn events(&self, machine: MachineId) -> Option<broadcast::Receiver<P::Event>> {
        let (observer, events) = oneshot::channel();
        self.inner.feed.push_user(0, Arrival::Observe { machine, observer }).ok()?;
        events.await.ok().flatten()
    }

    /// Opens the newest durable snapshot of a machine, to be read piece by piece.
    ///
    /// # Errors
    /// There is none, or it is damaged.
    pub async fn read_snapshot(&self, machine: MachineId) -> Result<SnapshotReader, SnapshotFault> {
        self.inner.store.snapshots().read(machine).await
    }

    /// Hosts a machine no longer; says whether it was hosted. Its records stay on the disk.
    pub async fn remove(&self, machine: MachineId) -> bool {
        let (done, removed) = oneshot::channel();
        let pushed = self.inner.feed.push_user(0, Arrival::Remove { machine, done });
        pushed.is_ok() && removed.await.unwrap_or(false)
    }

    /// Hosts a machine no longer and removes everything of it for good: it does not come back under this name. Says whether there
    /// was anything of it, hosted or on the disk.
    ///
    /// # Errors
    /// [`WriteFault`]: it is not hosted any more, and may be there again after a restart.
    pub async fn remove_for_good(&self, name: &str) -> Result<bool, WriteFault> {
        let machine = MachineId::of(P::NAME, name);
        let hosted = self.remove(machine).await;
        if self.inner.store.has_removed(machine) || !(hosted || self.inner.store.knows(machine)) {
            return Ok(hosted);
        }
        let (done, removed) = oneshot::channel();
        // The receiver is gone only if this future was dropped.
        self.inner.store.remove(machine, name, move |result| drop(done.send(result)));
        removed.await.unwrap_or(Err(WriteFault::Failed))?;
        Ok(true)
    }

    /// Accepts nothing any more, lets the writes under way become durable, says what waited for them, and stops.
    pub async fn shutdown(&self) {
        let (done, stopped) = oneshot::channel();
        if self.inner.feed.push_user(0, Arrival::Shutdown { done }).is_ok() {
            // An error says that the driver has gone, which is what was asked for.
            let _ = stopped.await;
        }
    }
}

impl<P: Protocol> Clone for DriverHandle<P> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<P: Protocol> fmt::Debug for DriverHandle<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DriverHandle({})", P::NAME)
    }
}
