//! The commands that every protocol's scripts have, as values; reading them is parsing.
//!
//! What they do stands in `perform.rs`.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::sim::scenario::dialect::{Ask, Dialect};
use crate::sim::scenario::misread::Misread;
use crate::sim::scenario::selection::{Path, Selection};
use crate::sim::scenario::story::Loudness;
use crate::sim::scenario::words::Words;
use crate::types::NodeId;

/// A command, and how much of what it brings about is told.
#[derive(Clone, Debug)]
pub(super) struct Order<P: Dialect> {
    pub(super) loudness: Loudness,
    pub(super) deed: Deed<P>,
}

/// Something to be done.
#[derive(Clone, Debug)]
pub(super) enum Deed<P: Dialect> {
    Start { configs: Vec<P::Config>, down: BTreeSet<NodeId>, stores: Stores },
    Settle,
    Advance { time: Duration, aim: Option<P::Aim> },
    Delay(Duration),
    Deliver(Selection, Manner),
    Drop(Selection),
    Hold(Selection),
    Release(Option<Selection>),
    Cut(Vec<Cut>),
    Heal(Vec<Cut>),
    Link(NodeId, NodeId, Link),
    Crash { node: NodeId, writes: usize, records: usize },
    Restart { node: NodeId, settings: Vec<(String, String)> },
    Wipe(NodeId, Loss),
    Pause(NodeId),
    Resume(NodeId),
    Disk(NodeId, Disk),
    Application(NodeId, Gate),
    Snapshots(NodeId, Snapshots),
    Ask(Vec<Ask<P>>),
    Show(P::View, Option<BTreeSet<NodeId>>),
    ShowDisks(Option<BTreeSet<NodeId>>),
    ShowMessages(Selection),
    ShowPaths,
    Conclude,
}

/// Whether disks have identities, by which a group knows them again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stores {
    Named,
    Nameless,
}

/// Whether a process that starts on another disk than before knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    Noticed,
    Unnoticed,
}

/// What becomes of messages that are delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    InOrder,
    Reversed,
    /// Delivered, and still in flight.
    Copied,
}

/// A path, in its own direction or in both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    OneWay(Path),
    BothWays(Path),
}

/// What both ends of a link are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    Up,
    Down,
}

/// What is done to a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Disk {
    /// Writes wait until they are synced by a command.
    Hold,
    /// Writes are durable at once, and so are those that wait.
    Go,
    /// So many of the writes that wait become durable.
    Sync(usize),
    /// The next sync fails.
    Fail,
    Fill,
    Free,
}

/// What is done to an application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gate {
    Hold,
    Go,
}

/// How snapshots are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Snapshots {
    Hold,
    Go,
    Fail,
}

impl Cut {
    fn parse(word: &str) -> Result<Vec<Self>, Misread> {
        if word.contains('|') {
            let groups: Vec<&str> = word.split('|').collect();
            let mut cuts = Vec::new();
            for (at, group) in groups.iter().enumerate() {
                for other in &groups[at + 1..] {
                    cuts.push(Self::BothWays(Path::parse(&format!("{group}->{other}"))?));
                }
            }
            return Ok(cuts);
        }
        match word.split_once("<->") {
            Some((a, b)) => Ok(vec![Self::BothWays(Path::parse(&format!("{a}->{b}"))?)]),
            None => Ok(vec![Self::OneWay(Path::parse(word)?)]),
        }
    }

    fn parse_all(words: &mut Words<'_>) -> Result<Vec<Self>, Misread> {
        let mut cuts = Self::parse(words.next("a path")?)?;
        while let Some(word) = words.maybe() {
            cuts.extend(Self::parse(word)?);
        }
        Ok(cuts)
    }

    /// Whether the path from one node to another is meant.
    pub(super) fn matches(&self, from: NodeId, to: NodeId) -> bool {
        match self {
            Self::OneWay(path) => path.matches(from, to),
            Self::BothWays(path) => path.matches(from, to) || path.matches(to, from),
        }
    }
}

impl<P: Dialect> Order<P> {
    /// Reads one line.
    pub(super) fn parse(line: &str) -> Result<Self, Misread> {
        let mut words = Words::new(line);
        let wanted = if words.take("silent") {
            Some(Loudness::Silent)
        } else if words.take("quiet") {
            Some(Loudness::Quiet)
        } else if words.take("loud") {
            Some(Loudness::All)
        } else {
            None
        };
        let verb = words.next("a command")?;
        let deed = Deed::parse(verb, &mut words)?;
        words.end()?;
        let usual = match &deed {
            Deed::Advance { .. } => Loudness::Quiet,
            Deed::Settle => Loudness::Arrivals,
            _ => Loudness::All,
        };
        let loudness = match (wanted, &deed) {
            (Some(Loudness::All), Deed::Advance { .. }) => Loudness::Arrivals,
            (Some(wanted), _) => wanted,
            (None, _) => usual,
        };
        Ok(Self { loudness, deed })
    }
}

impl<P: Dialect> Deed<P> {
    fn parse(verb: &str, words: &mut Words<'_>) -> Result<Self, Misread> {
        if let Some(asks) = P::ask(verb, words)? {
            return Ok(Self::Ask(asks));
        }
        if let Some(view) = P::view(verb) {
            return Ok(Self::Show(view, words.maybe_nodes()?));
        }
        match verb {
            "start" => {
                let down = words.named("down").map(Words::parse_nodes).transpose()?.unwrap_or_default();
                let stores = words.named("stores").map(Words::parse_switch).transpose()?;
                let stores = if stores == Some(true) { Stores::Named } else { Stores::Nameless };
                Ok(Self::Start { configs: P::start(words)?, down, stores })
            }
            "settle" => Ok(Self::Settle),
            "advance" => {
                let time = words.duration()?;
                let aim = words.take("until").then(|| P::aim(words)).transpose()?;
                Ok(Self::Advance { time, aim })
            }
            "conclude" => Ok(Self::Conclude),
            "disks" => Ok(Self::ShowDisks(words.maybe_nodes()?)),
            "messages" => Ok(Self::ShowMessages(Selection::parse(words, P::KINDS)?)),
            "paths" => Ok(Self::ShowPaths),
            "delay" | "deliver" | "drop" | "hold" | "release" | "cut" | "heal" | "isolate" | "link" => {
                Self::parse_wire(verb, words)
            }
            "crash" | "restart" | "wipe" | "pause" | "resume" | "disk" | "application" | "snapshots" => {
                Self::parse_node(verb, words)
            }
            _ => Err(Misread::Not { wanted: "command", word: verb.to_owned() }),
        }
    }

    fn parse_wire(verb: &str, words: &mut Words<'_>) -> Result<Self, Misread> {
        match verb {
            "delay" => Ok(Self::Delay(words.duration()?)),
            "deliver" => {
                let manner = if words.take("copy") {
                    Manner::Copied
                } else if words.take("reversed") {
                    Manner::Reversed
                } else {
                    Manner::InOrder
                };
                Ok(Self::Deliver(Selection::parse(words, P::KINDS)?, manner))
            }
            "drop" => Ok(Self::Drop(Selection::parse(words, P::KINDS)?)),
            "hold" => Ok(Self::Hold(Selection::parse(words, P::KINDS)?)),
            "release" if words.end().is_ok() => Ok(Self::Release(None)),
            "release" => Ok(Self::Release(Some(Selection::parse(words, P::KINDS)?))),
            "cut" => Ok(Self::Cut(Cut::parse_all(words)?)),
            "heal" if words.end().is_ok() => Ok(Self::Heal(Cut::parse("all")?)),
            "heal" => Ok(Self::Heal(Cut::parse_all(words)?)),
            "isolate" => {
                let nodes = words.next("a node")?;
                Words::parse_nodes(nodes)?;
                Ok(Self::Cut(Cut::parse(&format!("{nodes}<->"))?))
            }
            _ => {
                let (a, b) = (words.node()?, words.node()?);
                match words.next("up or down")? {
                    "up" => Ok(Self::Link(a, b, Link::Up)),
                    "down" => Ok(Self::Link(a, b, Link::Down)),
                    word => {
                        Err(Misread::Not { wanted: "state of a link (up or down)", word: word.to_owned() })
                    }
                }
            }
        }
    }

    fn parse_node(verb: &str, words: &mut Words<'_>) -> Result<Self, Misread> {
        let node = words.node()?;
        match verb {
            "crash" => {
                let writes = match words.named("keep") {
                    None | Some("none") => 0,
                    Some("all") => usize::MAX,
                    Some(count) => Words::parse_number(count)? as usize,
                };
                let records = words.named("torn").map(Words::parse_number).transpose()?.unwrap_or(0) as usize;
                Ok(Self::Crash { node, writes, records })
            }
            "restart" => {
                let mut settings = Vec::new();
                while let Some((name, value)) = words.option() {
                    settings.push((name.to_owned(), value.to_owned()));
                }
                Ok(Self::Restart { node, settings })
            }
            "wipe" if words.take("noticed") => Ok(Self::Wipe(node, Loss::Noticed)),
            "wipe" => Ok(Self::Wipe(node, Loss::Unnoticed)),
            "pause" => Ok(Self::Pause(node)),
            "resume" => Ok(Self::Resume(node)),
            "disk" => Ok(Self::Disk(node, Disk::parse(words)?)),
            "application" => match words.next("hold or go")? {
                "hold" => Ok(Self::Application(node, Gate::Hold)),
                "go" => Ok(Self::Application(node, Gate::Go)),
                word => Err(Misread::Not { wanted: "order (hold or go)", word: word.to_owned() }),
            },
            _ => match words.next("hold, go or fail")? {
                "hold" => Ok(Self::Snapshots(node, Snapshots::Hold)),
                "go" => Ok(Self::Snapshots(node, Snapshots::Go)),
                "fail" => Ok(Self::Snapshots(node, Snapshots::Fail)),
                word => Err(Misread::Not { wanted: "order (hold, go or fail)", word: word.to_owned() }),
            },
        }
    }
}

impl Disk {
    fn parse(words: &mut Words<'_>) -> Result<Self, Misread> {
        match words.next("hold, go, sync, fail, fill or free")? {
            "hold" => Ok(Self::Hold),
            "go" => Ok(Self::Go),
            "sync" => {
                let count = words.maybe().map(Words::parse_number).transpose()?;
                Ok(Self::Sync(count.map_or(usize::MAX, |count| count as usize)))
            }
            "fail" => Ok(Self::Fail),
            "fill" => Ok(Self::Fill),
            "free" => Ok(Self::Free),
            word => Err(Misread::Not {
                wanted: "order to a disk (hold, go, sync, fail, fill or free)",
                word: word.to_owned(),
            }),
        }
    }
}
