//! `synod lab election`

use std::time::Duration;

use serde_json::json;
use synod::protocols::raft::lab::{Latency, Replacement, Rules, replace_leader};

use super::chart::{Chart, Mark, Scale, Series};
use super::finding::Finding;
use super::trials::{bar, each};
use crate::table::{Align, Table};

/// Messages take up to so long, so that a broadcast and its answers take up to 15 ms.
const MESSAGE: Duration = Duration::from_micros(7_500);
/// Longer is told as "longer".
const LIMIT: Duration = Duration::from_secs(10);
/// How far a published median or mean may be away.
const TOLERANCE: f64 = 0.15;

/// What the paper says of a line, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Published {
    Nothing,
    Median(f64),
    MeanAndWorst(f64, f64),
    Worst(f64),
    Longer,
}

/// The least wait and the range above it in milliseconds, and what the paper says of them.
const LINES: [(u64, u64, Published); 10] = [
    (150, 0, Published::Longer),
    (150, 1, Published::Nothing),
    (150, 5, Published::Median(287.0)),
    (150, 25, Published::Nothing),
    (150, 50, Published::Worst(513.0)),
    (150, 150, Published::Nothing),
    (12, 12, Published::MeanAndWorst(35.0, 152.0)),
    (25, 25, Published::Nothing),
    (50, 50, Published::Nothing),
    (100, 100, Published::Nothing),
];

/// The times of a line in milliseconds, ascending.
struct Times(Vec<f64>);

struct Line {
    least: u64,
    spread: u64,
    published: Published,
    plain: Times,
    sticky: Times,
}

impl Times {
    fn median(&self) -> f64 {
        self.0[self.0.len() / 2]
    }

    fn mean(&self) -> f64 {
        self.0.iter().sum::<f64>() / self.0.len() as f64
    }

    fn worst(&self) -> f64 {
        self.0[self.0.len() - 1]
    }

    fn words(&self) -> String {
        let limit = LIMIT.as_secs_f64() * 1e3;
        let word = |number: f64| if number >= limit { "> 10 s".to_owned() } else { format!("{number:.0}") };
        format!("{} / {} / {}", word(self.median()), word(self.mean()), word(self.worst()))
    }
}

impl Line {
    fn name(&self) -> String {
        format!("{}–{} ms", self.least, self.least + self.spread)
    }

    /// How far ours is from what the paper says, if it says a median or a mean.
    fn difference(&self) -> Option<f64> {
        match self.published {
            Published::Median(median) => Some(self.plain.median() / median - 1.0),
            Published::MeanAndWorst(mean, _) => Some(self.plain.mean() / mean - 1.0),
            Published::Worst(_) | Published::Longer | Published::Nothing => None,
        }
    }

    fn miss(&self) -> Option<String> {
        let longer = self.published == Published::Longer && self.plain.median() < LIMIT.as_secs_f64() * 1e3;
        let far = self.difference().is_some_and(|difference| difference.abs() > TOLERANCE);
        (longer || far).then(|| format!("{}: {}", self.name(), self.plain.words()))
    }
}

pub(super) fn run(trials: u64, seed: u64) -> Finding {
    let bar = bar(LINES.len() as u64 * 2 * trials);
    let latency = Latency::Uniform(Duration::ZERO, MESSAGE);
    let line = |(least, spread, published)| {
        let millis = Duration::from_millis;
        let times = |rules| {
            let group = Replacement::new(millis(least), millis(spread), rules);
            let took = each(trials, &bar, |trial| {
                let took = replace_leader(&group, (seed << 32) + trial, latency, Duration::ZERO, LIMIT);
                took.as_secs_f64() * 1e3
            });
            let mut took = took;
            took.sort_by(f64::total_cmp);
            Times(took)
        };
        Line { least, spread, published, plain: times(Rules::Plain), sticky: times(Rules::Sticky) }
    };
    let lines: Vec<Line> = LINES.into_iter().map(line).collect();
    bar.finish_and_clear();
    let text = format!(
        "Milliseconds until a crashed leader is replaced, median / mean / worst of {trials}: five nodes, two of the four left cannot win,\n\
         messages take 0 to 7.5 ms. A published median or mean may be {:.0} % away; a worst of so many is chance and not judged.\n\n{}",
        TOLERANCE * 100.0,
        table(&lines).render()
    );
    let json =
        json!({ "trials": trials, "seed": seed, "lines": lines.iter().map(as_json).collect::<Vec<_>>() });
    let misses = lines.iter().filter_map(Line::miss).collect();
    Finding { text, json, svg: chart(&lines).svg(), misses }
}

fn table(lines: &[Line]) -> Table {
    let right = |name| (name, Align::Right);
    let mut table = Table::new(&[
        ("waits", Align::Left),
        ("published", Align::Left),
        right("ours"),
        right("difference"),
        right("ours, pre-vote on"),
    ]);
    for line in lines {
        let published = match line.published {
            Published::Nothing => "-".to_owned(),
            Published::Median(median) => format!("median {median}"),
            Published::MeanAndWorst(mean, worst) => format!("mean {mean}, worst {worst}"),
            Published::Worst(worst) => format!("worst {worst}"),
            Published::Longer => "> 10 s".to_owned(),
        };
        let difference = line.difference().map(|difference| format!("{:+.0} %", difference * 100.0));
        table.row(vec![
            line.name(),
            published,
            line.plain.words(),
            difference.unwrap_or_default(),
            line.sticky.words(),
        ]);
    }
    table
}

fn as_json(line: &Line) -> serde_json::Value {
    let times =
        |times: &Times| json!({ "median": times.median(), "mean": times.mean(), "worst": times.worst() });
    json!({
        "least_ms": line.least, "most_ms": line.least + line.spread, "difference": line.difference(),
        "plain": times(&line.plain), "sticky": times(&line.sticky),
    })
}

fn chart(lines: &[Line]) -> Chart {
    let mut series = Vec::new();
    for (colour, line) in lines.iter().enumerate() {
        for (name, mark, times) in
            [(line.name(), Mark::Line, &line.plain), (String::new(), Mark::Dashes, &line.sticky)]
        {
            let part = |number: usize| (number + 1) as f64 / times.0.len() as f64 * 100.0;
            let step = (times.0.len() / 100).max(1);
            let numbers = (0..times.0.len()).step_by(step).chain([times.0.len() - 1]);
            let points = numbers.map(|number| (times.0[number], part(number))).collect();
            series.push(Series { name, mark, colour, points });
        }
    }
    Chart {
        title: "Time until a crashed leader is replaced (dashed: with pre-vote and stickiness)".to_owned(),
        across: ("milliseconds", Scale::Logarithmic(5.0, 10_000.0), vec![10.0, 100.0, 1_000.0, 10_000.0]),
        up: ("percent of the trials", Scale::Linear(0.0, 100.0), vec![0.0, 25.0, 50.0, 75.0, 100.0]),
        series,
    }
}
