//! The words of one command, taken one by one.
//!
//! Knows how numbers, durations, nodes and options are written; which of them a command takes stands with the command.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use crate::sim::scenario::misread::Misread;
use crate::types::NodeId;

/// The words of a command that were not taken yet.
#[derive(Clone, Debug)]
pub struct Words<'a> {
    rest: VecDeque<&'a str>,
}

impl<'a> Words<'a> {
    /// The words of a line.
    #[must_use]
    pub fn new(line: &'a str) -> Self {
        Self { rest: line.split_whitespace().collect() }
    }

    /// The next word.
    ///
    /// # Errors
    /// There is none.
    pub fn next(&mut self, wanted: &'static str) -> Result<&'a str, Misread> {
        self.rest.pop_front().ok_or(Misread::Missing(wanted))
    }

    /// The next word, if there is one.
    pub fn maybe(&mut self) -> Option<&'a str> {
        self.rest.pop_front()
    }

    /// Takes the next word if it is this one.
    pub fn take(&mut self, word: &str) -> bool {
        self.rest.pop_front_if(|next| *next == word).is_some()
    }

    /// Takes the next word if it has the form `name=value`.
    pub fn option(&mut self) -> Option<(&'a str, &'a str)> {
        let option = self.rest.front()?.split_once('=')?;
        self.rest.pop_front();
        Some(option)
    }

    /// Takes the value of the option of this name, wherever it stands.
    pub fn named(&mut self, name: &str) -> Option<&'a str> {
        let has_name = |word: &&str| word.split_once('=').is_some_and(|(key, _)| key == name);
        let at = self.rest.iter().position(has_name)?;
        self.rest.remove(at)?.split_once('=').map(|(_, value)| value)
    }

    /// The next word as a node.
    ///
    /// # Errors
    /// It is none, or missing.
    pub fn node(&mut self) -> Result<NodeId, Misread> {
        node(self.next("a node")?)
    }

    /// The next word as nodes, if there is one: `1`, `1,3` or `1-3`.
    ///
    /// # Errors
    /// It is no list of nodes.
    pub fn maybe_nodes(&mut self) -> Result<Option<BTreeSet<NodeId>>, Misread> {
        self.maybe().map(nodes).transpose()
    }

    /// The next word as a whole number.
    ///
    /// # Errors
    /// It is none, or missing.
    pub fn number(&mut self) -> Result<u64, Misread> {
        number(self.next("a number")?)
    }

    /// The next word as a duration.
    ///
    /// # Errors
    /// It is none, or missing.
    pub fn duration(&mut self) -> Result<Duration, Misread> {
        duration(self.next("a duration")?)
    }

    /// Makes sure that no word is left.
    ///
    /// # Errors
    /// One is.
    pub fn end(&self) -> Result<(), Misread> {
        self.rest.front().map_or(Ok(()), |word| Err(Misread::Surplus((*word).to_owned())))
    }

    /// A word as a whole number.
    ///
    /// # Errors
    /// It is none.
    pub fn parse_number(word: &str) -> Result<u64, Misread> {
        number(word)
    }

    /// A word as a duration: `20ms`, `3s`, `500us`.
    ///
    /// # Errors
    /// It is none.
    pub fn parse_duration(word: &str) -> Result<Duration, Misread> {
        duration(word)
    }

    /// A word as nodes: `1`, `1,3` or `1-3`.
    ///
    /// # Errors
    /// It is none.
    pub fn parse_nodes(word: &str) -> Result<BTreeSet<NodeId>, Misread> {
        nodes(word)
    }

    /// A word as `on` or `off`.
    ///
    /// # Errors
    /// It is neither.
    pub fn parse_switch(word: &str) -> Result<bool, Misread> {
        match word {
            "on" => Ok(true),
            "off" => Ok(false),
            _ => Err(Misread::Not { wanted: "switch (on or off)", word: word.to_owned() }),
        }
    }
}

fn number(word: &str) -> Result<u64, Misread> {
    word.parse().map_err(|_| Misread::Not { wanted: "whole number", word: word.to_owned() })
}

fn node(word: &str) -> Result<NodeId, Misread> {
    let digits = word.strip_prefix('n').unwrap_or(word);
    match digits.parse() {
        Ok(id) if id > 0 => Ok(NodeId(id)),
        _ => Err(Misread::Not { wanted: "node", word: word.to_owned() }),
    }
}

/// More nodes than a script can mean.
const NODES_MAX: u64 = 99;

fn nodes(word: &str) -> Result<BTreeSet<NodeId>, Misread> {
    let mut found = BTreeSet::new();
    for part in word.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (node(first)?, node(last)?);
        if last < first || last.0 > NODES_MAX {
            return Err(Misread::Not { wanted: "list of nodes", word: word.to_owned() });
        }
        found.extend((first.0..=last.0).map(NodeId));
    }
    Ok(found)
}

fn duration(word: &str) -> Result<Duration, Misread> {
    let wrong = || Misread::Not { wanted: "duration", word: word.to_owned() };
    let unit = word.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let count: u32 = word[..unit].parse().map_err(|_| wrong())?;
    let one = match &word[unit..] {
        "us" => Duration::from_micros(1),
        "ms" => Duration::from_millis(1),
        "s" => Duration::from_secs(1),
        _ => return Err(wrong()),
    };
    Ok(one * count)
}
