//! The end of a study: all nodes are well, agree, and hold exactly what the clients were told.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use synod_transport::PeerName;
use tokio::time::{Instant, sleep};

use crate::services::kv::{Call, Consistency, Expect, KeyValue, Kv, Put, Range};
use crate::sim::study::cluster::Cluster;
use crate::sim::study::ledger::{Ledger, SHARED, number};

/// How long healed nodes may take to agree.
const PATIENCE: Duration = Duration::from_secs(60);

/// Judges a cluster whose faults are over.
pub(crate) async fn judge(cluster: &Cluster) -> Result<(), String> {
    let until = Instant::now() + PATIENCE;
    let nodes = all_answer(cluster, until).await?;
    let state = all_equal(&nodes, until).await?;
    let ledger = cluster.ledger.borrow();
    if let Some(complaint) = ledger.complaints.first() {
        return Err(complaint.clone());
    }
    compare(&ledger, &state)
}

/// A write through every node takes effect.
async fn all_answer(cluster: &Cluster, until: Instant) -> Result<Vec<(PeerName, Kv)>, String> {
    let mut nodes = Vec::new();
    for name in cluster.simulation.names() {
        loop {
            let present = cluster.handles.borrow().get(name).cloned();
            let answer = match &present {
                Some(kv) => {
                    let put = Put {
                        key: format!("end/{name}"),
                        value: Bytes::from_static(b"end"),
                        expect: Expect::Any,
                        lease: None,
                    };
                    kv.put(put, Call::default()).await.map_err(|error| error.to_string())
                }
                None => Err("it has not started".into()),
            };
            match (answer, present) {
                (Ok(_), Some(kv)) => {
                    nodes.push((name.clone(), kv));
                    break;
                }
                (Err(error), _) if Instant::now() > until => {
                    return Err(format!("{name} does not take a write after all faults are over: {error}"));
                }
                _ => sleep(Duration::from_millis(100)).await,
            }
        }
    }
    Ok(nodes)
}

/// All nodes hold the same; gives what.
async fn all_equal(nodes: &[(PeerName, Kv)], until: Instant) -> Result<BTreeMap<String, Bytes>, String> {
    loop {
        let mut states = Vec::new();
        for (name, kv) in nodes {
            states.push((name, everything(kv).await?));
        }
        let (first, state) = states.swap_remove(0);
        match states.into_iter().find(|(_, other)| *other != state) {
            None => return Ok(state.into_iter().map(|row| (row.key, row.value)).collect()),
            Some((other, _)) if Instant::now() > until => {
                return Err(format!("{first} and {other} still differ after all faults are over"));
            }
            Some(_) => sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn everything(kv: &Kv) -> Result<Vec<KeyValue>, String> {
    let mut rows: Vec<KeyValue> = Vec::new();
    loop {
        let after = rows.last().map(|row| row.key.clone());
        let range = Range { prefix: String::new(), after, limit: 1_000 };
        let page = kv.range(range, Consistency::Stale).await.map_err(|error| error.to_string())?;
        if page.value.is_empty() {
            return Ok(rows);
        }
        rows.extend(page.value);
    }
}

fn compare(ledger: &Ledger, state: &BTreeMap<String, Bytes>) -> Result<(), String> {
    for (key, value) in &ledger.written {
        if state.get(key) != Some(value) {
            return Err(format!("{key} was acknowledged and is lost"));
        }
    }
    if let Some(key) = ledger.absent.iter().find(|key| state.contains_key(*key)) {
        return Err(format!("{key} was refused as not executed and is there"));
    }
    for (key, &count) in &ledger.counts {
        let held = state.get(key).map_or(0, |value| number(value));
        if held < count {
            return Err(format!("{key} is {held} after {count} had been acknowledged"));
        }
    }
    let (added, doubtful) = ledger.added;
    let held = state.get(SHARED).map_or(0, |value| number(value));
    if !(added..=added + doubtful).contains(&held) {
        return Err(format!(
            "the counter is {held}: {added} additions were acknowledged, {doubtful} are doubtful"
        ));
    }
    let own = |key: &str| key.starts_with("count/") || key.starts_with("end/") || key == SHARED;
    let stranger = state
        .keys()
        .find(|key| !own(key) && !ledger.written.contains_key(*key) && !ledger.doubtful.contains(*key));
    match stranger {
        Some(key) => Err(format!("{key} is there and nobody was told so")),
        None => Ok(()),
    }
}
