//! The clients of a study.
//!
//! Each client writes fresh keys, counts in a key of its own, adds to a counter that all share, and reads what others count.

use std::time::Duration;

use bytes::Bytes;
use synod_protocols::Outcome;
use synod_protocols::prng::Prng;
use tokio::time::{Instant, sleep};

use crate::services::kv::{Call, Consistency, Expect, Kv, Put, PutOutcome};
use crate::sim::study::cluster::Cluster;
use crate::sim::study::ledger::{SHARED, number};

/// One client's life.
pub(crate) async fn client(cluster: Cluster, number: usize, duration: Duration) -> Result<(), String> {
    let mut chance = Prng::fork(cluster.simulation.seed(), 0xC0 + number as u64);
    let until = Instant::now() + duration;
    let mut step = 0_u64;
    let mut own = format!("count/{number}/0");
    while Instant::now() < until {
        sleep(chance.duration(Duration::from_millis(1), Duration::from_millis(60))).await;
        let Some(kv) = handle(&cluster, &mut chance) else { continue };
        step += 1;
        match chance.below(4) {
            0 => write(&cluster, &kv, format!("{number}/{step}"), &mut chance).await,
            1 => {
                if count(&cluster, &kv, &own, step).await == Some(Outcome::Unknown) {
                    own = format!("count/{number}/{step}");
                }
            }
            2 => add(&cluster, &kv).await,
            _ => read(&cluster, &kv, &mut chance).await?,
        }
        let told = {
            let ledger = cluster.ledger.borrow();
            format!("{number} {step} {} {} {}", ledger.ok, ledger.refused, ledger.unknown)
        };
        cluster.simulation.trace().record("client", &told);
    }
    Ok(())
}

fn handle(cluster: &Cluster, chance: &mut Prng) -> Option<Kv> {
    let handles = cluster.handles.borrow();
    let handles: Vec<&Kv> = handles.values().collect();
    chance.pick(&handles).map(|kv| (*kv).clone())
}

fn call() -> Call {
    Call { deadline: Duration::from_secs(2), ..Call::default() }
}

fn put(key: &str, value: Bytes, expect: Expect) -> Put {
    Put { key: key.to_owned(), value, expect, lease: None }
}

/// Writes a key that nobody else writes.
async fn write(cluster: &Cluster, kv: &Kv, key: String, chance: &mut Prng) {
    let value = Bytes::from(vec![b'v'; chance.below(2_000) as usize]);
    let result = kv.put(put(&key, value.clone(), Expect::Any), call()).await;
    let mut ledger = cluster.ledger.borrow_mut();
    match (ledger.settle(&result), result) {
        (None, Ok(PutOutcome::Created { .. })) => {
            ledger.written.insert(key, value);
        }
        (Some(Outcome::NotExecuted), _) => {
            ledger.absent.insert(key);
        }
        (Some(Outcome::Unknown), _) => {
            ledger.doubtful.insert(key);
        }
        (None, told) => ledger.complain(format!("a fresh key {key} was written, and the answer is {told:?}")),
    }
}

/// Writes a growing number to the client's own key. A write of which nobody knows may take effect at any later time, over
/// later ones too: the client leaves such a key, and nothing more is expected of it.
async fn count(cluster: &Cluster, kv: &Kv, key: &str, step: u64) -> Option<Outcome> {
    let result = kv.put(put(key, Bytes::from(step.to_string()), Expect::Any), call()).await;
    let mut ledger = cluster.ledger.borrow_mut();
    let failed = ledger.settle(&result);
    match failed {
        None => drop(ledger.counts.insert(key.to_owned(), step)),
        Some(Outcome::Unknown) => drop(ledger.counts.remove(key)),
        Some(Outcome::NotExecuted) => {}
    }
    failed
}

/// Adds one to the shared counter by compare-and-set; a conflict is no addition.
async fn add(cluster: &Cluster, kv: &Kv) {
    let read = kv.get(SHARED, Consistency::Linearizable).await;
    let present = match read {
        Ok(read) => read.value,
        Err(_) => return,
    };
    let (expect, value) = match present {
        None => (Expect::Absent, 0),
        Some(present) => (Expect::Index(present.index), number(&present.value)),
    };
    let result = kv.put(put(SHARED, Bytes::from((value + 1).to_string()), expect), call()).await;
    let mut ledger = cluster.ledger.borrow_mut();
    match (ledger.settle(&result), result) {
        (None, Ok(PutOutcome::Conflict { .. })) | (Some(Outcome::NotExecuted), _) => {}
        (None, _) => ledger.added.0 += 1,
        (Some(Outcome::Unknown), _) => ledger.added.1 += 1,
    }
}

/// Reads what a client counts: never less than was acknowledged before the read began.
async fn read(cluster: &Cluster, kv: &Kv, chance: &mut Prng) -> Result<(), String> {
    let known: Vec<(String, u64)> =
        cluster.ledger.borrow().counts.iter().map(|(key, count)| (key.clone(), *count)).collect();
    let Some((key, acknowledged)) = chance.pick(&known).cloned() else { return Ok(()) };
    let result = kv.get(&key, Consistency::Linearizable).await;
    cluster.ledger.borrow_mut().settle(&result);
    let Ok(read) = result else { return Ok(()) };
    let seen = read.value.map_or(0, |value| number(&value.value));
    // The write that made the key doubtful may have come in between, and is later than what was acknowledged.
    if seen < acknowledged {
        return Err(format!("a read of {key} saw {seen} after {acknowledged} had been acknowledged"));
    }
    Ok(())
}
