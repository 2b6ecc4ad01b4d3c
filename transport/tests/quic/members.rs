//! Members of a cluster on loopback, and the way they run.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use synod_transport::quic::QuicTransport;
use synod_transport::{Authority, Config, Credential, Identity, PeerName, Role, Transport as _, Validity};

use crate::recorder::{Node, Recorder};

pub(crate) fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(test);
}

pub(crate) fn name(name: &str) -> PeerName {
    PeerName::new(name).expect("a name")
}

pub(crate) fn authority() -> Authority {
    Authority::create("shop", Validity::days(1)).expect("an authority")
}

pub(crate) fn credential(authority: &Authority, node: &str) -> Credential {
    authority.issue(&name(node), Role::Member, Validity::days(1)).expect("a credential")
}

pub(crate) fn config() -> Config {
    let mut config = Config::lan(SocketAddr::from(([127, 0, 0, 1], 0)));
    config.connect_timeout = Duration::from_secs(5);
    config.backoff_min = Duration::from_millis(10);
    config
}

pub(crate) fn start(identity: Identity) -> Node {
    start_with(config(), identity)
}

pub(crate) fn start_with(config: Config, identity: Identity) -> Node {
    let recorder = Arc::new(Recorder::default());
    let transport = QuicTransport::start(config, identity, 1, 7, recorder.clone()).expect("it starts");
    let counted = transport.clone();
    Node { transport, recorder, metrics: Arc::new(move || counted.metrics()) }
}

pub(crate) fn member(authority: &Authority, node: &str) -> Node {
    start(Identity::from_credential(&credential(authority, node)).expect("an identity"))
}
