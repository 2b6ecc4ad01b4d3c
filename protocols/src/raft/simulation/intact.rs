//! Which disks a Raft group needs: in every configuration that is or may come into force, a quorum is on the disks it names.
//!
//! The fault model, and by the same rule the smallest core that has to be able to go on.

use std::collections::BTreeSet;

use crate::quorum::{Joint, Tally};
use crate::raft::membership::voting;
use crate::raft::{Membership, Raft};
use crate::sim::{Holder, Lists, World};
use crate::types::NodeId;

/// Whether every configuration keeps a quorum of intact disks without this node's, and each of them knows this disk by name, so that
/// another one in its place is noticed. Beside a witness no data can be spared: nobody else may have what both acknowledged.
pub(super) fn can_spare(node: NodeId, holders: &[Holder<Raft>]) -> bool {
    let others: BTreeSet<_> = holders.iter().map(|holder| holder.node).filter(|&it| it != node).collect();
    let named = |membership: &Membership| membership.member(node).is_none_or(|member| member.store.is_some());
    let spared = |membership: &Membership| {
        let witnessed = membership.members().values().any(|member| !member.duty.holds_data());
        !witnessed || membership.member(node).is_none_or(|member| !member.duty.holds_data())
    };
    holders.iter().all(|holder| {
        let machine = &holder.machine;
        let founders = Membership::founding(&machine.config.voters, &machine.config.witnesses);
        // Whoever starts without a memory takes the founding configuration for the one in force.
        let founding = machine.config.voters.is_empty() || decides(&founders, &others, holders);
        // After a crash it knows what its disk has, and that may be a configuration from before disks were named.
        let stored = &holder.stored;
        let known = machine.commit.min(stored.log.last().index);
        let later = stored.configurations.possible(known);
        let mut possible = machine.configurations.possible(machine.commit).chain(later);
        founding && possible.all(|(_, it)| named(it) && spared(it) && decides(it, &others, holders))
    })
}

/// The first nodes of `order`, as few as make a quorum of every configuration that is or may come into force.
pub(super) fn least_core(world: &World<Raft, Lists>, order: &[NodeId]) -> BTreeSet<NodeId> {
    let holders = world.holders();
    let mut core = BTreeSet::new();
    for &node in order {
        core.insert(node);
        let enough = holders.iter().all(|holder| {
            let machine = &holder.machine;
            machine.configurations.possible(machine.commit).all(|(_, it)| decides(it, &core, &holders))
        });
        if enough {
            break;
        }
    }
    core
}

/// Whether these nodes can decide by a configuration, and by the one it leads to, with the disks they have.
fn decides(membership: &Membership, nodes: &BTreeSet<NodeId>, holders: &[Holder<Raft>]) -> bool {
    let counts = |voter: NodeId| {
        let holder = holders.iter().find(|holder| holder.node == voter && nodes.contains(&voter));
        let store = membership.member(voter).map(|member| member.store);
        holder.is_some_and(|holder| match store {
            Some(Some(store)) => store == holder.store,
            Some(None) => !holder.lost,
            // Whoever is to join has promised nothing.
            None => true,
        })
    };
    let wins = |quorum: &Joint| quorum.tally(|voter| Some(counts(voter))) == Tally::Won;
    // A node that nobody has taken in knows no group.
    let knows_none = membership.members().is_empty();
    let goal = membership.goal().map(|goal| Joint::new(voting(goal), None));
    knows_none || wins(membership.quorum()) && goal.is_none_or(|goal| wins(&goal))
}
