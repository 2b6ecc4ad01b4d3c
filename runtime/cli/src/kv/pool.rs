//! Many rows in flight: threads that take the next row until there is none, and a bar that shows how far they are.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use indicatif::{ProgressBar, ProgressStyle};

use super::rows::Row;

/// Does `deed` to every row, `jobs` at a time, and gives the results in the order in which they came. The bar goes to standard
/// error, and only to a terminal.
pub(super) fn each<T: Send>(
    rows: &[Row],
    jobs: usize,
    verb: &'static str,
    deed: impl Fn(&Row) -> T + Sync,
) -> Vec<T> {
    let bar = bar(rows.len(), verb);
    let next = AtomicUsize::new(0);
    let (sender, results) = mpsc::channel();
    let collected = thread::scope(|scope| {
        for _ in 0..jobs.min(rows.len()) {
            let (sender, next, deed) = (sender.clone(), &next, &deed);
            scope.spawn(move || {
                while let Some(row) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if sender.send(deed(row)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        results.iter().inspect(|_| bar.inc(1)).collect()
    });
    bar.finish_and_clear();
    collected
}

fn bar(rows: usize, verb: &'static str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = "{msg} {wide_bar} {human_pos}/{human_len}  {per_sec}  {eta} left";
    let style = ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(rows as u64).with_style(style).with_message(verb)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_done_once() {
        let rows: Vec<Row> =
            (1..=500).map(|line| Row { line, key: line.to_string(), value: Vec::new() }).collect();
        let mut done = each(&rows, 8, "testing", |row| row.line);
        done.sort_unstable();
        assert_eq!(done, (1..=500).collect::<Vec<_>>());
    }
}
