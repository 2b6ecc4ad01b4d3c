//! Every token is answered exactly once, unless its process dies or its disk fails (the contract of commands).

use std::collections::BTreeSet;

use crate::raft::Raft;
use crate::sim::{Happening, Invariant, Scene, Violation};
use crate::types::Token;

const NAME: &str = "answered once";

/// Remembers the open questions of each node's process.
#[derive(Clone, Debug, Default)]
pub struct AnsweredOnce {
    open: Vec<(u64, BTreeSet<Token>)>,
}

impl<A> Invariant<Raft, A> for AnsweredOnce {
    fn check(&mut self, scene: &Scene<'_, Raft, A>) -> Result<(), Violation> {
        self.open.resize(scene.nodes.len(), (0, BTreeSet::new()));
        let (life, open) = &mut self.open[scene.actor];
        if *life != scene.node().life() {
            *life = scene.node().life();
            open.clear();
        }
        for happening in scene.happenings {
            if let Happening::Asked(token) = happening {
                open.insert(*token);
            }
        }
        for answer in scene.answers {
            if !open.remove(&answer.token) {
                let details = format!("answers {:?}, which is not open: {:?}", answer.token, answer.reply);
                return Err(scene.violation(NAME, details));
            }
        }
        Ok(())
    }

    fn finish(&mut self, scene: &Scene<'_, Raft, A>) -> Result<(), Violation> {
        for (node, (life, open)) in scene.nodes.iter().zip(&self.open) {
            let forgotten = open.first().filter(|_| node.is_well() && node.life() == *life);
            if let Some(token) = forgotten {
                let details = format!("node {} never answered {token:?}", node.id());
                return Err(Violation { invariant: NAME, at: scene.now, node: Some(node.id()), details });
            }
        }
        Ok(())
    }
}
