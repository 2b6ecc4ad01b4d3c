//! Three etcd processes, and clients that put over gRPC.

use std::error::Error;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tempfile::TempDir;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic_prost::ProstCodec;

use crate::durable::wire::{PutRequest, PutResponse, StatusRequest, StatusResponse};
use crate::durable::{Load, Plan};
use crate::progress::Progress;

/// How it is called in tables.
pub(crate) const NAME: &str = "etcd";

const NODES: usize = 3;
/// Connections that the clients share, as many streams each as are needed: more make etcd no faster.
const CONNECTIONS: usize = 16;
/// How long the processes may take to agree on a leader.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes of a value, and keys of a client, as `synod bench kv` has them.
const VALUE: [u8; 256] = [b'v'; 256];
const KEYS: usize = 1_000;

/// Three processes; dropping this ends them and removes what they wrote.
struct Cluster {
    children: Vec<Child>,
    endpoints: Vec<String>,
    root: TempDir,
}

/// What `etcd --version` says first.
///
/// # Errors
/// When it is not installed.
pub(crate) fn version() -> Result<String, Box<dyn Error>> {
    let output = Command::new("etcd")
        .arg("--version")
        .output()
        .map_err(|error| {
            format!("cannot run etcd ({error}): install it (Debian: apt-get install etcd-server), or compare without it: --only bare,actors")
        })?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().next().unwrap_or("etcd of an unknown version").to_owned())
}

/// One turn: each number of clients once, to the leader of a cluster of its own.
///
/// # Errors
/// When a process does not start, or a put fails.
pub(crate) fn measure(plan: &Plan, progress: &Progress) -> Result<Vec<Load>, Box<dyn Error>> {
    progress.begin(&format!("{NAME} starts"));
    let mut cluster = Cluster::start(plan.directory.as_deref())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let leader = cluster.leader().await?;
        let mut loads = Vec::new();
        for &clients in &plan.clients {
            progress.begin(&format!("{NAME}, {clients} clients"));
            put_for(&leader, clients, plan.seconds / 10).await?;
            loads.push(put_for(&leader, clients, plan.seconds).await?);
            progress.finish();
        }
        Ok(loads)
    })
}

async fn put_for(endpoint: &str, clients: usize, duration: Duration) -> Result<Load, Box<dyn Error>> {
    let mut channels = Vec::new();
    for _ in 0..clients.min(CONNECTIONS) {
        channels.push(Endpoint::from_shared(endpoint.to_owned())?.tcp_nodelay(true).connect().await?);
    }
    let began = Instant::now();
    let writing: Vec<_> = (0..clients)
        .map(|client| {
            let channel = channels[client % channels.len()].clone();
            tokio::task::spawn_local(put_until(channel, client, began + duration))
        })
        .collect();
    let mut latencies = Vec::new();
    for written in writing {
        latencies.extend(written.await??);
    }
    let elapsed = began.elapsed();
    latencies.sort_unstable();
    let rate = latencies.len() as f64 / elapsed.as_secs_f64();
    let part =
        |hundredths: usize| latencies[(latencies.len() - 1) * hundredths / 100].as_secs_f64() * 1_000.0;
    Ok(Load { contestant: NAME, clients, rate, p50: part(50), p99: part(99) })
}

async fn put_until(channel: Channel, client: usize, until: Instant) -> Result<Vec<Duration>, String> {
    let path = PathAndQuery::from_static("/etcdserverpb.KV/Put");
    let mut service = Grpc::new(channel);
    let mut latencies = Vec::new();
    let mut asked = Instant::now();
    while asked < until {
        let key = Bytes::from(format!("bench.{client}.{}", latencies.len() % KEYS));
        let request = PutRequest { key, value: Bytes::from_static(&VALUE) };
        service.ready().await.map_err(|error| format!("etcd is not ready: {error}"))?;
        let codec = ProstCodec::<PutRequest, PutResponse>::default();
        let response = service.unary(tonic::Request::new(request), path.clone(), codec).await;
        let response = response.map_err(|error| format!("etcd refused a put: {error}"))?;
        if response.get_ref().header.as_ref().is_none_or(|header| header.revision == 0) {
            return Err("etcd answered a put without a revision".to_owned());
        }
        let answered = Instant::now();
        latencies.push(answered - asked);
        asked = answered;
    }
    Ok(latencies)
}

impl Cluster {
    fn start(directory: Option<&Path>) -> Result<Self, Box<dyn Error>> {
        let mut builder = tempfile::Builder::new();
        builder.prefix("versus-etcd-");
        let root = match directory {
            Some(directory) => builder.tempdir_in(directory)?,
            None => builder.tempdir()?,
        };
        let ports = free_ports(2 * NODES)?;
        let url = |port: u16| format!("http://127.0.0.1:{port}");
        let peers: Vec<String> = ports[NODES..].iter().map(|&port| url(port)).collect();
        let members: Vec<String> =
            peers.iter().enumerate().map(|(number, peer)| format!("n{number}={peer}")).collect();
        let mut cluster = Self { children: Vec::new(), endpoints: Vec::new(), root: root };
        for number in 0..NODES {
            let (client, peer) = (url(ports[number]), &peers[number]);
            let name = format!("n{number}");
            let log = std::fs::File::create(log_of(cluster.root.path(), number))?;
            let child = Command::new("etcd")
                .args(["--name", &name, "--data-dir"])
                .arg(cluster.root.path().join(&name))
                .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
                .args(["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer])
                .args(["--initial-cluster", &members.join(","), "--initial-cluster-state", "new"])
                .args(["--initial-cluster-token", "versus", "--logger", "zap", "--log-level", "error"])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(log)
                .spawn()?;
            cluster.children.push(child);
            cluster.endpoints.push(client);
        }
        Ok(cluster)
    }

    /// Where the leader listens, once there is one.
    async fn leader(&mut self) -> Result<String, Box<dyn Error>> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            self.look_for_dead()?;
            for endpoint in &self.endpoints {
                if leads(endpoint).await.unwrap_or(false) {
                    return Ok(endpoint.clone());
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err("the etcd processes do not agree on a leader".into())
    }
}

impl Cluster {
    /// A process that has ended will not become a leader: says which, and what it said.
    fn look_for_dead(&mut self) -> Result<(), Box<dyn Error>> {
        for (number, child) in self.children.iter_mut().enumerate() {
            if let Some(status) = child.try_wait()? {
                let said = std::fs::read_to_string(log_of(self.root.path(), number)).unwrap_or_default();
                let last = said.lines().last().unwrap_or("it said nothing");
                return Err(format!("etcd n{number} has ended ({status}): {last}").into());
            }
        }
        Ok(())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for child in &mut self.children {
            // One that has ended already is what is wanted.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn log_of(root: &Path, number: usize) -> PathBuf {
    root.join(format!("n{number}.log"))
}

/// Whether the node at an endpoint leads; an error while it is not there yet.
async fn leads(endpoint: &str) -> Result<bool, Box<dyn Error>> {
    let channel = Endpoint::from_shared(endpoint.to_owned())?.connect().await?;
    let mut service = Grpc::new(channel);
    service.ready().await?;
    let path = PathAndQuery::from_static("/etcdserverpb.Maintenance/Status");
    let codec = ProstCodec::<StatusRequest, StatusResponse>::default();
    let status = service.unary(tonic::Request::new(StatusRequest {}), path, codec).await?.into_inner();
    Ok(status.leader != 0 && status.header.is_some_and(|header| header.member == status.leader))
}

fn free_ports(count: usize) -> Result<Vec<u16>, Box<dyn Error>> {
    // All are held until all are known, so that none is given twice.
    let listeners = (0..count).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<Vec<_>, _>>()?;
    listeners.iter().map(|listener| Ok(listener.local_addr()?.port())).collect()
}
