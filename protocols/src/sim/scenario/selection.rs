//! Which messages a command means: by path, by kind, and by their place among those.
//!
//! `1->2`, `1->`, `->2`, `1,2->3-5` or `all`; then kinds, as in `Append,Vote`; then `#2` for the second of them.

use std::collections::BTreeSet;

use crate::sim::scenario::misread::Misread;
use crate::sim::scenario::words::Words;
use crate::types::NodeId;

/// Directed paths; an end that is not named is any node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path {
    from: Option<BTreeSet<NodeId>>,
    to: Option<BTreeSet<NodeId>>,
}

/// Messages in flight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Selection {
    path: Path,
    /// Any, when empty.
    kinds: BTreeSet<&'static str>,
    /// Only the one at this place, counted from 1.
    place: Option<usize>,
}

impl Path {
    /// Reads `all`, `1->2`, `1->` or `->2`.
    pub(super) fn parse(word: &str) -> Result<Self, Misread> {
        if word == "all" {
            return Ok(Self { from: None, to: None });
        }
        let Some((from, to)) = word.split_once("->") else {
            return Err(Misread::Not { wanted: "path (as in 1->2, 1->, ->2 or all)", word: word.to_owned() });
        };
        let end = |nodes: &str| (!nodes.is_empty()).then(|| Words::parse_nodes(nodes)).transpose();
        Ok(Self { from: end(from)?, to: end(to)? })
    }

    pub(super) fn matches(&self, from: NodeId, to: NodeId) -> bool {
        self.from.as_ref().is_none_or(|nodes| nodes.contains(&from))
            && self.to.as_ref().is_none_or(|nodes| nodes.contains(&to))
    }
}

impl Selection {
    /// Reads a path, kinds and a place, as far as they are there. Without any word, all messages are meant.
    pub(super) fn parse(words: &mut Words<'_>, known: &[&'static str]) -> Result<Self, Misread> {
        let path = Path::parse(words.maybe().unwrap_or("all"))?;
        let mut kinds = BTreeSet::new();
        let mut place = None;
        while let Some(word) = words.maybe() {
            if let Some(digits) = word.strip_prefix('#') {
                place = Some(Words::parse_number(digits)? as usize);
                continue;
            }
            for name in word.split(',') {
                let Some(kind) = known.iter().find(|kind| kind.eq_ignore_ascii_case(name)) else {
                    return Err(Misread::Not { wanted: "kind of message", word: name.to_owned() });
                };
                kinds.insert(*kind);
            }
        }
        Ok(Self { path, kinds, place })
    }

    /// Whether a message is meant, whatever its place.
    pub(super) fn matches(&self, from: NodeId, to: NodeId, kind: &'static str) -> bool {
        self.path.matches(from, to) && (self.kinds.is_empty() || self.kinds.contains(kind))
    }

    /// Those of the matching ones that are meant.
    pub(super) fn chosen(&self, matching: Vec<usize>) -> Vec<usize> {
        match self.place {
            None => matching,
            Some(place) => matching.into_iter().skip(place.saturating_sub(1)).take(1).collect(),
        }
    }
}
