//! What came out: the median of each contestant in each figure, ours beside the best peer and beside the limit.

use serde::Serialize;

use crate::figures::median;
use crate::messaging::Contestant;
use crate::messaging::figure::Figure;
use crate::table::{Table, readable};

/// The results of all turns.
#[derive(Default)]
pub(crate) struct Results {
    /// In the order in which figures came first.
    rows: Vec<Row>,
}

struct Row {
    name: String,
    unit: String,
    results: Vec<(Contestant, Vec<f64>)>,
}

#[derive(Serialize)]
struct Line<'a> {
    name: &'a str,
    contestant: String,
    unit: &'a str,
    min: f64,
    median: f64,
    max: f64,
    /// Of ours: how it stands to the best of the peers.
    #[serde(skip_serializing_if = "Option::is_none")]
    to_best_peer: Option<f64>,
    /// Of ours: how it stands to the limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    to_limit: Option<f64>,
}

impl Results {
    /// Adds the figures of one turn of one contestant.
    pub(crate) fn add(&mut self, contestant: Contestant, figures: Vec<Figure>) {
        for Figure { name, unit, value } in figures {
            let position = self.rows.iter().position(|row| row.name == name).unwrap_or_else(|| {
                self.rows.push(Row { name, unit, results: Vec::new() });
                self.rows.len() - 1
            });
            let results = &mut self.rows[position].results;
            match results.iter_mut().find(|(known, _)| *known == contestant) {
                Some((_, values)) => values.push(value),
                None => results.push((contestant, vec![value])),
            }
        }
    }

    /// A line of JSON for each figure of each contestant.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for row in &self.rows {
            for (contestant, values) in &row.results {
                let mut sorted = values.clone();
                sorted.sort_by(f64::total_cmp);
                let ours = *contestant == Contestant::Synod;
                let line = Line {
                    name: &row.name,
                    contestant: contestant.name(),
                    unit: &row.unit,
                    min: sorted[0],
                    median: median(values),
                    max: sorted[sorted.len() - 1],
                    to_best_peer: row.ratio(Contestant::is_peer).filter(|_| ours),
                    to_limit: row.ratio(Contestant::is_limit).filter(|_| ours),
                };
                lines.push(serde_json::to_string(&line).expect("numbers and names"));
            }
        }
        lines
    }

    /// The table, for people.
    pub(crate) fn table(&self) -> String {
        let mut contestants: Vec<Contestant> =
            self.rows.iter().flat_map(|row| row.results.iter().map(|(contestant, _)| *contestant)).collect();
        contestants.sort_unstable();
        contestants.dedup();
        let head = ["figure".to_owned(), "unit".to_owned()];
        let names = contestants.iter().map(|contestant| contestant.name());
        let ratios = ["ours / best peer".to_owned(), "ours / limit".to_owned()];
        let mut table = Table::new(head.into_iter().chain(names).chain(ratios));
        for row in &self.rows {
            let mut cells = vec![row.name.clone(), row.unit.clone()];
            cells.extend(contestants.iter().map(|one| row.median(*one).map_or_else(String::new, readable)));
            for ratio in [row.ratio(Contestant::is_peer), row.ratio(Contestant::is_limit)] {
                cells.push(ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}")));
            }
            table.row(cells);
        }
        table.render()
    }
}

impl Row {
    fn median(&self, contestant: Contestant) -> Option<f64> {
        let (_, values) = self.results.iter().find(|(known, _)| *known == contestant)?;
        Some(median(values))
    }

    /// Ours in relation to the best of some.
    fn ratio(&self, among: impl Fn(Contestant) -> bool) -> Option<f64> {
        let ours = self.median(Contestant::Synod)?;
        let others = self.results.iter().filter(|(one, _)| among(*one)).map(|(_, values)| median(values));
        let best = if self.unit.ends_with("/s") {
            others.max_by(f64::total_cmp)
        } else {
            others.min_by(f64::total_cmp)
        };
        Some(ours / best?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_peer_is_the_fastest_or_the_one_that_takes_least() {
        let mut results = Results::default();
        let figure = |name: &str, unit: &str, value| Figure { name: name.into(), unit: unit.into(), value };
        for (contestant, rate, time) in [
            (Contestant::Synod, 9.0, 6.0),
            (Contestant::Kameo, 2.0, 12.0),
            (Contestant::Erlang, 3.0, 3.0),
            (Contestant::Quinn, 18.0, 1.0),
        ] {
            results.add(contestant, vec![figure("a", "asks/s", rate), figure("a_p50", "us", time)]);
        }
        let ratios = |row: &Row| [row.ratio(Contestant::is_peer), row.ratio(Contestant::is_limit)];
        assert_eq!(ratios(&results.rows[0]), [Some(3.0), Some(0.5)]);
        assert_eq!(ratios(&results.rows[1]), [Some(2.0), Some(6.0)]);
    }

    #[test]
    fn a_figure_that_only_one_has_stands_alone() {
        let mut results = Results::default();
        let figure = Figure { name: "spawn".into(), unit: "actors/s".into(), value: 5.0 };
        results.add(Contestant::Synod, vec![figure]);
        assert_eq!(results.rows[0].ratio(Contestant::is_peer), None);
        assert!(!results.lines()[0].contains("to_"));
    }
}
