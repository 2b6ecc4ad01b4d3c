//! Runs a target on its corpus and on inputs that are changed from it, and keeps what made the reader do something it had not done before.
//!
//! There is no instrumented build: what an input did is told by the reader's words, by what it took and by the memory it allocated. One seed is
//! one run.

use std::collections::BTreeSet;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use stats_alloc::Region;
use synod::protocols::prng::Prng;

use crate::ALLOCATOR;
use crate::corpus::{complete, inputs, keep};
use crate::mutation::mutate;
use crate::target::{Target, Verdict};

/// How many inputs are kept beside the corpus.
const KEPT: usize = 1024;

/// How long, where, and from which seed.
pub(crate) struct Effort {
    pub(crate) seed: u64,
    seconds: Option<u64>,
    inputs: u64,
    only: Option<String>,
    update: bool,
}

impl Effort {
    /// What the environment says: `SYNOD_FUZZ_SECONDS` for each target instead of a fixed number of inputs, `SYNOD_FUZZ_SEED`,
    /// `SYNOD_FUZZ_TARGET`, `SYNOD_UPDATE`.
    #[expect(clippy::disallowed_methods, reason = "a test is told by its environment")]
    pub(crate) fn asked_for() -> Self {
        let said = |name: &str| std::env::var(name).ok();
        let number = |name: &str| said(name).map(|text| text.parse().expect("a number"));
        Self {
            seed: number("SYNOD_FUZZ_SEED").unwrap_or(1),
            seconds: number("SYNOD_FUZZ_SECONDS"),
            inputs: 1_500,
            only: said("SYNOD_FUZZ_TARGET"),
            update: said("SYNOD_UPDATE").is_some(),
        }
    }

    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == name)
    }
}

/// What came of it.
#[derive(Default)]
pub(crate) struct Account {
    name: &'static str,
    corpus: usize,
    runs: u64,
    taken: u64,
    kept: usize,
    /// The most that was allocated, and by how long an input.
    most: (usize, usize),
    time: Duration,
}

/// Runs a target; panics with the input's place when something does not hold.
#[expect(clippy::disallowed_methods, reason = "the time that a person gave it")]
pub(crate) fn fuzz(target: &Target, effort: &Effort) -> Account {
    if effort.update {
        complete(target);
    }
    let mut pool = inputs(target);
    let mut account = Account { name: target.name, corpus: pool.len(), ..Account::default() };
    let mut seen = BTreeSet::new();
    for input in &pool {
        seen.insert(account.run(target, input));
    }
    assert!(account.taken > 0, "{}: nothing of the corpus is taken", target.name);
    let mut prng = Prng::fork(effort.seed, u64::from(crc32c::crc32c(target.name.as_bytes())));
    let begun = Instant::now();
    let goes_on = |runs: u64| match effort.seconds {
        Some(seconds) => begun.elapsed() < Duration::from_secs(seconds),
        None => runs < effort.inputs,
    };
    let mut runs = 0;
    while goes_on(runs) {
        // Half of the time from the corpus, lest what is refused in many ways crowds out what is taken.
        let known = if prng.chance(0.5) { account.corpus } else { pool.len() };
        let input = draw(target, &pool[..known], &mut prng);
        if seen.insert(account.run(target, &input)) && pool.len() < account.corpus + KEPT {
            pool.push(input);
        }
        runs += 1;
    }
    account.kept = pool.len() - account.corpus;
    account.time = begun.elapsed();
    account
}

/// The next input.
fn draw(target: &Target, pool: &[Vec<u8>], prng: &mut Prng) -> Vec<u8> {
    let mut input = prng.pick(pool).expect("there is a corpus").clone();
    let other = prng.pick(pool).expect("there is a corpus");
    mutate(&mut input, other, prng);
    if prng.chance(0.6) {
        (target.reseal)(&mut input, prng);
    }
    input
}

/// What an input did, as far as can be seen from outside: the beginning of the reader's words, or how much was taken, and the memory.
type Trail = (String, u32);

impl Account {
    fn run(&mut self, target: &Target, input: &[u8]) -> Trail {
        let region = Region::new(ALLOCATOR);
        let result = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
        let allocated = region.change().bytes_allocated;
        let Ok(verdict) = result else {
            panic!("{}: broken by {}", target.name, keep(target, input).display());
        };
        let most = (target.most)(input.len());
        assert!(
            allocated <= most,
            "{}: {allocated} bytes allocated for {} of input, at most {most}: {}",
            target.name,
            input.len(),
            keep(target, input).display()
        );
        self.runs += 1;
        if allocated > self.most.0 {
            self.most = (allocated, input.len());
        }
        let words = match verdict {
            Verdict::Taken(count) => {
                self.taken += 1;
                format!("{}", usize::BITS - count.leading_zeros())
            }
            Verdict::Refused(words) => words.chars().filter(|c| c.is_ascii_alphabetic()).take(40).collect(),
        };
        (words, usize::BITS - allocated.leading_zeros())
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, corpus, runs, taken, kept, most: (most, length), time } = self;
        write!(
            f,
            "{name}: {corpus} of the corpus, {runs} inputs in {:.1} s, {taken} taken, {kept} did something new, \
             at most {most} bytes allocated for an input of {length}",
            time.as_secs_f64()
        )
    }
}
