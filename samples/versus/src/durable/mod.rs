//! Durable writes: three processes over loopback and one disk, etcd beside `synod node`.
//!
//! Both sides write 256 bytes to keys that are written over and over, from clients in one process, each its next write when the
//! last is acknowledged; etcd's and those over HTTP all ask the leader, and our own client finds it. Our side is what `synod bench kv`
//! measures.

mod etcd;
mod ours;
mod wire;

use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use crate::figures::{Form, median};
use crate::program;
use crate::progress::Progress;
use crate::table::{Table, readable};

/// How thoroughly it is measured.
pub(crate) struct Plan {
    /// How many clients write at once.
    pub(crate) clients: Vec<usize>,
    /// How often each side takes its turn.
    pub(crate) turns: u32,
    /// How long each number of clients takes in one turn.
    pub(crate) seconds: Duration,
    /// The program `synod`, if it need not be built.
    pub(crate) synod: Option<PathBuf>,
    /// Below which directory data are kept.
    pub(crate) directory: Option<PathBuf>,
}

/// One run of one number of clients.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Load {
    /// Who was measured.
    pub(crate) contestant: &'static str,
    /// How many clients.
    pub(crate) clients: usize,
    /// Puts a second.
    pub(crate) rate: f64,
    /// Milliseconds that half of the puts took at most.
    pub(crate) p50: f64,
    /// Milliseconds that all but one in a hundred took at most.
    pub(crate) p99: f64,
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { contestant, clients, rate, p50, p99 } = self;
        let (rate, p50, p99) = (readable(*rate), readable(*p50), readable(*p99));
        write!(f, "{contestant}, {clients} clients: {rate} puts/s, p50 {p50} ms, p99 {p99} ms")
    }
}

/// Whether the peer is there.
///
/// # Errors
/// When it is not, and what to do about it.
pub(crate) fn look_for_etcd() -> Result<(), Box<dyn Error>> {
    etcd::version().map(|_| ())
}

/// Measures both sides in turns, and prints.
///
/// # Errors
/// When etcd is not installed, `synod` cannot be built, or a put fails.
pub(crate) fn compare(plan: &Plan, form: Form) -> Result<(), Box<dyn Error>> {
    let version = etcd::version()?;
    let synod = program::synod(plan.synod.as_deref())?;
    let progress = Progress::new(plan.turns as usize * 3 * plan.clients.len());
    let mut loads: Vec<Load> = Vec::new();
    for turn in 1..=plan.turns {
        let first = loads.len();
        loads.extend(etcd::measure(plan, &progress)?);
        loads.extend(ours::measure(&synod, plan, &progress)?);
        for load in &loads[first..] {
            progress.say(&format!("durable, turn {turn} of {}: {load}", plan.turns));
        }
    }
    progress.clear();
    let medians = medians(&loads);
    match form {
        Form::Programs => {
            for load in &medians {
                println!("{}", serde_json::to_string(load)?);
            }
        }
        Form::People => println!("durable, {version}, puts of 256 bytes\n{}", render(&medians)),
    }
    Ok(())
}

fn medians(loads: &[Load]) -> Vec<Load> {
    let mut keys: Vec<(&'static str, usize)> = Vec::new();
    for load in loads {
        if !keys.contains(&(load.contestant, load.clients)) {
            keys.push((load.contestant, load.clients));
        }
    }
    let middle = |(contestant, clients): (&'static str, usize)| {
        let of = |part: fn(&Load) -> f64| {
            let same = loads.iter().filter(|load| (load.contestant, load.clients) == (contestant, clients));
            median(&same.map(part).collect::<Vec<_>>())
        };
        Load {
            contestant,
            clients,
            rate: of(|load| load.rate),
            p50: of(|load| load.p50),
            p99: of(|load| load.p99),
        }
    };
    keys.into_iter().map(middle).collect()
}

fn render(medians: &[Load]) -> String {
    let mut table = Table::new(["", "clients", "puts/s", "p50 ms", "p99 ms", "puts / etcd's"]);
    for load in medians {
        let peer = medians.iter().find(|peer| (peer.contestant, peer.clients) == (etcd::NAME, load.clients));
        let ratio = peer.filter(|_| load.contestant != etcd::NAME).map(|peer| load.rate / peer.rate);
        table.row(vec![
            load.contestant.to_owned(),
            load.clients.to_string(),
            readable(load.rate),
            readable(load.p50),
            readable(load.p99),
            ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}")),
        ]);
    }
    table.render()
}
