//! What was measured: the median of each contestant in each cell, and how ours stands to the best of the others.

use serde::Serialize;

use crate::cell::Cell;
use crate::table::{Table, readable};

/// How results are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Tables.
    People,
    /// A line of JSON for each figure.
    Programs,
}

/// The results of one part, in the order in which they came.
pub(crate) struct Figures {
    form: Form,
    part: &'static str,
    unit: &'static str,
    results: Vec<(Cell, &'static str, Vec<f64>)>,
}

#[derive(Serialize)]
struct Line<'a> {
    part: &'a str,
    clients: usize,
    payload: usize,
    contestant: &'a str,
    unit: &'a str,
    min: f64,
    median: f64,
    max: f64,
    /// Ours in relation to the fastest peer.
    #[serde(skip_serializing_if = "Option::is_none")]
    ratio: Option<f64>,
}

impl Figures {
    /// None yet.
    pub(crate) fn new(form: Form, part: &'static str, unit: &'static str) -> Self {
        Self { form, part, unit, results: Vec::new() }
    }

    /// Adds one result of a contestant whose name, if it is ours, begins with `synod`.
    pub(crate) fn add(&mut self, cell: Cell, contestant: &'static str, result: f64) {
        match self.results.iter_mut().find(|(at, who, _)| (*at, *who) == (cell, contestant)) {
            Some((_, _, results)) => results.push(result),
            None => self.results.push((cell, contestant, vec![result])),
        }
    }

    /// How a cell came out, in one line.
    pub(crate) fn words(&self, cell: Cell) -> String {
        let medians = self.medians(cell);
        let words: Vec<String> = medians
            .iter()
            .map(|(contestant, median)| format!("{contestant} {}", readable(*median)))
            .collect();
        format!("{}, {} clients, {} bytes: {}", self.part, cell.clients, cell.payload, words.join(", "))
    }

    /// Tells programs how a cell came out; people see the table.
    pub(crate) fn tell(&self, cell: Cell) {
        if self.form == Form::People {
            return;
        }
        let medians = self.medians(cell);
        for (_, contestant, results) in self.results.iter().filter(|(at, _, _)| *at == cell) {
            let mut sorted = results.clone();
            sorted.sort_by(f64::total_cmp);
            let line = Line {
                part: self.part,
                clients: cell.clients,
                payload: cell.payload,
                contestant,
                unit: self.unit,
                min: sorted[0],
                median: median(results),
                max: sorted[sorted.len() - 1],
                ratio: is_ours(contestant).then(|| ratio(contestant, &medians)).flatten(),
            };
            println!("{}", serde_json::to_string(&line).expect("numbers and names"));
        }
    }

    /// The table, for people.
    pub(crate) fn finish(self) {
        if self.form == Form::Programs {
            return;
        }
        let mut contestants: Vec<&str> = Vec::new();
        let mut cells: Vec<Cell> = Vec::new();
        for (cell, contestant, _) in &self.results {
            if !contestants.contains(contestant) {
                contestants.push(contestant);
            }
            if !cells.contains(cell) {
                cells.push(*cell);
            }
        }
        let head = ["clients", "bytes"].into_iter().map(str::to_owned);
        let ours = contestants.iter().filter(|contestant| is_ours(contestant));
        let ratios = ours.clone().map(|contestant| format!("{contestant} / best peer"));
        let mut table =
            Table::new(head.chain(contestants.iter().map(|&contestant| contestant.to_owned())).chain(ratios));
        for cell in cells {
            let medians = self.medians(cell);
            let mut row = vec![cell.clients.to_string(), cell.payload.to_string()];
            let of = |contestant: &str| {
                medians.iter().find(|(who, _)| *who == contestant).map(|(_, median)| *median)
            };
            row.extend(
                contestants.iter().map(|contestant| of(contestant).map_or_else(String::new, readable)),
            );
            let ratio = |contestant: &&str| {
                ratio(contestant, &medians).map_or_else(String::new, |ratio| format!("{ratio:.2}"))
            };
            row.extend(ours.clone().map(ratio));
            table.row(row);
        }
        println!("{}, {}\n{}", self.part, self.unit, table.render());
    }

    fn medians(&self, cell: Cell) -> Vec<(&'static str, f64)> {
        let of_cell = self.results.iter().filter(|(at, _, _)| *at == cell);
        of_cell.map(|(_, contestant, results)| (*contestant, median(results))).collect()
    }
}

/// The middle of some results, of which there is at least one.
pub(crate) fn median(results: &[f64]) -> f64 {
    let mut sorted = results.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

fn is_ours(contestant: &str) -> bool {
    contestant.starts_with("synod")
}

fn ratio(ours: &str, medians: &[(&'static str, f64)]) -> Option<f64> {
    let own = medians.iter().find(|(who, _)| *who == ours)?.1;
    let best =
        medians.iter().filter(|(who, _)| !is_ours(who)).map(|(_, median)| *median).max_by(f64::total_cmp)?;
    Some(own / best)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_is_compared_with_the_best_of_the_others_by_medians() {
        let cell = Cell { clients: 1, payload: 0 };
        let mut figures = Figures::new(Form::People, "bare", "writes");
        for (contestant, results) in
            [("synod", [9.0, 1.0, 6.0]), ("a", [2.0, 3.0, 50.0]), ("b", [1.0, 1.0, 1.0])]
        {
            for result in results {
                figures.add(cell, contestant, result);
            }
        }
        assert_eq!(ratio("synod", &figures.medians(cell)), Some(2.0));
    }
}
