//! Whether the nodes of peers are alive, for all drivers of a node: one liveness machine, hosted like any other.
//!
//! Decides nothing: the machine does (`synod_protocols::liveness`).

use std::sync::{Arc, Mutex, PoisonError};

use synod_protocols::NodeId;
use synod_protocols::liveness::{Command, Config, Event, Liveness};
use synod_protocols::log::Entries;

use crate::address::MachineId;
use crate::driver::{DriverHandle, Effected, Frozen, Host, Thaw, Thawed, Vigil};

/// The same on every node: the machines of all nodes are one group.
const NAME: &str = "pairs";

/// The liveness machine of a node, as its drivers hold it.
pub(crate) struct Pairs {
    driver: DriverHandle<Liveness>,
    machine: MachineId,
    listeners: Arc<Listeners>,
}

type Listener = Box<dyn Fn(NodeId) + Send + Sync>;

#[derive(Default)]
struct Listeners(Mutex<Vec<Listener>>);

impl Pairs {
    /// Hosts the machine.
    pub(crate) fn start(driver: DriverHandle<Liveness>, config: Config) -> Self {
        let listeners = Arc::<Listeners>::default();
        let told = listeners.clone();
        let machine = driver.host_bare(NAME, config, move || Box::new(Herald(told)));
        Self { driver, machine, listeners }
    }
}

impl Vigil for Pairs {
    fn watch(&self, peer: NodeId) {
        self.driver.tell(self.machine, Command::Watch { peer });
    }

    fn release(&self, peer: NodeId) {
        self.driver.tell(self.machine, Command::Release { peer });
    }

    fn subscribe(&self, listener: Listener) {
        self.listeners.0.lock().unwrap_or_else(PoisonError::into_inner).push(listener);
    }
}

/// Tells the drivers what the machine says.
struct Herald(Arc<Listeners>);

impl Host<Liveness> for Herald {
    fn apply(&mut self, _entries: Entries) -> Effected {
        Effected::default()
    }

    fn snapshot(&mut self) -> Frozen {
        Frozen::new(|_| Ok(()))
    }

    fn thaw(&self) -> Thaw {
        Thaw::new(|_, _| Ok(Thawed::new(|| ())))
    }

    fn event(&mut self, event: &Event) {
        match *event {
            Event::Suspected { peer } => {
                tracing::info!(%peer, "a peer has fallen silent");
                for listener in &*self.0.0.lock().unwrap_or_else(PoisonError::into_inner) {
                    listener(peer);
                }
            }
            Event::Heard { peer } => tracing::info!(%peer, "a peer that was silent was heard"),
        }
    }
}
