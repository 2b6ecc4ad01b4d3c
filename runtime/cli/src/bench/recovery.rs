//! How long writes wait when the leader's process is killed.

use tokio::time::{Duration, Instant, sleep};

use synod::services::kv::Kv;

use crate::bench::cluster::Cluster;
use crate::bench::cold_start::first_put;
use crate::bench::http::HttpClient;
use crate::bench::load::Writer;
use crate::failure::Failure;

/// For so long a node that came back is left in peace: links to it that died have to be noticed and dialled again.
const PEACE: Duration = Duration::from_secs(5);

/// Milliseconds from `kill -9` of the leader to the next acknowledged put.
#[derive(Default)]
pub(crate) struct Recoveries {
    /// For a client of the cluster.
    pub(crate) native: Vec<f64>,
    /// Over HTTP at a node that lives.
    pub(crate) http: Vec<f64>,
}

/// Kills the leader so many times, and brings it back each time.
///
/// # Errors
/// When the cluster does not recover.
pub(crate) async fn recoveries(cluster: &mut Cluster, kv: &Kv, times: u32) -> Result<Recoveries, Failure> {
    let mut recoveries = Recoveries::default();
    for round in 0..times {
        if round > 0 {
            sleep(PEACE).await;
        }
        let leader = cluster.leader().await?;
        let survivor = cluster.places[(leader + 1) % cluster.places.len()].http;
        let (mut native, mut http) = (kv.clone(), HttpClient::new(survivor));
        // Both know their way before the leader dies.
        first_put(&mut native).await?;
        first_put(&mut http).await?;
        cluster.kill(leader);
        let killed = Instant::now();
        let (native, http) = tokio::try_join!(next(&mut native, killed), next(&mut http, killed))?;
        recoveries.native.push(native);
        recoveries.http.push(http);
        cluster.restart(leader)?;
        cluster.leader().await?;
    }
    Ok(recoveries)
}

async fn next(writer: &mut impl Writer, killed: Instant) -> Result<f64, Failure> {
    first_put(writer).await?;
    Ok(killed.elapsed().as_secs_f64() * 1_000.0)
}
