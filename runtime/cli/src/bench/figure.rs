//! One measured figure: its name, its unit, and the smallest, middle and largest of several results.

use serde::Serialize;

use crate::failure::Failure;
use crate::output::{Form, print, print_json};
use crate::table::{Align, Table};

/// A figure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Figure {
    name: String,
    unit: &'static str,
    min: f64,
    median: f64,
    max: f64,
}

/// The figures of one benchmark, told as they come.
pub(crate) struct Figures {
    form: Form,
    table: Table,
}

impl Figure {
    /// The figure that these results make, of which there is at least one.
    pub(crate) fn of(name: impl Into<String>, unit: &'static str, mut results: Vec<f64>) -> Self {
        results.sort_by(f64::total_cmp);
        let (min, max) = (results[0], results[results.len() - 1]);
        Self { name: name.into(), unit, min, median: results[results.len() / 2], max }
    }
}

impl Figures {
    /// None yet.
    pub(crate) fn new(form: Form) -> Self {
        let number = |name| (name, Align::Right);
        let table = Table::new(&[
            ("name", Align::Left),
            ("unit", Align::Left),
            number("min"),
            number("median"),
            number("max"),
        ]);
        Self { form, table }
    }

    /// Tells a program at once, and people in the table at the end, of which they see a line on standard error meanwhile.
    ///
    /// # Errors
    /// When standard output does not take it.
    pub(crate) fn add(&mut self, figure: Figure) -> Result<(), Failure> {
        eprintln!("{}: {} {}", figure.name, readable(figure.median), figure.unit);
        match self.form {
            Form::Programs => print_json(&figure),
            Form::People => {
                let numbers = [figure.min, figure.median, figure.max].map(readable);
                self.table.row([figure.name, figure.unit.to_owned()].into_iter().chain(numbers).collect());
                Ok(())
            }
        }
    }

    /// The table, for people.
    ///
    /// # Errors
    /// When standard output does not take it.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        match self.form {
            Form::Programs => Ok(()),
            Form::People => print(self.table.render()),
        }
    }
}

/// Three digits at least, thousands apart.
fn readable(value: f64) -> String {
    if value < 100.0 {
        return format!("{value:.2}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_the_middle_of_its_results() {
        let figure = Figure::of("x", "ms", vec![3.0, 1.0, 20.0]);
        assert_eq!((figure.min, figure.median, figure.max), (1.0, 3.0, 20.0));
    }

    #[test]
    fn large_numbers_are_readable() {
        let text = [1.234, 99.999, 100.4, 1_234.0, 5_400_000.0].map(readable);
        assert_eq!(text, ["1.23", "100.00", "100", "1,234", "5,400,000"]);
    }
}
