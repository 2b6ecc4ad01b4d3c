//! Keeps a link to one address: dials, waits for the link's end, dials again; and takes those who dial us.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use quinn::{ConnectError, ConnectionError, Incoming};
use tokio::time::{sleep, timeout};

use super::close::handshake_error;
use super::connection::open;
use super::handshake::{Outcome, accepted, dialled};
use super::hub::Hub;
use super::verify::Examiner;
use crate::backoff::{Backoff, seed_for};
use crate::contract::{Refusal, TransportError};
use crate::metrics::add;
use crate::peer::{Address, PeerName};

/// Keeps a link to `address` until the task is aborted; `found` hears who is there.
pub(crate) async fn keep(hub: Arc<Hub>, address: Address, found: impl Fn(&PeerName)) {
    let seed = seed_for(hub.seed, &address.endpoint);
    let mut backoff = Backoff::new(hub.config.backoff_min, hub.config.backoff_max, seed);
    let mut peer = address.name.clone();
    loop {
        if let Some(link) = peer.as_ref().and_then(|name| hub.table.living(name)) {
            backoff.reset();
            link.until_over().await;
        } else {
            add(&hub.counters.dials, 1);
            match timeout(hub.config.connect_timeout, dial(&hub, &address)).await {
                Ok(Ok(name)) => {
                    found(&name);
                    peer = Some(name.clone());
                    if hub.table.living(&name).is_some() {
                        continue;
                    }
                }
                Ok(Err(error)) => refuse(&hub, &address, error),
                Err(_) => {
                    let limit = hub.config.connect_timeout;
                    refuse(
                        &hub,
                        &address,
                        TransportError::Unreachable(format!("no answer within {limit:?}")),
                    );
                }
            }
        }
        sleep(backoff.next_wait()).await;
    }
}

fn refuse(hub: &Hub, address: &Address, error: TransportError) {
    hub.refused(Refusal { endpoint: address.endpoint.clone(), expected: address.name.clone(), error });
}

/// One attempt; gives who is there, with whom a link is open, or will be by another connection.
async fn dial(hub: &Arc<Hub>, address: &Address) -> Result<PeerName, TransportError> {
    let targets = resolve(hub, &address.endpoint).await?;
    // A silent address must not take the time of the ones after it.
    let share = hub.config.connect_timeout / u32::try_from(targets.len()).unwrap_or(u32::MAX).max(1);
    let mut last = TransportError::Unreachable("the name has no address of a usable kind".to_owned());
    for target in targets {
        match timeout(share, dial_one(hub, address, target)).await {
            Ok(Err(TransportError::Unreachable(why))) => last = TransportError::Unreachable(why),
            Ok(result) => return result,
            Err(_) => last = TransportError::Unreachable(format!("no answer within {share:?}")),
        }
    }
    Err(last)
}

async fn resolve(hub: &Hub, endpoint: &str) -> Result<Vec<SocketAddr>, TransportError> {
    if let Ok(address) = endpoint.parse() {
        return Ok(vec![address]);
    }
    if !hub.names {
        return Err(TransportError::Unreachable("a simulated network has no names".to_owned()));
    }
    let found = tokio::net::lookup_host(endpoint)
        .await
        .map_err(|error| TransportError::Unreachable(format!("the name cannot be resolved: {error}")))?;
    let v4_only = hub.config.bind.is_ipv4();
    Ok(found.filter(|address| address.is_ipv4() || !v4_only).collect())
}

async fn dial_one(hub: &Arc<Hub>, address: &Address, target: SocketAddr) -> Result<PeerName, TransportError> {
    let name = address.name.as_ref();
    let tls = hub.tls.current();
    let (crypto, examiner) = tls.for_dial(name).map_err(TransportError::BadCertificate)?;
    let mut config = (hub.client)(crypto);
    config.transport_config(hub.connection.clone());
    let connecting = hub
        .endpoint
        .connect_with(config, target, &tls.server_name(name))
        .map_err(|error: ConnectError| TransportError::Unreachable(error.to_string()))?;
    let connection = match connecting.await {
        Ok(connection) => connection,
        Err(error) => return Err(tls_error(&examiner, &error)),
    };
    match dialled(hub, &connection).await? {
        Outcome::Open(link, send, recv) => {
            open(hub, connection, &link, send, recv);
            Ok(link.birth.peer.name.clone())
        }
        Outcome::Duplicate(name) => Ok(name),
    }
}

/// The typed reason, when this end refused the peer; else what the connection says.
fn tls_error(examiner: &Examiner, error: &ConnectionError) -> TransportError {
    examiner.reason().or_else(|| handshake_error(error)).unwrap_or_else(|| {
        // A peer that says "duplicate" before it knows who we are.
        TransportError::Handshake("the peer hung up".to_owned())
    })
}

/// Takes those who dial us, until the endpoint takes nobody.
pub(crate) async fn accept_all(hub: Arc<Hub>) {
    while let Some(incoming) = hub.endpoint.accept().await {
        accept(&hub, incoming);
    }
}

/// Starts the handshake with a stranger, if there is room.
fn accept(hub: &Arc<Hub>, incoming: Incoming) {
    let loaded = hub.handshakes.available_permits() <= hub.config.handshakes_max / 2;
    if loaded && !incoming.remote_address_validated() && incoming.may_retry() {
        // It has to show that it receives at its address before it costs anything (RFC 9000 §8.1.2). The error gives the
        // stranger back, which `may_retry` has ruled out; dropping it refuses it.
        let counter = match incoming.retry() {
            Ok(()) => &hub.counters.handshakes_retried,
            Err(_) => &hub.counters.handshakes_shed,
        };
        add(counter, 1);
        return;
    }
    let Ok(permit) = hub.handshakes.clone().try_acquire_owned() else {
        add(&hub.counters.handshakes_shed, 1);
        incoming.refuse();
        return;
    };
    let (hub, tasks) = (hub.clone(), hub.tasks);
    tasks.spawn(async move {
        let endpoint = incoming.remote_address().to_string();
        let limit: Duration = hub.config.connect_timeout;
        let result = timeout(limit, accept_one(&hub, incoming)).await;
        drop(permit);
        let error = match result {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error,
            Err(_) => TransportError::Handshake(format!("no hello within {limit:?}")),
        };
        hub.refused(Refusal { endpoint, expected: None, error });
    });
}

async fn accept_one(hub: &Arc<Hub>, incoming: Incoming) -> Result<(), TransportError> {
    let (crypto, examiner) = hub.tls.current().for_dialer().map_err(TransportError::BadCertificate)?;
    let mut config = hub.server.clone();
    config.crypto = crypto;
    let connecting = incoming.accept_with(Arc::new(config)).map_err(|error| tls_error(&examiner, &error))?;
    let connection = match connecting.await {
        Ok(connection) => connection,
        Err(error) => return Err(tls_error(&examiner, &error)),
    };
    match accepted(hub, &connection).await? {
        Outcome::Open(link, send, recv) => open(hub, connection, &link, send, recv),
        Outcome::Duplicate(_) => {}
    }
    Ok(())
}
