//! Partial connectivity: networks of which only some paths are left, while a quorum still hears each other.
//!
//! The shapes by which leader-based protocols are known to stand still (OmniPaxos, Ng et al., EuroSys 2023, §2; the outage of
//! Cloudflare in November 2020). Arithmetic of pairs only; `inject.rs` cuts.

use std::fmt;

use crate::types::NodeId;

/// Which paths are left; roles are positions in an order of all nodes, the first of which may be the leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shape {
    /// The first node reaches only the second, which is one of a quorum that hears each other; the rest reach nobody.
    Bridge,
    /// A quorum hears each other, and the others each hear one of its first two nodes.
    Leaves,
    /// A quorum hears each other, and the others hang on it one behind the other.
    Chain,
    /// The first node is heard by all and hears nobody.
    Deaf,
    /// The first node hears all and is heard by nobody.
    Mute,
    /// A quorum hears each other and is heard by the others, which it does not hear.
    Audience,
}

impl Shape {
    /// Every shape.
    pub const ALL: [Self; 6] =
        [Self::Bridge, Self::Leaves, Self::Chain, Self::Deaf, Self::Mute, Self::Audience];

    /// The directed paths that are cut.
    #[must_use]
    pub fn cuts(self, order: &[NodeId]) -> Vec<(NodeId, NodeId)> {
        let paths = (0..order.len()).flat_map(|from| (0..order.len()).map(move |to| (from, to)));
        paths
            .filter(|&(from, to)| from != to && !self.is_left(order.len(), from, to))
            .map(|(from, to)| (order[from], order[to]))
            .collect()
    }

    /// The positions that hear each other, in both directions: a quorum of all nodes.
    #[must_use]
    pub fn core(self, nodes: usize) -> std::ops::Range<usize> {
        let quorum = nodes / 2 + 1;
        match self {
            Self::Leaves | Self::Chain | Self::Audience => 0..quorum,
            Self::Bridge => nodes.min(1)..nodes.min(quorum + 1),
            Self::Deaf | Self::Mute => nodes.min(1)..nodes,
        }
    }

    fn is_left(self, nodes: usize, from: usize, to: usize) -> bool {
        let core = self.core(nodes);
        if core.contains(&from) && core.contains(&to) {
            return true;
        }
        let (near, far) = (from.min(to), from.max(to));
        match self {
            Self::Bridge => (near, far) == (0, 1),
            Self::Leaves => near < 2 && near == far % 2,
            Self::Chain => far == near + 1,
            Self::Deaf => from == 0,
            Self::Mute => to == 0,
            Self::Audience => !core.contains(&to),
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bridge => "bridge",
            Self::Leaves => "leaves",
            Self::Chain => "chain",
            Self::Deaf => "deaf",
            Self::Mute => "mute",
            Self::Audience => "audience",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(shape: Shape, nodes: u64) -> Vec<(u64, u64)> {
        let order: Vec<_> = (1..=nodes).map(NodeId).collect();
        let cuts = shape.cuts(&order);
        let all = order.iter().flat_map(|&from| order.iter().map(move |&to| (from, to)));
        all.filter(|path| path.0 != path.1 && !cuts.contains(path)).map(|(from, to)| (from.0, to.0)).collect()
    }

    fn both_ways(pairs: &[(u64, u64)]) -> Vec<(u64, u64)> {
        let mut paths: Vec<_> = pairs.iter().flat_map(|&(one, other)| [(one, other), (other, one)]).collect();
        paths.sort_unstable();
        paths
    }

    #[test]
    fn five_nodes_keep_the_paths_of_the_literature() {
        assert_eq!(left(Shape::Bridge, 5), both_ways(&[(1, 2), (2, 3), (2, 4), (3, 4)]));
        assert_eq!(left(Shape::Leaves, 5), both_ways(&[(1, 2), (1, 3), (2, 3), (2, 4), (1, 5)]));
        assert_eq!(left(Shape::Chain, 3), both_ways(&[(1, 2), (2, 3)]));
        assert_eq!(left(Shape::Deaf, 3), [(1, 2), (1, 3), (2, 3), (3, 2)]);
        assert_eq!(left(Shape::Mute, 3), [(2, 1), (2, 3), (3, 1), (3, 2)]);
    }

    #[test]
    fn every_shape_leaves_a_quorum_that_hears_each_other() {
        for nodes in 3..=9 {
            for shape in Shape::ALL {
                let core = shape.core(nodes);
                assert!(core.len() > nodes / 2, "{shape} of {nodes}");
                let left = left(shape, nodes as u64);
                for (from, to) in core.clone().flat_map(|from| core.clone().map(move |to| (from, to))) {
                    assert!(from == to || left.contains(&(from as u64 + 1, to as u64 + 1)));
                }
            }
        }
    }
}
