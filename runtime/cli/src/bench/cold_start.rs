//! How long a cluster takes from nothing to its first acknowledged write.

use std::path::Path;
use std::time::Duration;

use tokio::time::sleep;

use crate::bench::cluster::Cluster;
use crate::bench::http::HttpClient;
use crate::bench::load::{Writer, value};
use crate::failure::Failure;

/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(2);
/// After so many attempts something is wrong.
const ATTEMPTS: usize = 20_000;

/// Milliseconds from the start of the first of three processes, with empty directories, to the first acknowledged put, over HTTP
/// at the first node.
///
/// # Errors
/// When a cluster does not start.
pub(crate) async fn cold_starts(directory: Option<&Path>, times: u32) -> Result<Vec<f64>, Failure> {
    let mut results = Vec::new();
    for _ in 0..times {
        let (cluster, began) = Cluster::start(directory)?;
        let mut client = HttpClient::new(cluster.places[0].http);
        first_put(&mut client).await?;
        results.push(began.elapsed().as_secs_f64() * 1_000.0);
    }
    Ok(results)
}

/// Tries until one put is acknowledged.
///
/// # Errors
/// What the last attempt said, when none is.
pub(crate) async fn first_put(writer: &mut impl Writer) -> Result<(), Failure> {
    let mut last = Failure::new("nothing was tried");
    for _ in 0..ATTEMPTS {
        match writer.put("bench.first", value()).await {
            Ok(()) => return Ok(()),
            Err(failure) => last = failure,
        }
        sleep(PAUSE).await;
    }
    Err(last)
}
