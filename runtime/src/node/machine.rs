//! A machine of any protocol that a node hosts, as its users hold it.
//!
//! Not the machine: that lives with its driver.

use synod_protocols::Protocol;
use tokio::sync::broadcast;

use crate::address::MachineId;
use crate::driver::{CommandError, CreateError, DriverHandle};

/// A machine that a node hosts, as its users hold it.
pub struct Machine<P: Protocol> {
    driver: DriverHandle<P>,
    id: MachineId,
}

impl<P: Protocol> Clone for Machine<P> {
    fn clone(&self) -> Self {
        Self { driver: self.driver.clone(), id: self.id }
    }
}

impl<P: Protocol> Machine<P> {
    pub(crate) fn new(driver: DriverHandle<P>, id: MachineId) -> Self {
        Self { driver, id }
    }

    /// Gives the machine a command and waits for its reply.
    ///
    /// # Errors
    /// [`CommandError`] says whether the command may have taken effect.
    pub async fn command(&self, command: P::Command) -> Result<P::Reply, CommandError> {
        self.driver.command(self.id, command, std::mem::size_of::<P::Command>()).await
    }

    /// The machine's events from here on.
    ///
    /// # Errors
    /// [`CreateError::Stopped`] when the machine has gone.
    pub async fn events(&self) -> Result<broadcast::Receiver<P::Event>, CreateError> {
        self.driver.events(self.id).await.ok_or(CreateError::Stopped)
    }
}
