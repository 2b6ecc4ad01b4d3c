//! Many seeds on several threads, with a progress bar; stops at the first failure.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use indicatif::{ProgressBar, ProgressStyle};

/// Runs `play` for every seed on `jobs` threads and hands each result to `keep`, one at a time and in no order; no further
/// seed is begun after `keep` said no.
pub(crate) fn sweep<T: Send>(
    seeds: &Range<u64>,
    jobs: NonZeroUsize,
    play: impl Fn(u64) -> T + Sync,
    keep: impl FnMut(T) -> bool + Send,
) {
    let bar = bar(seeds.end - seeds.start);
    let next = AtomicU64::new(seeds.start);
    let stopped = AtomicBool::new(false);
    let keep = Mutex::new(keep);
    thread::scope(|scope| {
        for _ in 0..jobs.get() {
            scope.spawn(|| {
                while !stopped.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        break;
                    }
                    let result = play(seed);
                    let mut keep = keep.lock().expect("nothing panics while results are kept");
                    if !keep(result) {
                        stopped.store(true, Ordering::Relaxed);
                    }
                    bar.inc(1);
                }
            });
        }
    });
    bar.finish_and_clear();
}

fn bar(seeds: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} seeds, {per_sec}, {eta} left")
        .expect("the template is sound");
    ProgressBar::new(seeds).with_style(style)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: NonZeroUsize = NonZeroUsize::new(2).expect("two");

    #[test]
    fn every_seed_is_played_once() {
        let mut played = Vec::new();
        sweep(
            &(10..60),
            TWO,
            |seed| seed,
            |seed| {
                played.push(seed);
                true
            },
        );
        played.sort_unstable();
        assert_eq!(played, (10..60).collect::<Vec<_>>());
    }

    #[test]
    fn a_failure_ends_the_sweep() {
        let mut played = 0;
        sweep(
            &(0..1_000_000),
            TWO,
            |seed| seed,
            |_| {
                played += 1;
                false
            },
        );
        assert!(played <= 2, "{played}");
    }
}
