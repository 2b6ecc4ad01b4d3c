//! `synod node`: one member of a cluster, in the foreground, until it is told to end.

use std::fmt::Display;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use synod::node::{Group, HttpConfig, KV, LinkThread, Node, NodeBuilder, NodeConfig, Override, TlsConfig};
use synod::services::kv::Kv;
use synod::transport::PeerName;
use synod_gateway::{Config, Gateway, Member};
use tokio::signal::unix::Signal;
use tokio::time::Instant;

use crate::ends::{Ends, Input};
use crate::failure::Failure;
use crate::logging;
use crate::signals;

/// How long each phase of an end may take.
const GRACE: Duration = Duration::from_secs(2);

/// Runs one node until SIGTERM or Ctrl-C, then hands leadership over, flushes and closes. A second signal ends it at once.
///
/// On SIGUSR1 it reads its certificate, key and authorities again; links go on.
///
/// It logs to standard error; SYNOD_LOG chooses what, as in `SYNOD_LOG=info,synod=debug`.
#[derive(Args, Debug)]
pub(crate) struct NodeCommand {
    /// The configuration, in TOML.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Replaces a value of the configuration, as in `--set listen.http=127.0.0.1:9000`. Goes before the environment, which goes
    /// before the file.
    #[arg(long, value_name = "KEY=VALUE", value_parser = setting)]
    set: Vec<Override>,
    /// End when standard input does: for whoever starts nodes and may be killed.
    #[arg(long)]
    exit_with_stdin: bool,
}

impl NodeCommand {
    /// Runs the node to its end.
    ///
    /// # Errors
    /// One sentence on what is wrong with the configuration, an address, the directory, or how the node ended.
    pub(crate) fn run(self) -> Result<(), Failure> {
        logging::start()?;
        let config = NodeConfig::from_file(&self.config, &self.set).map_err(sentence)?;
        let http = config.http.as_ref().map(Config::new).transpose();
        let http = http.map_err(|error| Failure::new(format!("{}: {error}", self.config.display())))?;
        let input = if self.exit_with_stdin { Input::Held } else { Input::Ignored };
        actix_rt::System::new().block_on(async {
            let uncaught = |error| Failure::new(format!("cannot catch signals: {error}"));
            let mut ends = Ends::listen(input).map_err(uncaught)?;
            // The map is all that runs here, and quick.
            let builder =
                NodeBuilder::from_config(&config).map_err(sentence)?.link_thread(LinkThread::WithProtocols);
            let renewals = signals::renewals().map_err(uncaught)?;
            let node = builder.start().await.map_err(sentence)?;
            actix_rt::spawn(renew(node.clone(), config.tls.clone(), renewals));
            let end = async {
                tokio::select! {
                    reason = ends.next() => {
                        tracing::info!(reason, "shutting down; a second signal ends the process at once");
                        Ok(())
                    }
                    failure = node.failed() => {
                        // A process that stays would hold the place of one that works.
                        tracing::error!(node = %node.name(), %failure, "shutting down");
                        Err(sentence(failure))
                    }
                }
            };
            let served = serve(&node, &config, http, end).await;
            tokio::select! {
                () = node.shutdown(GRACE) => served,
                reason = ends.next() => Err(Failure::new(format!("{reason}: ended before everything was closed"))),
            }
        })
    }
}

/// Reads the node's identity from its files whenever a signal comes; one that is not taken leaves everything as it was.
async fn renew(node: Node, files: TlsConfig, mut signals: Signal) {
    while signals.recv().await.is_some() {
        let renewed = files.read().map_err(sentence).and_then(|identity| {
            node.renew_identity(&identity).map_err(sentence)?;
            Ok(identity.certificate().serial.clone())
        });
        match renewed {
            Ok(serial) => tracing::info!(node = %node.name(), %serial, "the identity was renewed"),
            Err(failure) => tracing::error!(node = %node.name(), %failure, "the identity was not renewed"),
        }
    }
}

/// Serves the map over HTTP until the end.
async fn serve(
    node: &Node,
    config: &NodeConfig,
    http: Option<Config>,
    end: impl Future<Output = Result<(), Failure>>,
) -> Result<(), Failure> {
    let kv = node.kv_by(KV, &group(config)).await.map_err(sentence)?;
    let gateway = match (http, &config.http) {
        (Some(http), Some(given)) => {
            let member = member(node, config, given, kv);
            Some(Gateway::start(http, Arc::new(member)).await.map_err(sentence)?)
        }
        _ => None,
    };
    let ended = end.await;
    if let Some(gateway) = gateway {
        gateway.stop().await;
    }
    ended
}

/// Whoever is said to found the map's group, or everybody; the others wait to be taken in.
fn group(config: &NodeConfig) -> Group {
    let everybody = || config.peers.keys().chain([&config.node]).map(PeerName::as_str);
    let founders = &config.founders;
    if founders.voters.is_empty() {
        return Group::of(everybody());
    }
    let founds = |name: &str| {
        founders.voters.iter().chain(&founders.witnesses).any(|founder| founder.as_str() == name)
    };
    let names = |names: &[PeerName]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    Group::of(names(&founders.voters))
        .witnesses(names(&founders.witnesses))
        .others(everybody().filter(|name| !founds(name)))
}

fn member(node: &Node, config: &NodeConfig, http: &HttpConfig, kv: Kv) -> Member {
    let reached = |peer: &PeerName| (peer.clone(), http.peers.get(peer).cloned());
    Member {
        node: config.node.clone(),
        cluster: config.cluster.clone(),
        peers: config.peers.keys().map(reached).collect(),
        kv,
        metrics: node.metrics().clone(),
        transport: node.system().transport().clone(),
        set_aside: node.set_aside(),
        started: Instant::now(),
    }
}

fn sentence(error: impl Display) -> Failure {
    Failure::new(error.to_string())
}

fn setting(text: &str) -> Result<Override, String> {
    let (key, value) = text.split_once('=').filter(|(key, _)| !key.is_empty()).ok_or("write KEY=VALUE")?;
    Ok(Override { origin: format!("--set {key}"), key: key.to_owned(), value: value.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_split_at_the_first_equals_sign() {
        let change = setting("listen.http=a=b").unwrap();
        assert_eq!((change.key.as_str(), change.value.as_str()), ("listen.http", "a=b"));
        assert!(setting("listen.http").is_err() && setting("=x").is_err());
    }
}
