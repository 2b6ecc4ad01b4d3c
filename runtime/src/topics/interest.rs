//! What a node has subscribers for, as it tells its peers, and what its peers have told it.
//!
//! Two tables that only their versions hold together: the own one changes by steps, each a version; a peer is told what changed since
//! the version it was told last, and the whole over each new connection. A peer's word counts over the connection it came on, if it
//! follows what is known. No frame, no lock and no time stands here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How often a node's interest has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(pub u64);

/// What a node calls a topic that it has subscribers for; never used again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TopicNumber(pub u64);

/// A step of a node's interest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The topic.
    pub topic: String,
    /// What the node calls it; `None` when nobody there subscribes to it any more.
    pub number: Option<TopicNumber>,
}

/// What this node has subscribers for.
#[derive(Clone, Debug, Default)]
pub struct Own {
    version: Version,
    last: TopicNumber,
    /// The last step of each topic, by its version.
    steps: BTreeMap<Version, Change>,
    /// Where each topic's last step stands.
    at: BTreeMap<String, Version>,
}

/// What one peer has subscribers for, as far as it told.
#[derive(Clone, Debug, Default)]
pub struct Theirs {
    version: Version,
    topics: BTreeMap<String, TopicNumber>,
}

/// How many topics of a peer are remembered; a word beyond it is not understood.
pub const TOPICS_MAX: usize = 1 << 16;
/// The longest name of a topic, in bytes.
pub const NAME_BYTES_MAX: usize = 256;

impl Own {
    /// Somebody subscribes to a topic to which nobody did; gives its number.
    pub fn begin(&mut self, topic: &str) -> TopicNumber {
        self.last = TopicNumber(self.last.0 + 1);
        self.step(topic, Some(self.last));
        self.last
    }

    /// Nobody subscribes to a topic any more.
    pub fn end(&mut self, topic: &str) {
        self.step(topic, None);
    }

    /// The present version.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// What changed after a version, at most so many steps, and the version that is known with them. From nothing on, what has ended is left
    /// out.
    #[must_use]
    pub fn since(&self, base: Version, most: usize) -> (Version, Vec<Change>) {
        let after = self.steps.range(Version(base.0 + 1)..);
        let told = after.filter(|(_, change)| base > Version(0) || change.number.is_some());
        let told: Vec<_> = told.take(most).collect();
        let upto = match told.last() {
            Some(&(&version, _)) if told.len() == most => version,
            Some(_) | None => self.version,
        };
        (upto, told.into_iter().map(|(_, change)| change.clone()).collect())
    }

    /// Forgets what has ended, up to a version that everybody was told.
    pub fn forget(&mut self, upto: Version) {
        let ended = self.steps.range(..=upto).filter(|(_, change)| change.number.is_none());
        for version in ended.map(|(&version, _)| version).collect::<Vec<_>>() {
            if let Some(change) = self.steps.remove(&version) {
                self.at.remove(&change.topic);
            }
        }
    }

    fn step(&mut self, topic: &str, number: Option<TopicNumber>) {
        self.version = Version(self.version.0 + 1);
        if let Some(before) = self.at.insert(topic.to_owned(), self.version) {
            self.steps.remove(&before);
        }
        self.steps.insert(self.version, Change { topic: topic.to_owned(), number });
    }
}

/// What became of a peer's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Learned {
    /// It was news, or known already.
    Well,
    /// Something before it is missing.
    Gap,
    /// It breaks a bound.
    TooMuch,
}

impl Theirs {
    /// Takes what changed between two versions into account; from nothing on it is the whole.
    pub fn learn(&mut self, base: Version, version: Version, changes: &[Change]) -> Learned {
        if changes.iter().any(|change| change.topic.len() > NAME_BYTES_MAX) {
            return Learned::TooMuch;
        }
        if base == Version(0) {
            *self = Self::default();
        } else if version <= self.version {
            return Learned::Well;
        } else if base != self.version {
            return Learned::Gap;
        }
        for Change { topic, number } in changes {
            match number {
                Some(number) => self.topics.insert(topic.clone(), *number),
                None => self.topics.remove(topic),
            };
            if self.topics.len() > TOPICS_MAX {
                return Learned::TooMuch;
            }
        }
        self.version = version;
        Learned::Well
    }

    /// What the peer calls a topic, if somebody subscribes to it there.
    #[must_use]
    pub fn number(&self, topic: &str) -> Option<TopicNumber> {
        self.topics.get(topic).copied()
    }

    /// The topics somebody subscribes to there.
    pub fn topics(&self) -> impl Iterator<Item = &str> {
        self.topics.keys().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use synod_protocols::prng::Prng;

    use super::*;

    fn pass(own: &Own, theirs: &mut Theirs, told: &mut Version, most: usize) -> Learned {
        let (version, changes) = own.since(*told, most);
        let learned = theirs.learn(*told, version, &changes);
        *told = version;
        learned
    }

    #[test]
    fn whoever_is_told_in_whatever_pieces_comes_to_know_the_same() {
        for seed in 0..200 {
            let mut chance = Prng::new(seed);
            let (mut own, mut model) = (Own::default(), BTreeMap::new());
            let (mut theirs, mut told) = (Theirs::default(), Version(0));
            for _ in 0..chance.below(200) {
                let topic = format!("t{}", chance.below(12));
                match chance.below(5) {
                    0..2 if !model.contains_key(&topic) => {
                        model.insert(topic.clone(), own.begin(&topic));
                    }
                    2 if model.remove(&topic).is_some() => own.end(&topic),
                    3 => assert_eq!(pass(&own, &mut theirs, &mut told, 3), Learned::Well),
                    // Another connection.
                    4 if chance.below(10) == 0 => (theirs, told) = (Theirs::default(), Version(0)),
                    _ if chance.below(10) == 0 => own.forget(told),
                    _ => {}
                }
            }
            while told < own.version() {
                assert_eq!(pass(&own, &mut theirs, &mut told, 3), Learned::Well);
            }
            assert_eq!(theirs.topics, model, "seed {seed}");
        }
    }

    #[test]
    fn what_does_not_follow_is_a_gap_and_what_came_before_is_passed_over() {
        let (mut own, mut theirs, mut told) = (Own::default(), Theirs::default(), Version(0));
        let first = own.begin("a");
        pass(&own, &mut theirs, &mut told, 9);
        let (version, changes) = own.since(Version(0), 9);
        own.begin("b");
        own.end("a");
        let (missed, _) = own.since(told, 1);
        let (last, rest) = own.since(missed, 9);
        assert_eq!(theirs.learn(missed, last, &rest), Learned::Gap);
        assert_eq!(theirs.number("a"), Some(first), "nothing of it was taken");
        assert_eq!(theirs.learn(Version(0), version, &changes), Learned::Well, "the whole, again");
        let (last, both) = own.since(told, 9);
        assert_eq!(theirs.learn(told, last, &both), Learned::Well);
        assert_eq!(theirs.learn(told, last, &both), Learned::Well, "twice is once");
        assert_eq!(theirs.topics().collect::<Vec<_>>(), ["b"]);
    }

    #[test]
    fn a_peer_is_believed_within_bounds() {
        let mut theirs = Theirs::default();
        let name = |length: usize| Change { topic: "x".repeat(length), number: Some(TopicNumber(1)) };
        assert_eq!(theirs.learn(Version(0), Version(1), &[name(NAME_BYTES_MAX)]), Learned::Well);
        assert_eq!(theirs.learn(Version(1), Version(2), &[name(NAME_BYTES_MAX + 1)]), Learned::TooMuch);
        let many: Vec<_> = (0..=TOPICS_MAX as u64)
            .map(|number| Change { topic: number.to_string(), number: Some(TopicNumber(number)) })
            .collect();
        assert_eq!(theirs.learn(Version(0), Version(1), &many), Learned::TooMuch);
    }
}
