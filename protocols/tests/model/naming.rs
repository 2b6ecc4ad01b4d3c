//! Exchanging the names of nodes: states that differ in nothing else count as one.

use synod_protocols::NodeId;

/// A permutation of the nodes 1 to n.
#[derive(Clone, Debug)]
pub(crate) struct Renaming(Vec<u64>);

impl Renaming {
    /// What a node is called instead.
    pub(crate) fn of(&self, id: NodeId) -> NodeId {
        NodeId(self.0[id.0 as usize - 1])
    }

    /// Every permutation of `nodes` nodes in which those up to `fixed` keep their names.
    pub(crate) fn all(nodes: u64, fixed: u64) -> Vec<Self> {
        let mut all = Vec::new();
        extend(&mut (1..=fixed).collect(), nodes, &mut all);
        all
    }
}

fn extend(names: &mut Vec<u64>, nodes: u64, all: &mut Vec<Renaming>) {
    if names.len() as u64 == nodes {
        all.push(Renaming(names.clone()));
        return;
    }
    for name in 1..=nodes {
        if !names.contains(&name) {
            names.push(name);
            extend(names, nodes, all);
            names.pop();
        }
    }
}

#[test]
fn every_order_of_the_nodes_is_a_renaming() {
    assert_eq!(Renaming::all(3, 0).len(), 6);
    let kept: Vec<_> = Renaming::all(4, 2).iter().map(|it| it.0.clone()).collect();
    assert_eq!(kept, [vec![1, 2, 3, 4], vec![1, 2, 4, 3]]);
}
