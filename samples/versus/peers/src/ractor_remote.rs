//! ractor_cluster as its documentation has it: a node server at each end, remote actors found by their process group. TCP without TLS,
//! which is how it comes.

use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, pg};
use ractor_cluster::{NodeServer, RactorClusterMessage, client_connect};
use tokio::runtime::{Builder, Runtime};
use tokio::time::{Instant, sleep};

use crate::child::{Answerer, be_found};
use crate::command::Peer;
use crate::line::Failure;
use crate::load::{Client, TARGETS, measure as measure_client};

const COOKIE: &str = "versus";
/// How long the two nodes may take to know each other's actors.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(RactorClusterMessage)]
enum Sent {
    Tell(Vec<u8>),
    #[rpc]
    Ask(Vec<u8>, RpcReplyPort<Vec<u8>>),
    #[rpc]
    Count(RpcReplyPort<u64>),
}

struct Sink;

#[derive(Clone)]
struct Sinks(Arc<[ActorRef<Sent>]>);

impl Actor for Sink {
    type Msg = Sent;
    type State = u64;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Sent>, (): ()) -> Result<u64, ActorProcessingErr> {
        Ok(0)
    }

    async fn handle(
        &self,
        _: ActorRef<Sent>,
        message: Sent,
        count: &mut u64,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Sent::Tell(payload) => {
                *count += 1;
                std::hint::black_box(payload);
            }
            Sent::Ask(payload, reply) => reply.send(payload)?,
            Sent::Count(reply) => reply.send(*count)?,
        }
        Ok(())
    }
}

impl Client for Sinks {
    const ROUND: usize = 10_000;

    async fn tell(&self, target: usize, payload: &[u8]) -> Result<(), Failure> {
        Ok(self.0[target].cast(Sent::Tell(payload.to_vec()))?)
    }

    async fn ask(&self, target: usize, payload: &[u8]) -> Result<(), Failure> {
        let payload = payload.to_vec();
        let answer = self.0[target].call(|reply| Sent::Ask(payload, reply), None).await?;
        answer.success_or("an ask was not answered")?;
        Ok(())
    }

    async fn count(&self, target: usize) -> Result<u64, Failure> {
        let answer = self.0[target].call(Sent::Count, Some(PATIENCE)).await?;
        Ok(answer.success_or("a count was not answered")?)
    }
}

/// Measures the other process.
pub(crate) fn measure(each: Duration) -> Result<(), Failure> {
    let answerer = Answerer::start(Peer::Ractor)?;
    runtime()?.block_on(async {
        let server = node("asker", 0).await?;
        client_connect(&server, answerer.whereabouts.as_str()).await?;
        let deadline = Instant::now() + PATIENCE;
        let mut sinks = Vec::new();
        for target in 0..TARGETS {
            let sink = loop {
                if let Some(cell) = pg::get_members(&group(target)).into_iter().next() {
                    break cell;
                }
                if Instant::now() > deadline {
                    return Err("ractor's nodes do not find each other".into());
                }
                sleep(Duration::from_millis(20)).await;
            };
            sinks.push(sink.into());
        }
        measure_client(&Sinks(sinks.into()), each).await
    })
}

/// The other process.
pub(crate) fn answer() -> Result<(), Failure> {
    runtime()?.block_on(async {
        // A port that is free now: the node does not tell which one it took.
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        node("answerer", port).await?;
        for target in 0..TARGETS {
            let (sink, _) = Actor::spawn(None, Sink, ()).await?;
            pg::join(group(target), vec![sink.get_cell()]);
        }
        be_found(&format!("127.0.0.1:{port}"))?;
        std::future::pending().await
    })
}

async fn node(name: &str, port: u16) -> Result<ActorRef<ractor_cluster::NodeServerMessage>, Failure> {
    let server = NodeServer::new(port, COOKIE.into(), name.into(), "localhost".into(), None, None);
    let (server, _) = Actor::spawn(None, server, ()).await?;
    Ok(server)
}

fn group(target: usize) -> String {
    format!("sink-{target}")
}

fn runtime() -> Result<Runtime, Failure> {
    Ok(Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}
