//! `synod bench kv`: durable writes to a cluster of three processes on this machine, and how long it is without a leader.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::bench::cluster::Cluster;
use crate::bench::cold_start::cold_starts;
use crate::bench::figure::{Figure, Figures};
use crate::bench::http::HttpClient;
use crate::bench::load::{Load, load};
use crate::bench::recovery::recoveries;
use crate::bench::runs::{self, Runs};
use crate::client::seconds;
use crate::failure::Failure;
use crate::output::Form;

/// How often leaders are killed and clusters started.
const TIMES: u32 = 5;

/// Puts of 256 bytes that are answered when two of three processes have them on their disks: from a client of the cluster over
/// QUIC, and over HTTP with kept connections.
///
/// Then the time from `kill -9` of the leader, and from a start with nothing, to the next acknowledged put. All processes and all
/// clients share this machine and one disk.
#[derive(Args, Debug)]
pub(crate) struct KvCommand {
    /// How many clients write at once, each its next put when the last is acknowledged.
    #[arg(long, value_name = "N,N,…", value_delimiter = ',', default_values_t = [1, 64, 256],
          value_parser = clap::value_parser!(u16).range(1..=4096))]
    clients: Vec<u16>,
    /// How many seconds each number of clients takes.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    seconds: Duration,
    /// Where HTTP clients write.
    #[arg(long, value_enum, default_value_t = Spread::Nodes)]
    http_at: Spread,
    /// How often the leader is killed.
    #[arg(long, value_name = "N", default_value_t = TIMES)]
    kills: u32,
    /// How often a cluster is started with nothing.
    #[arg(long, value_name = "N", default_value_t = TIMES)]
    starts: u32,
    /// Below which directory the nodes keep their data; without it, where temporary files go.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Whom HTTP clients ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Spread {
    /// All nodes in turn, beginning with the leader; the others pass on what they are asked.
    Nodes,
    /// The leader.
    Leader,
}

impl Default for KvCommand {
    fn default() -> Self {
        Self {
            clients: vec![1, 64, 256],
            seconds: Duration::from_secs(10),
            http_at: Spread::Nodes,
            kills: TIMES,
            starts: TIMES,
            dir: None,
        }
    }
}

impl KvCommand {
    /// Measures and prints.
    ///
    /// # Errors
    /// When the cluster does not start, or a put fails.
    pub(crate) fn run(self, form: Form) -> Result<(), Failure> {
        let mut figures = Figures::new(form);
        actix_rt::System::new().block_on(async {
            eprintln!("starting three nodes");
            let (mut cluster, _) = Cluster::start(self.dir.as_deref())?;
            self.measure_load(&mut cluster, &mut figures).await?;
            if self.kills > 0 {
                eprintln!("killing leaders");
                let (node, kv) = cluster.client().await?;
                let recoveries = recoveries(&mut cluster, &kv, self.kills).await?;
                figures.add(Figure::of("kv_recovery_native", "ms", recoveries.native))?;
                figures.add(Figure::of("kv_recovery_http", "ms", recoveries.http))?;
                node.shutdown(Duration::from_secs(1)).await;
            }
            drop(cluster);
            if self.starts > 0 {
                let starts = cold_starts(self.dir.as_deref(), self.starts).await?;
                figures.add(Figure::of("kv_cold_start", "ms", starts))?;
            }
            Ok::<(), Failure>(())
        })?;
        figures.finish()
    }

    async fn measure_load(&self, cluster: &mut Cluster, figures: &mut Figures) -> Result<(), Failure> {
        let runs = Runs::within(self.seconds, runs::TIMES);
        let leader = cluster.leader().await?;
        let (node, kv) = cluster.client().await?;
        for &clients in &self.clients {
            let writers = (0..clients).map(|_| kv.clone()).collect();
            tell(figures, &format!("kv_put_native_{clients}"), &load(writers, runs).await?)?;
        }
        node.shutdown(Duration::from_secs(1)).await;
        for &clients in &self.clients {
            let place = |client: u16| match self.http_at {
                Spread::Nodes => (leader + usize::from(client)) % cluster.places.len(),
                Spread::Leader => leader,
            };
            let writers =
                (0..clients).map(|client| HttpClient::new(cluster.places[place(client)].http)).collect();
            tell(figures, &format!("kv_put_http_{clients}"), &load(writers, runs).await?)?;
        }
        Ok(())
    }
}

fn tell(figures: &mut Figures, name: &str, loads: &[Load]) -> Result<(), Failure> {
    figures.add(Figure::of(name, "puts/s", loads.iter().map(|load| load.rate).collect()))?;
    let part = |part: f64| loads.iter().map(|load| load.latencies.quantile_us(part) / 1_000.0).collect();
    figures.add(Figure::of(format!("{name}_p50"), "ms", part(0.5)))?;
    figures.add(Figure::of(format!("{name}_p99"), "ms", part(0.99)))
}
