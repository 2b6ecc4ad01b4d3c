//! `synod lab partition`

use std::time::Duration;

use serde_json::json;
use synod::protocols::raft::lab::{Latency, Outcome, Partition, Rules, play_partition};

use super::chart::{Chart, Mark, Scale, Series};
use super::finding::Finding;
use super::trials::{bar, each};
use crate::table::{Align, Table};

/// The shortest wait of a node as it comes.
const TIMEOUT: Duration = Duration::from_millis(300);
/// For how many of them links stay as they are.
const TIMEOUTS: u32 = 40;
const LATENCY: Latency = Latency::Uniform(Duration::from_micros(100), Duration::from_micros(300));

const RULES: [Rules; 3] = [Rules::Plain, Rules::Sticky, Rules::CatchUp];

/// What the paper says of other protocols: Omni-Paxos, Raft, Raft with pre-vote and check-quorum, VR, Multi-Paxos.
const PUBLISHED: [(Partition, [&str; 5]); 3] = [
    (Partition::QuorumLoss, ["yes", "yes", "yes", "no", "no"]),
    (Partition::Constrained, ["yes", "no", "no", "no", "yes"]),
    (Partition::Chained, ["yes", "yes", "yes", "yes", "livelock"]),
];

/// Downtime of three nodes whose leader is isolated, in seconds (rystsov, perseus).
const ISOLATED: [(&str, f64); 4] =
    [("etcd", 1.0), ("Consul", 14.0), ("CockroachDB", 7.0), ("Gryadka (CASPaxos)", 0.0)];

struct Line {
    partition: Partition,
    rules: Rules,
    /// Of those that recovered, ascending.
    down: Vec<Duration>,
    trials: usize,
    /// The longest time without a commit, in the middle trial.
    longest: Duration,
    terms_most: u64,
}

impl Line {
    fn of(partition: Partition, rules: Rules, outcomes: &[Outcome]) -> Self {
        let mut down: Vec<Duration> = outcomes.iter().filter_map(|outcome| outcome.down).collect();
        down.sort_unstable();
        let terms_most = outcomes.iter().map(|outcome| outcome.terms).max().unwrap_or_default();
        let mut longest: Vec<Duration> = outcomes.iter().map(|outcome| outcome.longest).collect();
        longest.sort_unstable();
        let longest = longest[longest.len() / 2];
        Self { partition, rules, down, trials: outcomes.len(), longest, terms_most }
    }

    fn name(&self) -> &'static str {
        match self.rules {
            Rules::Plain => "plain",
            Rules::Sticky => "pre-vote, check-quorum",
            Rules::CatchUp => "catch-up candidacy",
        }
    }

    fn median(&self) -> Option<f64> {
        self.down.get(self.down.len() / 2).map(Duration::as_secs_f64)
    }

    fn worst(&self) -> Option<f64> {
        self.down.last().map(Duration::as_secs_f64)
    }

    fn word(&self) -> &'static str {
        match self.down.len() {
            0 => "no",
            all if all == self.trials => "yes",
            _ => "at times",
        }
    }

    /// What the paper says of Raft with these rules; of catch-up candidacy it says nothing.
    fn published(&self) -> Option<&'static str> {
        let (_, row) = PUBLISHED.iter().find(|(partition, _)| *partition == self.partition)?;
        match self.rules {
            Rules::Plain => Some(row[1]),
            Rules::Sticky => Some(row[2]),
            Rules::CatchUp => None,
        }
    }
}

pub(super) fn run(trials: u64, seed: u64) -> Finding {
    let bar = bar((Partition::ALL.len() * RULES.len()) as u64 * trials);
    let mut lines = Vec::new();
    for partition in Partition::ALL {
        for rules in RULES {
            let outcomes = each(trials, &bar, |trial| {
                play_partition(partition, (seed << 32) + trial, TIMEOUT, rules, LATENCY, TIMEOUTS)
            });
            lines.push(Line::of(partition, rules, &outcomes));
        }
    }
    bar.finish_and_clear();
    let misses = lines
        .iter()
        .filter(|line| line.published().is_some_and(|published| published != line.word()))
        .map(|line| format!("{}, {}: recovers: {}", line.partition.name(), line.name(), line.word()))
        .collect();
    let text = format!(
        "Whether a group goes on while links have failed in part, for {TIMEOUTS} election timeouts of {} ms, {trials} times each.\n\n{}\n\
         Published, of other protocols (Omni-Paxos, EuroSys 2023):\n\n{}\n\
         Seconds without service when the leader of three is alone (others: perseus, with their own timeouts):\n\n{}",
        TIMEOUT.as_millis(),
        table(&lines).render(),
        published_table().render(),
        isolated_table(&lines).render()
    );
    let json =
        json!({ "trials": trials, "seed": seed, "lines": lines.iter().map(as_json).collect::<Vec<_>>() });
    Finding { text, json, svg: chart(&lines).svg(), misses }
}

fn table(lines: &[Line]) -> Table {
    let right = |name| (name, Align::Right);
    let mut table = Table::new(&[
        ("partition", Align::Left),
        ("ours", Align::Left),
        ("goes on", Align::Left),
        ("published of Raft", Align::Left),
        right("timeouts down, p50"),
        right("max"),
        right("longest without a commit, p50"),
        right("terms, max"),
    ]);
    for line in lines {
        let timeouts = |seconds: Option<f64>| {
            seconds.map_or("-".to_owned(), |seconds| format!("{:.2}", seconds / TIMEOUT.as_secs_f64()))
        };
        table.row(vec![
            line.partition.name().to_owned(),
            line.name().to_owned(),
            line.word().to_owned(),
            line.published().unwrap_or("-").to_owned(),
            timeouts(line.median()),
            timeouts(line.worst()),
            timeouts(Some(line.longest.as_secs_f64())),
            line.terms_most.to_string(),
        ]);
    }
    table
}

fn published_table() -> Table {
    let left = |name| (name, Align::Left);
    let mut table = Table::new(&[
        left("partition"),
        left("Omni-Paxos"),
        left("Raft"),
        left("Raft, pre-vote, check-quorum"),
        left("VR"),
        left("Multi-Paxos"),
    ]);
    for (partition, row) in PUBLISHED {
        table.row([partition.name()].into_iter().chain(row).map(str::to_owned).collect());
    }
    table
}

fn isolated_table(lines: &[Line]) -> Table {
    let mut table = Table::new(&[("system", Align::Left), ("seconds", Align::Right)]);
    for line in lines.iter().filter(|line| line.partition == Partition::Isolated) {
        let seconds =
            |seconds: Option<f64>| seconds.map_or("-".to_owned(), |seconds| format!("{seconds:.2}"));
        let words = format!("{} (max {})", seconds(line.median()), seconds(line.worst()));
        table.row(vec![format!("ours, {}, timeout 300 ms", line.name()), words]);
    }
    for (system, seconds) in ISOLATED {
        table.row(vec![system.to_owned(), format!("{seconds}")]);
    }
    table
}

fn as_json(line: &Line) -> serde_json::Value {
    json!({
        "partition": line.partition.name(), "rules": line.name(), "recovers": line.word(),
        "published_of_raft": line.published(), "down_p50_s": line.median(), "down_max_s": line.worst(),
        "longest_p50_s": line.longest.as_secs_f64(), "terms_max": line.terms_most,
    })
}

fn chart(lines: &[Line]) -> Chart {
    let mut series = Vec::new();
    // Catch-up differs in one partition only.
    let shown = |line: &&Line| line.rules != Rules::CatchUp || line.partition == Partition::Constrained;
    for line in lines.iter().filter(shown) {
        let colour = Partition::ALL.iter().position(|&it| it == line.partition).unwrap_or_default();
        let part = |number: usize| (number + 1) as f64 / line.trials as f64 * 100.0;
        let timeouts = |down: &Duration| down.as_secs_f64() / TIMEOUT.as_secs_f64();
        let points: Vec<_> =
            (0..line.down.len()).map(|number| (timeouts(&line.down[number]), part(number))).collect();
        let points = if points.is_empty() { vec![(0.0, 0.0), (f64::from(TIMEOUTS), 0.0)] } else { points };
        let mark = match line.rules {
            Rules::Plain => Mark::Line,
            Rules::Sticky => Mark::Dashes,
            Rules::CatchUp => Mark::Dots,
        };
        let name = if mark == Mark::Line { line.partition.name().to_owned() } else { String::new() };
        series.push(Series { name, mark, colour, points });
    }
    Chart {
        title: "How long a group is down when links fail in part (dashed: pre-vote, check-quorum; dotted: catch-up)".to_owned(),
        across: ("election timeouts", Scale::Linear(0.0, 12.0), vec![0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0]),
        up: (
            "percent of the trials that go on",
            Scale::Linear(0.0, 100.0),
            vec![0.0, 25.0, 50.0, 75.0, 100.0],
        ),
        series,
    }
}
