//! One node of a demo as people and programs see it.

use std::time::Duration;

use serde::Serialize;

use super::sample::History;
use crate::processes::Place;
use crate::table::{Align, Table};

/// A node at one moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Row {
    pub(super) node: String,
    pub(super) http: String,
    pub(super) pid: u32,
    /// The role, or `starting`, `silent` or `dead`.
    pub(super) role: String,
    pub(super) leader: Option<String>,
    pub(super) term: Option<u64>,
    pub(super) commit_index: Option<u64>,
    pub(super) applied_index: Option<u64>,
    pub(super) puts_per_second: Option<f64>,
    pub(super) put_p99_us: Option<u64>,
    pub(super) links: Option<(usize, usize)>,
}

/// What is known of a node's process when the node does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Process {
    /// It has not answered yet.
    Starting,
    /// It answered earlier.
    Silent,
    /// It has ended.
    Dead,
}

impl Row {
    /// The row of a node; `process` and `pid` are those of the demo's child.
    pub(super) fn of(place: &Place, history: &History, process: Process, pid: u32) -> Self {
        let status = history.status();
        let puts = status.and_then(|_| history.puts());
        let word = match process {
            Process::Starting => "starting",
            Process::Silent => "silent",
            Process::Dead => "dead",
        };
        let p99 = puts.and_then(|(_, p99)| p99).filter(|seconds| seconds.is_finite());
        Self {
            node: place.name.clone(),
            http: place.http.to_string(),
            pid: status.map_or(pid, |status| status.pid),
            role: status.map_or(word.to_owned(), |status| status.role.to_string()),
            leader: status.and_then(|status| status.leader.clone()),
            term: status.map(|status| status.term),
            commit_index: status.map(|status| status.commit_index),
            applied_index: status.map(|status| status.applied_index),
            puts_per_second: puts.map(|(rate, _)| rate),
            put_p99_us: p99.map(|seconds| (seconds * 1e6).round() as u64),
            links: status.map(|status| (status.connected(), status.links.len())),
        }
    }
}

/// All rows as a table.
pub(super) fn table(rows: &[Row]) -> String {
    let mut table = Table::new(&[
        ("node", Align::Left),
        ("http", Align::Left),
        ("pid", Align::Right),
        ("role", Align::Left),
        ("term", Align::Right),
        ("commit", Align::Right),
        ("applied", Align::Right),
        ("puts/s", Align::Right),
        ("p99", Align::Right),
        ("links", Align::Right),
    ]);
    let number = |value: Option<u64>| value.map_or("-".to_owned(), |value| value.to_string());
    for row in rows {
        table.row(vec![
            row.node.clone(),
            row.http.clone(),
            row.pid.to_string(),
            row.role.clone(),
            number(row.term),
            number(row.commit_index),
            number(row.applied_index),
            row.puts_per_second.map_or("-".to_owned(), |rate| format!("{rate:.0}")),
            row.put_p99_us.map_or("-".to_owned(), |us| format!("{:.1?}", Duration::from_micros(us))),
            row.links.map_or("-".to_owned(), |(up, all)| format!("{up}/{all}")),
        ]);
    }
    table.render()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dead_nodes_keep_their_row() {
        let place = &Place::all("/d".as_ref(), &["127.0.0.1:8080".parse().unwrap()], &[7000])[0];
        let row = Row::of(place, &History::default(), Process::Dead, 12);
        let alive = Row {
            role: "leader".into(),
            term: Some(3),
            commit_index: Some(10),
            applied_index: Some(9),
            puts_per_second: Some(1234.4),
            put_p99_us: Some(1940),
            links: Some((1, 2)),
            ..row.clone()
        };
        let text = table(&[row, alive]);
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[1], ["node-1", "127.0.0.1:8080", "12", "dead", "-", "-", "-", "-", "-", "-"]);
        assert_eq!(lines[2][3..], ["leader", "3", "10", "9", "1234", "1.9ms", "1/2"]);
    }
}
