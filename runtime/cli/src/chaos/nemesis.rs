//! Carries acts out on the cluster and takes them back, and keeps account of what came of each.

use std::thread;
use std::time::{Duration, Instant};

use synod::protocols::prng::Prng;

use super::act::{Act, Aim, Ways};
use super::card::{Entry, Fortune};
use super::cluster::Cluster;
use super::damage::Damage;
use super::recorder::{MarkId, Recorder};
use super::schedule::shuffle;
use super::small_disk::SmallDisk;
use crate::failure::Failure;

/// How long a node with a damaged log may take to say so, or to be well.
const VERDICT: Duration = Duration::from_secs(15);
const LOOK: Duration = Duration::from_millis(50);
const CORRUPTIONS: &str = "synod_log_corruptions_total";

/// The one who makes faults.
pub(super) struct Nemesis<'a> {
    pub(super) recorder: &'a Recorder,
    pub(super) prng: Prng,
    /// The node on the small disk, or why there is none.
    pub(super) small_disk: Result<(usize, SmallDisk), String>,
    pub(super) entries: Vec<Entry>,
}

/// An act under way.
pub(super) struct Active {
    entry: usize,
    undo: Undo,
}

/// What has to be taken back.
enum Undo {
    Restart(Vec<usize>),
    Resume(Vec<usize>),
    Clear { struck: u64 },
    Empty(usize),
    Mend(usize, Damage),
    Nothing,
}

impl Nemesis<'_> {
    /// Begins an act.
    ///
    /// # Errors
    /// When the cluster is beyond help.
    pub(super) fn begin(&mut self, cluster: &mut Cluster, act: &Act) -> Result<Active, Failure> {
        let (words, undo, fortune) = match act {
            Act::Kill(aim) => {
                let targets = self.targets(cluster, *aim);
                targets.iter().for_each(|&node| cluster.kill(node));
                (Self::names(cluster, &targets), Undo::Restart(targets), self.installed())
            }
            Act::Pause(aim) => {
                let targets = self.targets(cluster, *aim);
                targets.iter().for_each(|&node| cluster.pause(node));
                (Self::names(cluster, &targets), Undo::Resume(targets), self.installed())
            }
            Act::Weather(_, ways, weather) => {
                let (struck, pairs) = (cluster.proxy.struck(), self.pairs(cluster, *ways));
                cluster.proxy.set(&pairs, *weather);
                let words: Vec<String> =
                    pairs.iter().map(|(from, to)| format!("{}>{}", from + 1, to + 1)).collect();
                (words.join(" "), Undo::Clear { struck }, self.installed())
            }
            Act::DiskFull => self.fill(cluster)?,
            Act::Corrupt => self.corrupt(cluster),
        };
        self.recorder.note(act.fault().name(), &format!("{act}: {words}"));
        self.entries.push(Entry { fault: act.fault(), words: format!("{act}: {words}"), fortune });
        Ok(Active { entry: self.entries.len() - 1, undo })
    }

    /// Takes an act back.
    ///
    /// # Errors
    /// When the cluster is beyond help.
    pub(super) fn end(&mut self, cluster: &mut Cluster, active: Active) -> Result<(), Failure> {
        let fault = self.entries[active.entry].fault;
        let fortune = match active.undo {
            Undo::Nothing => return Ok(()),
            Undo::Restart(targets) => {
                for node in targets {
                    cluster.restart(node)?;
                }
                None
            }
            Undo::Resume(targets) => {
                targets.iter().for_each(|&node| cluster.resume(node));
                None
            }
            Undo::Clear { struck } => {
                cluster.proxy.clear();
                (cluster.proxy.struck() == struck)
                    .then(|| Fortune::Idle("no datagram came that way".to_owned()))
            }
            Undo::Empty(node) => self.empty(cluster, node)?,
            Undo::Mend(node, damage) => {
                Some(Self::mend(cluster, node, &damage, self.entries[active.entry].mark())?)
            }
        };
        if let Some(fortune) = fortune {
            self.entries[active.entry].fortune = fortune;
        }
        self.recorder.note(fault.name(), "over");
        Ok(())
    }

    fn installed(&self) -> Fortune {
        Fortune::Installed { mark: self.recorder.mark(), finding: None }
    }

    /// Kills the node on the small disk, takes the room away, and starts it again.
    fn fill(&mut self, cluster: &mut Cluster) -> Result<(String, Undo, Fortune), Failure> {
        let (node, disk) = match &self.small_disk {
            Ok((node, disk)) => (*node, disk),
            Err(reason) => return Ok((String::new(), Undo::Nothing, Fortune::Skipped(reason.clone()))),
        };
        cluster.kill(node);
        let filled = disk.fill();
        cluster.restart(node)?;
        let fortune = match filled {
            Ok(()) => self.installed(),
            Err(reason) => Fortune::Skipped(reason),
        };
        Ok((cluster.places[node].name.clone(), Undo::Empty(node), fortune))
    }

    /// Gives the room back. A node that kept up with the others meanwhile had no need of any.
    fn empty(&self, cluster: &Cluster, node: usize) -> Result<Option<Fortune>, Failure> {
        let Ok((_, disk)) = &self.small_disk else { return Ok(None) };
        let committed =
            (0..cluster.nodes()).filter_map(|node| Some(cluster.status(node)?.commit_index)).max();
        let lags = cluster.status(node).is_none_or(|status| Some(status.applied_index) < committed);
        disk.empty().map_err(|reason| Failure::new(format!("the small disk stays full: {reason}")))?;
        Ok((!lags).then(|| Fortune::Idle("the node kept up all the same".to_owned())))
    }

    /// Kills a follower and damages its log.
    fn corrupt(&mut self, cluster: &mut Cluster) -> (String, Undo, Fortune) {
        let leader = cluster.leader();
        let mut nodes: Vec<usize> = (0..cluster.nodes()).filter(|&node| Some(node) != leader).collect();
        shuffle(&mut nodes, &mut self.prng);
        let Some(&node) = nodes.first() else {
            let reason = "there is no follower".to_owned();
            return (reason.clone(), Undo::Nothing, Fortune::Skipped(reason));
        };
        cluster.kill(node);
        let place = &cluster.places[node];
        match Damage::strike(&place.data()) {
            Ok(damage) => {
                let words = format!("{}, byte {} of {}", place.name, damage.offset, damage.path.display());
                (words, Undo::Mend(node, damage), self.installed())
            }
            Err(reason) => (place.name.clone(), Undo::Restart(vec![node]), Fortune::Skipped(reason)),
        }
    }

    /// Starts the damaged node, and sees what it makes of that.
    fn mend(
        cluster: &mut Cluster,
        node: usize,
        damage: &Damage,
        mark: Option<MarkId>,
    ) -> Result<Fortune, Failure> {
        cluster.restart(node)?;
        let deadline = Instant::now() + VERDICT;
        while Instant::now() < deadline {
            if let Some(words) = cluster.ended(node) {
                damage.undo().map_err(|error| Failure::at(&damage.path, "put the byte back", error))?;
                cluster.restart(node)?;
                let finding = format!("it refused to start ({words}); the byte was put back by hand");
                return Ok(Fortune::found(mark, finding));
            }
            if cluster.status(node).is_some() {
                return Ok(match cluster.counter(node, CORRUPTIONS) {
                    Some(count) if count > 0 => {
                        Fortune::found(mark, "it noticed and went on without what was damaged".to_owned())
                    }
                    Some(_) | None => Fortune::Unnoticed(format!(
                        "it started and counts no damage at byte {} of {}",
                        damage.offset,
                        damage.path.display()
                    )),
                });
            }
            thread::sleep(LOOK);
        }
        Ok(Fortune::Unnoticed(format!("it said nothing within {VERDICT:?}")))
    }

    fn targets(&mut self, cluster: &Cluster, aim: Aim) -> Vec<usize> {
        let mut nodes = self.shuffled(cluster);
        match aim {
            Aim::Leader => vec![cluster.leader().unwrap_or(nodes[0])],
            Aim::Some(count) => {
                nodes.truncate(count);
                nodes
            }
            Aim::All => nodes,
        }
    }

    fn pairs(&mut self, cluster: &Cluster, ways: Ways) -> Vec<(usize, usize)> {
        let leader = cluster.leader();
        ways.pairs(&self.shuffled(cluster), leader)
    }

    fn shuffled(&mut self, cluster: &Cluster) -> Vec<usize> {
        let mut nodes: Vec<usize> = (0..cluster.nodes()).collect();
        shuffle(&mut nodes, &mut self.prng);
        nodes
    }

    fn names(cluster: &Cluster, nodes: &[usize]) -> String {
        nodes.iter().map(|&node| cluster.places[node].name.as_str()).collect::<Vec<_>>().join(" ")
    }
}
