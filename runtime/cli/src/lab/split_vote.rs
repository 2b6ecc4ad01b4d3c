//! `synod lab split-vote`

use std::time::Duration;

use indicatif::ProgressBar;
use serde_json::json;
use synod::protocols::raft::lab::{
    Latency, Rules, SplitVote, TIMEOUT, Vote, closed_form, mean_election_time, play_vote,
};

use super::chart::{Chart, Mark, Scale, Series};
use super::finding::Finding;
use super::trials::{bar, each};
use crate::table::{Align, Table};

/// How many nodes there are, and how many are left.
const GROUPS: [(u64, u64); 10] =
    [(3, 2), (5, 4), (5, 3), (7, 6), (7, 5), (7, 4), (9, 8), (9, 7), (9, 6), (9, 5)];
/// The time of a message, as a part of the range of the waits.
const LATENCIES: [f64; 6] = [0.01, 0.05, 0.1, 0.2, 0.3, 0.5];
/// Groups, the range of the waits in message times, and the published mean time of an election in them.
const MEANS: [(u64, u64, [f64; 4]); 4] = [
    (5, 4, [8.3, 12.2, 16.7, 21.4]),
    (5, 3, [13.9, 17.0, 21.5, 26.3]),
    (3, 2, [11.7, 16.2, 21.4, 26.7]),
    (9, 5, [20.6, 20.0, 23.4, 27.4]),
];
const RANGES: [f64; 4] = [5.0, 10.0, 15.0, 20.0];
/// Message times between a tenth and a fifth of the range, and about how many votes in a hundred split then.
const VARIABLE: [(u64, u64, f64); 2] = [(5, 4, 16.0), (5, 3, 40.0)];

/// How many votes in a hundred may split more or less than the closed form says.
const TOLERANCE: f64 = 1.0;
/// By how many times more elections a cell beyond it is measured again: with ten thousand, a point is two standard deviations where votes
/// split half the time, and chance alone goes beyond it.
const AGAIN: u64 = 16;

/// Both variants of a group.
struct Pair {
    plain: SplitVote,
    sticky: SplitVote,
}

/// A cell of the first table: in a hundred, published, ours, ours with the rules on.
struct Cell {
    nodes: u64,
    alive: u64,
    latency: f64,
    published: f64,
    plain: f64,
    sticky: f64,
}

impl Pair {
    fn new(nodes: u64, alive: u64) -> Self {
        let group = |rules| SplitVote::new(nodes, alive, rules);
        Self { plain: group(Rules::Plain), sticky: group(Rules::Sticky) }
    }
}

pub(super) fn run(trials: u64, seed: u64) -> Finding {
    let cells = (GROUPS.len() * LATENCIES.len() + MEANS.len() * RANGES.len() + VARIABLE.len()) as u64;
    let bar = bar(cells * 2 * trials);
    let rates = rates(trials, seed, &bar);
    let means = means(trials, seed, &bar);
    let variable = variable(trials, seed, &bar);
    bar.finish_and_clear();
    let misses = rates
        .iter()
        .filter(|cell| (cell.plain - cell.published).abs() > TOLERANCE)
        .map(|cell| {
            let Cell { nodes, alive, latency, published, plain, .. } = cell;
            format!("{nodes}/{alive} at {latency}: {plain:.2} % instead of {published:.2} %")
        })
        .collect();
    let largest = rates.iter().map(|cell| (cell.plain - cell.published).abs()).fold(0.0, f64::max);
    let text = format!(
        "Split votes in a hundred elections, {trials} elections a cell; messages take a fixed part of the range of the waits.\n\
         The largest difference from the closed form is {largest:.2} points, {TOLERANCE} is allowed (beyond it, a cell is measured again {AGAIN} times as often).\n\n{}\n\
         The same with message times anywhere between 0.1 and 0.2 of the range.\n\n{}\n\
         Mean time from a leader's end until another leads, in message times, by the range of the waits in message times.\n\n{}",
        rate_table(&rates).render(),
        variable_table(&variable).render(),
        mean_table(&means).render()
    );
    let cell = |cell: &Cell| {
        json!({
            "nodes": cell.nodes, "alive": cell.alive, "latency": cell.latency, "published": cell.published,
            "plain": cell.plain, "sticky": cell.sticky,
        })
    };
    let json = json!({
        "trials": trials, "seed": seed, "largest_difference": largest,
        "rates": rates.iter().map(cell).collect::<Vec<_>>(),
        "variable": variable.iter().map(cell).collect::<Vec<_>>(),
        "means": means.iter().map(cell).collect::<Vec<_>>(),
    });
    Finding { text, json, svg: chart(&rates).svg(), misses }
}

fn rates(trials: u64, seed: u64, bar: &ProgressBar) -> Vec<Cell> {
    let mut cells = Vec::new();
    for (nodes, alive) in GROUPS {
        let pair = Pair::new(nodes, alive);
        for latency in LATENCIES {
            let time = Latency::Fixed(TIMEOUT.mul_f64(latency));
            let rate = |group: &SplitVote, trials| split(&votes(group, trials, seed, time, bar));
            let (mut plain, sticky) = (rate(&pair.plain, trials), rate(&pair.sticky, trials));
            let published = closed_form(nodes, alive, latency) * 100.0;
            if (plain - published).abs() > TOLERANCE {
                plain = rate(&pair.plain, trials * AGAIN);
            }
            cells.push(Cell { nodes, alive, latency, published, plain, sticky });
        }
    }
    cells
}

fn variable(trials: u64, seed: u64, bar: &ProgressBar) -> Vec<Cell> {
    let time = Latency::Uniform(TIMEOUT.mul_f64(0.1), TIMEOUT.mul_f64(0.2));
    let cell = |(nodes, alive, published)| {
        let pair = Pair::new(nodes, alive);
        let rate = |group: &SplitVote| split(&votes(group, trials, seed, time, bar));
        Cell { nodes, alive, latency: 0.15, published, plain: rate(&pair.plain), sticky: rate(&pair.sticky) }
    };
    VARIABLE.into_iter().map(cell).collect()
}

fn means(trials: u64, seed: u64, bar: &ProgressBar) -> Vec<Cell> {
    let mut cells = Vec::new();
    for (nodes, alive, published) in MEANS {
        let pair = Pair::new(nodes, alive);
        for (range, published) in RANGES.into_iter().zip(published) {
            let time = TIMEOUT.div_f64(range);
            let mean = |group: &SplitVote| {
                let votes = votes(group, trials, seed, Latency::Fixed(time), bar);
                let sum: Duration = votes.iter().map(|vote| vote.took).sum();
                // The leader ends on average a quarter of a wait after its last word.
                (sum.as_secs_f64() / trials as f64 - TIMEOUT.as_secs_f64() / 4.0) / time.as_secs_f64()
            };
            let (plain, sticky) = (mean(&pair.plain), mean(&pair.sticky));
            debug_assert!((mean_election_time(nodes, alive, 1.0 / range) * range - published).abs() < 0.1);
            cells.push(Cell { nodes, alive, latency: range, published, plain, sticky });
        }
    }
    cells
}

fn votes(group: &SplitVote, trials: u64, seed: u64, time: Latency, bar: &ProgressBar) -> Vec<Vote> {
    each(trials, bar, |trial| play_vote(group, (seed << 32) + trial, time))
}

fn split(votes: &[Vote]) -> f64 {
    100.0 * votes.iter().filter(|vote| vote.split).count() as f64 / votes.len() as f64
}

fn rate_table(cells: &[Cell]) -> Table {
    let mut columns = vec![("nodes/left", Align::Left), ("", Align::Left)];
    columns.extend(["0.01", "0.05", "0.1", "0.2", "0.3", "0.5"].map(|name| (name, Align::Right)));
    let mut table = Table::new(&columns);
    for row in cells.chunks(LATENCIES.len()) {
        let mut line = |first: String, name: &str, value: fn(&Cell) -> f64| {
            let numbers = row.iter().map(|cell| format!("{:.2}", value(cell)));
            table.row([first, name.to_owned()].into_iter().chain(numbers).collect());
        };
        line(format!("{}/{}", row[0].nodes, row[0].alive), "published", |cell| cell.published);
        line(String::new(), "ours", |cell| cell.plain);
        line(String::new(), "ours, pre-vote on", |cell| cell.sticky);
    }
    table
}

fn variable_table(cells: &[Cell]) -> Table {
    let right = |name| (name, Align::Right);
    let mut table = Table::new(&[
        ("nodes/left", Align::Left),
        right("published, about"),
        right("ours"),
        right("ours, pre-vote on"),
    ]);
    for cell in cells {
        let group = format!("{}/{}", cell.nodes, cell.alive);
        table.row(vec![
            group,
            format!("{:.0}", cell.published),
            format!("{:.1}", cell.plain),
            format!("{:.1}", cell.sticky),
        ]);
    }
    table
}

fn mean_table(cells: &[Cell]) -> Table {
    let right = |name| (name, Align::Right);
    let mut table = Table::new(&[
        ("nodes/left", Align::Left),
        right("range"),
        right("published"),
        right("ours"),
        right("difference"),
        right("ours, pre-vote on"),
    ]);
    for cell in cells {
        table.row(vec![
            format!("{}/{}", cell.nodes, cell.alive),
            format!("{:.0}", cell.latency),
            format!("{:.1}", cell.published),
            format!("{:.1}", cell.plain),
            format!("{:+.0} %", 100.0 * (cell.plain / cell.published - 1.0)),
            format!("{:.1}", cell.sticky),
        ]);
    }
    table
}

fn chart(cells: &[Cell]) -> Chart {
    let mut series = Vec::new();
    for (colour, row) in cells.chunks(LATENCIES.len()).enumerate() {
        let (nodes, alive) = (row[0].nodes, row[0].alive);
        let curve = (0..=50).map(|step| f64::from(step) / 100.0);
        let points = curve.map(|latency| (latency, 100.0 * closed_form(nodes, alive, latency))).collect();
        series.push(Series {
            name: format!("{nodes} nodes, {alive} left"),
            mark: Mark::Line,
            colour,
            points,
        });
        let points = row.iter().map(|cell| (cell.latency, cell.plain)).collect();
        series.push(Series { name: String::new(), mark: Mark::Dots, colour, points });
    }
    Chart {
        title: "Split votes: the closed form (lines) and this machine (dots)".to_owned(),
        across: (
            "message time / range of waits",
            Scale::Linear(0.0, 0.5),
            vec![0.0, 0.1, 0.2, 0.3, 0.4, 0.5],
        ),
        up: (
            "split votes in a hundred elections",
            Scale::Linear(0.0, 100.0),
            vec![0.0, 25.0, 50.0, 75.0, 100.0],
        ),
        series,
    }
}
