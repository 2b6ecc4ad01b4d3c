//! The life of a gateway: it binds, serves, and stops in order.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use actix_web::dev::ServerHandle;
use actix_web::middleware::from_fn;
use actix_web::web::Data;
use actix_web::{App, HttpServer, rt};
use tokio::task::JoinHandle;

use crate::config::Config;
use crate::count::count;
use crate::gate::Gate;
use crate::measures::Measures;
use crate::readiness::CaughtUp;
use crate::routes::configure;
use crate::service::Service;
use crate::stopping::Stop;
use crate::tls::{self, TlsError};

/// A node's HTTP, being served.
pub struct Gateway {
    address: SocketAddr,
    stop: Stop,
    handle: ServerHandle,
    server: JoinHandle<io::Result<()>>,
}

/// Why HTTP cannot be served. Nothing listens then.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The address is not free or not ours.
    #[error("listen.http: cannot listen on {address}: {source}")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
    /// The certificate or its key cannot be used.
    #[error("http.certificate: {0}")]
    Tls(#[from] TlsError),
}

impl Gateway {
    /// Binds and serves `service` until [`Gateway::stop`]. Registers its metrics, so a service has one gateway at a time. Needs
    /// to run inside an actix system.
    ///
    /// # Errors
    /// [`GatewayError`]; nothing listens then.
    pub async fn start(config: Config, service: Arc<dyn Service>) -> Result<Self, GatewayError> {
        let address = config.bind;
        let bind = |source| GatewayError::Bind { address, source };
        let tls = config.credential.as_ref().map(tls::server).transpose()?;
        let (workers, grace) = (config.workers.get(), config.grace);
        let stop = Stop::new();
        let gate = Data::new(Gate {
            measures: Measures::new(service.metrics()),
            service,
            config,
            caught_up: CaughtUp::default(),
            stopping: stop.stopping(),
        });
        let app = move || {
            let gate = gate.clone();
            App::new().wrap(from_fn(count)).configure(|app| configure(app, gate))
        };
        let builder =
            HttpServer::new(app).workers(workers).disable_signals().shutdown_timeout(grace.as_secs().max(1));
        let builder = match tls {
            Some(tls) => builder.bind_rustls_0_23(address, tls).map_err(bind)?,
            None => builder.bind(address).map_err(bind)?,
        };
        let address = builder.addrs().first().copied().unwrap_or(address);
        let server = builder.run();
        let handle = server.handle();
        tracing::info!(%address, "serving HTTP");
        Ok(Self { address, stop, handle, server: rt::spawn(server) })
    }

    /// Where it listens; with port 0 in the configuration, the port that was chosen.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no new connections, ends every watch, lets requests come to their end within the grace, and frees the address.
    pub async fn stop(self) {
        self.stop.begin();
        self.handle.stop(true).await;
        match self.server.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the HTTP server ended badly"),
            Err(error) => tracing::error!(%error, "the HTTP server broke"),
        }
    }
}
