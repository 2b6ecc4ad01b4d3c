//! How each command is done.

use std::collections::BTreeSet;

use crate::protocol::Input;
use crate::sim::scenario::deed::{Cut, Deed, Disk, Gate, Link, Manner, Order, Snapshots, Stores};
use crate::sim::scenario::dialect::Dialect;
use crate::sim::scenario::misread::Misread;
use crate::sim::scenario::selection::Selection;
use crate::sim::scenario::stage::{Stage, write_in_words};
use crate::types::{LogIndex, NodeId, Timestamp};

impl<P: Dialect> Stage<P> {
    /// Does what a line says, and what the machines have to do at once because of it.
    pub(super) fn perform(&mut self, order: Order<P>) -> Result<(), Misread> {
        self.story.loudness = order.loudness;
        match order.deed {
            Deed::Start { configs, down, stores } => self.start(configs, &down, stores)?,
            Deed::Settle => self.settle(Timestamp::NEVER)?,
            Deed::Advance { time, aim } => {
                let reached = self.advance(time, aim.as_ref())?;
                if aim.is_some() && !reached {
                    self.story.say(format!("not within {time:?}"));
                }
            }
            Deed::Delay(delay) => self.wire.delay = delay,
            Deed::Deliver(selection, manner) => self.deliver_chosen(&selection, manner)?,
            Deed::Drop(selection) => self.drop_chosen(&selection),
            Deed::Hold(selection) => self.wire.hold(selection),
            Deed::Release(selection) => {
                if !self.wire.release(selection.as_ref()) {
                    self.story.say("nothing was held like that".to_owned());
                }
            }
            Deed::Cut(cuts) => self.for_each_path(&cuts, |wire, from, to| wire.cut(from, to)),
            Deed::Heal(cuts) => self.for_each_path(&cuts, |wire, from, to| wire.heal(from, to)),
            Deed::Link(a, b, link) => self.tell_ends(a, b, link)?,
            Deed::Crash { node, writes, records } => self.crash(node, writes, records)?,
            Deed::Restart { node, settings } => self.restart(node, &settings)?,
            Deed::Wipe(node, loss) => self.dead(node).map(|at| self.replace_disk(at, loss))?,
            Deed::Pause(node) => self.living(node).map(|at| self.seats[at].is_paused = true)?,
            Deed::Resume(node) => self.living(node).map(|at| self.seats[at].is_paused = false)?,
            Deed::Disk(node, disk) => self.treat_disk(node, disk)?,
            Deed::Application(node, gate) => {
                let at = self.living(node)?;
                self.seats[at].application_is_held = gate == Gate::Hold;
            }
            Deed::Snapshots(node, snapshots) => {
                let at = self.living(node)?;
                self.seats[at].snapshots_are_held = snapshots == Snapshots::Hold;
                self.seats[at].snapshots_fail = snapshots == Snapshots::Fail;
            }
            Deed::Ask(asks) => {
                for ask in asks {
                    let at = self.active(ask.node)?;
                    self.ask(at, ask.label, ask.command);
                }
            }
            Deed::Show(view, nodes) => self.show(nodes.as_ref(), |node| P::show(&view, node))?,
            Deed::ShowDisks(nodes) => self.show(nodes.as_ref(), disk_in_words)?,
            Deed::ShowMessages(selection) => self.show_messages(&selection),
            Deed::ShowPaths => {
                for path in std::mem::take(&mut self.paths) {
                    self.story.say(path.to_owned());
                }
            }
            Deed::Conclude => self.finish(),
        }
        self.drain()
    }

    fn start(
        &mut self,
        configs: Vec<P::Config>,
        down: &BTreeSet<NodeId>,
        stores: Stores,
    ) -> Result<(), Misread> {
        if !self.nodes.is_empty() {
            return Err(Misread::StartedBefore);
        }
        self.populate(configs, stores);
        for &node in down {
            self.position(node)?;
        }
        for at in 0..self.nodes.len() {
            if !down.contains(&self.nodes[at].id) {
                self.boot(at);
            }
        }
        Ok(())
    }

    fn deliver_chosen(&mut self, selection: &Selection, manner: Manner) -> Result<(), Misread> {
        let mut places = self.wire.find(selection);
        let receivers = places.iter().filter_map(|&place| self.wire.at(place)).map(|parcel| parcel.to);
        if let Some(paused) = receivers.into_iter().find(|&node| self.is_paused(node)) {
            return Err(Misread::Paused(paused));
        }
        if places.is_empty() {
            self.story.say("no such message is in flight".to_owned());
        }
        if manner == Manner::Copied {
            let copies: Vec<_> = places.iter().filter_map(|&place| self.wire.at(place).cloned()).collect();
            copies.into_iter().for_each(|parcel| self.deliver(parcel));
            return Ok(());
        }
        // From the last place to the first, so that places stay what they are.
        places.reverse();
        let mut parcels: Vec<_> = places.into_iter().filter_map(|place| self.wire.take(place)).collect();
        if manner == Manner::InOrder {
            parcels.reverse();
        }
        parcels.into_iter().for_each(|parcel| self.deliver(parcel));
        Ok(())
    }

    fn drop_chosen(&mut self, selection: &Selection) {
        let mut places = self.wire.find(selection);
        if places.is_empty() {
            self.story.say("no such message is in flight".to_owned());
        }
        places.reverse();
        let mut parcels: Vec<_> = places.into_iter().filter_map(|place| self.wire.take(place)).collect();
        parcels.reverse();
        parcels.into_iter().for_each(|parcel| self.lose(parcel, "dropped"));
    }

    fn for_each_path(
        &mut self,
        cuts: &[Cut],
        deed: impl Fn(&mut crate::sim::scenario::wire::Wire<P>, NodeId, NodeId),
    ) {
        let ids: Vec<NodeId> = self.nodes.iter().map(|node| node.id).collect();
        for (&from, &to) in ids.iter().flat_map(|from| ids.iter().map(move |to| (from, to))) {
            if from != to && cuts.iter().any(|cut| cut.matches(from, to)) {
                deed(&mut self.wire, from, to);
            }
        }
    }

    fn tell_ends(&mut self, a: NodeId, b: NodeId, link: Link) -> Result<(), Misread> {
        self.session = match link {
            Link::Up => self.session.next(),
            Link::Down => self.session,
        };
        for (node, peer) in [(a, b), (b, a)] {
            let at = self.position(node)?;
            let input = match link {
                Link::Up => Input::Reachable { peer, session: self.session },
                Link::Down => Input::Unreachable { peer },
            };
            self.input(at, input);
            let process = self.nodes[at].process.as_mut().filter(|_| link == Link::Down);
            if process.is_some_and(|process| process.watched.remove(&peer)) {
                self.input(at, Input::Suspected { peer });
            }
        }
        Ok(())
    }

    fn crash(&mut self, node: NodeId, writes: usize, records: usize) -> Result<(), Misread> {
        let at = self.living(node)?;
        self.kill(at, writes, records);
        Ok(())
    }

    fn restart(&mut self, node: NodeId, settings: &[(String, String)]) -> Result<(), Misread> {
        let at = self.dead(node)?;
        for (name, value) in settings {
            P::tune(&mut self.nodes[at].config, name, value)?;
        }
        self.boot(at);
        Ok(())
    }

    fn treat_disk(&mut self, node: NodeId, disk: Disk) -> Result<(), Misread> {
        let at = self.position(node)?;
        match disk {
            Disk::Hold => self.seats[at].disk_is_held = true,
            Disk::Go => self.seats[at].disk_is_held = false,
            Disk::Sync(writes) => {
                self.active(node)?;
                if self.nodes[at].disk.waiting().len() > 0 {
                    self.sync(at, writes);
                } else {
                    self.story.say("no write waits".to_owned());
                }
            }
            Disk::Fail => self.nodes[at].disk.fail_next_sync(),
            Disk::Fill | Disk::Free => {
                self.nodes[at].disk.fill(disk == Disk::Fill);
                self.input(at, Input::Space { available: disk == Disk::Free });
            }
        }
        Ok(())
    }

    fn show(
        &mut self,
        nodes: Option<&BTreeSet<NodeId>>,
        words: impl Fn(&crate::sim::node::Node<P, crate::sim::scenario::page::Page>) -> String,
    ) -> Result<(), Misread> {
        for &node in nodes.into_iter().flatten() {
            self.position(node)?;
        }
        for node in self.nodes.iter().filter(|node| nodes.is_none_or(|nodes| nodes.contains(&node.id))) {
            self.story.say(format!("{:?} {}", node.id, words(node)));
        }
        Ok(())
    }

    fn show_messages(&mut self, selection: &Selection) {
        for place in self.wire.find(selection) {
            let Some(parcel) = self.wire.at(place) else { continue };
            let held = if self.wire.is_held(parcel) { " (held)" } else { "" };
            self.story.say(format!("{:?} -> {:?} {}{held}", parcel.from, parcel.to, parcel.words()));
        }
    }

    fn living(&self, node: NodeId) -> Result<usize, Misread> {
        let at = self.position(node)?;
        if self.nodes[at].is_up() { Ok(at) } else { Err(Misread::Down(node)) }
    }

    /// A living node that is not paused.
    fn active(&self, node: NodeId) -> Result<usize, Misread> {
        let at = self.living(node)?;
        if self.seats[at].is_paused { Err(Misread::Paused(node)) } else { Ok(at) }
    }

    fn dead(&self, node: NodeId) -> Result<usize, Misread> {
        let at = self.position(node)?;
        if self.nodes[at].is_up() { Err(Misread::Up(node)) } else { Ok(at) }
    }
}

fn disk_in_words<P: Dialect>(node: &crate::sim::node::Node<P, crate::sim::scenario::page::Page>) -> String {
    let image = node.disk().durable();
    let mut parts: Vec<String> = image.recover().cells.iter().map(P::record).collect();
    if let Some(snapshot) = image.snapshot() {
        parts.push(format!("snapshot {}@{}", snapshot.meta.index, snapshot.meta.term));
    }
    let entries = (image.base().0 + 1..=image.last_index().0).map(LogIndex);
    parts.extend(entries.filter_map(|index| image.entry(index)).map(P::record));
    let held = if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") };
    let waiting: Vec<String> = node.disk().waiting().map(write_in_words).collect();
    let broken = if node.disk().has_failed() { "; it has failed" } else { "" };
    match waiting.is_empty() {
        true => format!("has on disk {held}{broken}"),
        false => format!("has on disk {held}; not synced: {}{broken}", waiting.join("; ")),
    }
}
