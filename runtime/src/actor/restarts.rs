//! When an actor is started again, after what wait, and how often: a policy, and the history of one actor under it.
//!
//! Decides only; the supervisor acts. Erlang's permanent, transient and temporary children with intensity and period
//! (OTP, `supervisor`), and Akka's `BackoffSupervisor`, in one value.

use std::collections::VecDeque;
use std::time::Duration;

use synod_protocols::Timestamp;
use synod_protocols::prng::Prng;

/// When an actor is started again: for which ends, after what wait, and at most `most` times in any span of `within`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restarts {
    /// How many restarts; `u32::MAX` is any number.
    pub most: u32,
    /// In what time.
    pub within: Duration,
    /// After which ends.
    pub when: When,
    /// After what wait.
    pub backoff: Backoff,
    /// What becomes of a child's parent when the child may not be started again.
    pub beyond: Beyond,
}

/// After which ends an actor is started again. One that was asked to stop, from outside, never is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// After a panic. Erlang's transient.
    Panicked,
    /// After a panic, and when it stopped by itself. Erlang's permanent.
    Ended,
    /// Never: its first panic is its end, and its parent takes no notice. Erlang's temporary.
    Never,
}

/// What becomes of a parent whose child has panicked more often than the child's policy allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beyond {
    /// It is started again, as if it had panicked itself, and makes its children anew.
    Escalate,
    /// It goes on; watching the child tells it.
    GoOn,
}

/// How long an actor stays down before it is started again: twice as long each time, in bounds, less a part that is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The first wait; without one it is started again at once.
    pub first: Duration,
    /// The longest wait.
    pub most: Duration,
    /// How much of each wait is drawn, in hundredths, so that actors that fell together do not rise together.
    pub jitter: u8,
    /// After so long without an end the next wait is the first again.
    pub calm: Duration,
}

impl Restarts {
    /// After a panic, at once, at most `most` times in any span of `within`; then the end, which escalates.
    #[must_use]
    pub const fn at_most(most: u32, within: Duration) -> Self {
        Self { most, within, when: When::Panicked, backoff: Backoff::NONE, beyond: Beyond::Escalate }
    }

    /// After each panic, however many there are, after a wait.
    #[must_use]
    pub const fn without_limit(backoff: Backoff) -> Self {
        Self::at_most(u32::MAX, Duration::ZERO).after(backoff)
    }

    /// Not at all.
    #[must_use]
    pub const fn never() -> Self {
        Self { when: When::Never, ..Self::at_most(0, Duration::ZERO) }
    }

    /// After a wait.
    #[must_use]
    pub const fn after(self, backoff: Backoff) -> Self {
        Self { backoff, ..self }
    }

    /// Also when the actor stopped by itself.
    #[must_use]
    pub const fn always(self) -> Self {
        Self { when: When::Ended, ..self }
    }

    /// Without the parent's being started again when this is exceeded.
    #[must_use]
    pub const fn without_escalation(self) -> Self {
        Self { beyond: Beyond::GoOn, ..self }
    }

    /// Whether an actor under this policy that may not be started again takes its parent along.
    pub(crate) const fn escalates(&self) -> bool {
        matches!((self.when, self.beyond), (When::Panicked | When::Ended, Beyond::Escalate))
    }
}

impl Backoff {
    /// At once.
    pub const NONE: Self =
        Self { first: Duration::ZERO, most: Duration::ZERO, jitter: 0, calm: Duration::ZERO };

    /// From `first` to `most`, a fifth of it drawn; after `most` without an end it begins from `first`.
    #[must_use]
    pub const fn between(first: Duration, most: Duration) -> Self {
        Self { first, most, jitter: 20, calm: most }
    }

    /// With so many hundredths of each wait drawn; a hundred at most.
    #[must_use]
    pub const fn jitter(self, hundredths: u8) -> Self {
        Self { jitter: if hundredths > 100 { 100 } else { hundredths }, ..self }
    }

    /// Beginning from the first wait after so long without an end.
    #[must_use]
    pub const fn calm(self, calm: Duration) -> Self {
        Self { calm, ..self }
    }

    /// The wait after `before` others in a row.
    fn wait(&self, before: u32, chance: &mut Prng) -> Duration {
        let whole = self.first.saturating_mul(1 << before.min(30)).min(self.most.max(self.first));
        let drawn = whole.mul_f64(f64::from(self.jitter.min(100)) / 100.0);
        if whole.is_zero() { whole } else { chance.duration(whole.saturating_sub(drawn), whole) }
    }
}

/// When one actor ended, as far as its policy wants to know.
pub(crate) struct History {
    ends: VecDeque<Timestamp>,
    /// How many waits there were in a row.
    waits: u32,
    /// When it was last started again.
    started: Timestamp,
    chance: Prng,
}

impl History {
    pub(crate) fn new(chance: Prng) -> Self {
        Self { ends: VecDeque::new(), waits: 0, started: Timestamp(0), chance }
    }

    /// The actor has ended: how long to wait before it is started again; `None` when it is not.
    pub(crate) fn ended(&mut self, now: Timestamp, allowed: &Restarts) -> Option<Duration> {
        if allowed.most < u32::MAX {
            while self.ends.front().is_some_and(|end| now.since(*end) > allowed.within) {
                self.ends.pop_front();
            }
            if self.ends.len() >= allowed.most as usize {
                return None;
            }
            self.ends.push_back(now);
        }
        if now.since(self.started) >= allowed.backoff.calm {
            self.waits = 0;
        }
        let wait = allowed.backoff.wait(self.waits, &mut self.chance);
        self.waits = self.waits.saturating_add(1);
        Some(wait)
    }

    /// The actor was started again.
    pub(crate) fn started(&mut self, now: Timestamp) {
        self.started = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    fn history(seed: u64) -> History {
        History::new(Prng::new(seed))
    }

    fn at(count: u64) -> Timestamp {
        Timestamp(0).after(seconds(count))
    }

    #[test]
    fn the_window_slides() {
        let policy = Restarts::at_most(2, seconds(10));
        let mut history = history(1);
        let mut allowed = |count| history.ended(at(count), &policy).is_some();
        assert_eq!([allowed(1), allowed(8), allowed(11), allowed(12)], [true, true, false, true]);
        assert!(!allowed(18), "the end at 8 counts until 18");
        assert!(allowed(19));
    }

    #[test]
    fn no_policy_without_restarts_gives_one() {
        assert_eq!(history(1).ended(at(1), &Restarts::at_most(0, seconds(1))), None);
        let mut endless = history(1);
        assert!((0..10_000).all(|_| endless.ended(at(1), &Restarts::without_limit(Backoff::NONE)).is_some()));
        assert!(endless.ends.is_empty(), "nothing is kept of what is not counted");
    }

    #[test]
    fn waits_double_up_to_the_longest_and_begin_anew_after_a_calm() {
        let backoff = Backoff::between(seconds(1), seconds(30)).jitter(0).calm(seconds(60));
        let policy = Restarts::without_limit(backoff);
        let (mut history, mut now) = (history(1), 100);
        let mut waits = Vec::new();
        for calm in [0, 0, 59, 0, 0, 0, 0, 60, 0] {
            now += calm;
            let wait = history.ended(at(now), &policy).unwrap().as_secs();
            waits.push(wait);
            now += wait;
            history.started(at(now));
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30, 1, 2]);
    }

    #[test]
    fn the_drawn_part_is_within_its_bounds_and_differs() {
        let backoff = Backoff::between(seconds(10), seconds(10)).jitter(40);
        let mut chance = Prng::new(7);
        let waits: Vec<Duration> = (0..1_000).map(|_| backoff.wait(0, &mut chance)).collect();
        assert!(waits.iter().all(|wait| (seconds(6)..=seconds(10)).contains(wait)));
        assert!(waits.iter().any(|wait| *wait < Duration::from_millis(6_200)));
        assert!(waits.iter().any(|wait| *wait > Duration::from_millis(9_800)));
        let longest = Backoff::between(seconds(1), Duration::MAX).jitter(100);
        assert!(longest.wait(u32::MAX, &mut chance) <= seconds(1 << 30));
    }
}
