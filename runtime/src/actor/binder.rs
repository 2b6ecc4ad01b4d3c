//! The actor of each node that other nodes ask to hold and to loosen halves of bonds there.
//!
//! It does not ask who asks: members trust each other with the ends of their actors.

use actix::{Actor, Context, Handler, Message};
use serde::{Deserialize, Serialize};
use synod_macros::{Remote, Wire, interface};
use synod_transport::PeerName;

use super::bond_half::{Bound, hold};
use super::bonds::Half;
use super::factory::Scope;
use super::target::Target;
use super::terminated::CutOff;

/// Hold the half of the actor `here`, which is the receiver's, bound to the actor `there`.
#[derive(Message, Wire, Serialize, Deserialize)]
#[rtype(result = "Bound")]
#[wire(id = "synod.bond.Bind")]
pub(crate) struct Bind {
    pub(crate) here: Party,
    pub(crate) there: Party,
    pub(crate) cut_off: CutOff,
}

/// Hold that half no longer.
#[derive(Message, Wire, Serialize, Deserialize)]
#[rtype(result = "()")]
#[wire(id = "synod.bond.Loosen")]
pub(crate) struct Loosen {
    pub(crate) here: Party,
    pub(crate) there: Party,
}

/// An actor, whatever its interfaces.
#[derive(Wire, Serialize, Deserialize)]
pub(crate) struct Party {
    node: String,
    incarnation: u64,
    actor: u64,
}

interface!(pub(crate) Binding = "synod.bond" { Bind, Loosen });

/// The actor.
#[derive(Remote)]
#[remote(Binding)]
pub(crate) struct Binder {
    scope: Scope,
}

/// The name of the actor on a node.
pub(crate) fn name_on(node: &PeerName) -> String {
    format!("synod/bonds/{node}")
}

impl Binder {
    pub(crate) fn new(scope: &Scope) -> Self {
        Self { scope: scope.clone() }
    }

    /// The half that is meant; `None` when it is of another process, or bound to nobody.
    fn half(&self, here: &Party, there: &Party) -> Option<Half> {
        let core = &self.scope.system.core;
        let (here, other) = (here.target()?, there.target()?);
        here.is_of(core.name(), core.incarnation()).then_some(Half { own: here.actor, other })
    }
}

impl Actor for Binder {
    type Context = Context<Self>;
}

impl Handler<Bind> for Binder {
    type Result = actix::MessageResult<Bind>;

    fn handle(&mut self, bind: Bind, _: &mut Context<Self>) -> Self::Result {
        let half = self.half(&bind.here, &bind.there);
        let bound = half.map_or(Bound::Gone, |half| hold(&self.scope.system.core, half, bind.cut_off));
        actix::MessageResult(bound)
    }
}

impl Handler<Loosen> for Binder {
    type Result = ();

    fn handle(&mut self, loosen: Loosen, _: &mut Context<Self>) {
        if let Some(half) = self.half(&loosen.here, &loosen.there) {
            self.scope.system.core.bonds.leave(&half);
        }
    }
}

impl Party {
    pub(crate) fn of(target: &Target) -> Self {
        Self { node: target.node.to_string(), incarnation: target.incarnation, actor: target.actor }
    }

    fn target(&self) -> Option<Target> {
        let node = PeerName::new(&self.node)?;
        Some(Target { node, incarnation: self.incarnation, actor: self.actor })
    }
}
