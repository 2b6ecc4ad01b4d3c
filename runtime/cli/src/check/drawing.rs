//! The failing part over time, as text: a row for each operation, a column for each event.

use std::collections::{BTreeMap, BTreeSet};

use synod::protocols::sim::Operation;
use synod::protocols::sim::check::{Call, Refutation, Returned};

use crate::table::{printable, shortened};

/// How many operations before the one that is stuck are drawn.
const BEFORE: usize = 10;
/// How many open ones without an answer are drawn, the latest.
const UNKNOWN: usize = 10;
/// How wide the words of an operation may be.
const WORDS: usize = 48;

/// The operations that show why, in the order in which they were asked: what is stuck, what was open then, what took effect just
/// before.
pub(super) fn shown(operations: &[Operation<Call, Returned>], refutation: &Refutation) -> Vec<usize> {
    let mut shown = BTreeSet::from([refutation.stuck, refutation.last]);
    shown.extend(refutation.order.iter().rev().take(BEFORE));
    let begun = operations[refutation.stuck].invoked;
    let open = refutation.part.iter().filter(|&&number| operations[number].ended >= begun);
    let (known, unknown): (Vec<usize>, Vec<usize>) =
        open.partition(|&&number| operations[number].ended <= operations[refutation.last].ended);
    shown.extend(known);
    shown.extend(unknown.iter().rev().take(UNKNOWN));
    let mut shown: Vec<usize> = shown.into_iter().collect();
    shown.sort_by_key(|&number| operations[number].invoked);
    shown
}

/// Draws them.
pub(super) fn draw(operations: &[Operation<Call, Returned>], refutation: &Refutation) -> String {
    let shown = shown(operations, refutation);
    let end = operations[refutation.last].ended;
    let events: BTreeSet<_> = shown
        .iter()
        .flat_map(|&number| [operations[number].invoked, operations[number].ended.min(end)])
        .collect();
    let columns: BTreeMap<_, usize> = events.into_iter().zip(0..).collect();
    let places: BTreeMap<usize, usize> = refutation.order.iter().copied().zip(1..).collect();
    let words: Vec<String> = shown
        .iter()
        .map(|&number| {
            let operation = &operations[number];
            shortened(&printable(&operation.action.describe(&operation.ending)), WORDS)
        })
        .collect();
    let width = words.iter().map(|words| words.chars().count()).max().unwrap_or(0);
    let mut text =
        format!("  {:>8}  {:>8}  {:>6}  {:<width$}  time\n", "line", "process", "place", "operation");
    for (&number, words) in shown.iter().zip(&words) {
        let operation = &operations[number];
        let (from, to) = (columns[&operation.invoked], columns[&operation.ended.min(end)]);
        let last = if number == refutation.stuck {
            'X'
        } else if operation.ended > end {
            '…'
        } else {
            '|'
        };
        let bar = format!("{}|{}{last}", "  ".repeat(from), "-".repeat((2 * (to - from)).saturating_sub(1)));
        let place = places.get(&number).map_or("-".to_owned(), |place| format!("#{place}"));
        let (line, process) = (operation.invoked.0, operation.client.0);
        text.push_str(&format!("  {line:>8}  {process:>8}  {place:>6}  {words:<width$}  {bar}\n"));
    }
    text
}
