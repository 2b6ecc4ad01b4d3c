//! Starts an actor system: opens its network, lets the switchboard hear it, keeps links to its peers.

use std::sync::Arc;
use std::sync::mpsc::channel;

use synod_transport::Transport;

use super::core::Core;
use super::settings::Settings;
use super::system::ActorSystem;
use crate::cluster::{Switchboard, sweep};
use crate::env::{Env, NetworkError, Open};

/// Why an actor system did not start; nothing runs.
#[derive(Debug, thiserror::Error)]
pub enum SystemError {
    /// The program was built with `panic = "abort"`, under which no actor survives a panic.
    #[error("built with panic = \"abort\": actors could not be restarted")]
    PanicAborts,
    /// The network could not be opened.
    #[error(transparent)]
    Network(#[from] NetworkError),
}

impl ActorSystem {
    /// Opens the network and begins to keep links to the peers.
    ///
    /// # Errors
    /// [`SystemError`]; nothing runs then.
    pub fn start(settings: Settings) -> Result<Self, SystemError> {
        if cfg!(panic = "abort") {
            return Err(SystemError::PanicAborts);
        }
        let core = Arc::new(Core::new(settings));
        let request = Open {
            name: core.settings.name.clone(),
            cluster: core.settings.cluster.clone(),
            role: core.settings.role,
            incarnation: core.settings.incarnation,
            bind: core.settings.bind,
            seed: core.settings.env.seed,
            receiver: Arc::new(Switchboard::new(Arc::downgrade(&core))),
        };
        let transport = open(&core.settings.env, request)?;
        core.settings.metrics.show(&transport);
        core.links.attach(transport);
        core.run(0, sweep(Arc::downgrade(&core)));
        for peer in core.settings.peers.iter().filter(|peer| peer.name.as_ref() != Some(core.name())) {
            core.links.connect(peer.clone());
        }
        Ok(Self::around(core))
    }
}

/// Opens the network on the thread that will carry the links: here, unless protocols share it.
fn open(env: &Env, request: Open) -> Result<Arc<dyn Transport>, NetworkError> {
    let (sender, opened) = channel();
    let network = env.network.clone();
    let start = Box::new(move || {
        // It is waited for below.
        let _ = sender.send(network.open(request));
    });
    if let Err(start) = env.spawner.start_by_links(start) {
        start();
    }
    let gone = |_| NetworkError::Unusable("the thread that was to carry the links has ended".to_owned());
    opened.recv().map_err(gone)?
}
