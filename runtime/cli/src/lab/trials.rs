//! Many trials on all cores, in the order of their numbers, and a bar that shows how far they are.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use indicatif::{ProgressBar, ProgressStyle};

/// How many trials a thread takes at once.
const PORTION: u64 = 64;

/// The bar of an experiment of so many trials.
pub(super) fn bar(trials: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{wide_bar} {human_pos}/{human_len}  {eta} left");
    ProgressBar::new(trials).with_style(style.expect("the template is sound"))
}

/// The results of trials 0 to `count`.
pub(super) fn each<T: Send>(count: u64, bar: &ProgressBar, trial: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let next = AtomicU64::new(0);
    let work = || {
        let mut found = Vec::new();
        loop {
            let first = next.fetch_add(PORTION, Ordering::Relaxed);
            if first >= count {
                return found;
            }
            let last = (first + PORTION).min(count);
            found.extend((first..last).map(|number| (number, trial(number))));
            bar.inc(last - first);
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let mut found: Vec<(u64, T)> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("a trial does not panic")).collect()
    });
    found.sort_unstable_by_key(|(number, _)| *number);
    found.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trial_is_made_once_and_in_order() {
        assert_eq!(
            each(1_000, &bar(0), |number| number * 2),
            (0..1_000).map(|number| number * 2).collect::<Vec<_>>()
        );
    }
}
