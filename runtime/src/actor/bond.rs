//! Bonds: two actors, of one node or of two, that share their end. Erlang's links.
//!
//! No frames of its own: each node holds the half of its own actor, and asks the other node's binder to hold the other one.

use actix::Recipient;
use synod_transport::PeerName;

use super::binder::{Bind, Binder, Binding, Loosen, Party, name_on};
use super::bond_half::{Bound, hold, is_over};
use super::bonds::Half;
use super::factory::Scope;
use super::interface::Interface;
use super::lookup::LookupError;
use super::reference::ActorRef;
use super::spawn::SpawnError;
use super::system::ActorSystem;
use super::target::Target;
use super::terminated::{BondEnded, CutOff, Reason, Terminated};
use crate::error::AskError;

/// Why two actors were not bound, or not loosened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BondError {
    /// Neither is an actor of this process. Nothing has changed.
    #[error("neither of the two is an actor of this node")]
    NotHere,
    /// The one of this node has ended. The other one's half, if there is one, finds that out.
    #[error("the actor of this node has ended")]
    Ended,
    /// The other one's node could not be asked. Its half is as it was before.
    #[error("the other actor's node cannot be asked: {0}")]
    Unreachable(#[from] LookupError),
    /// The other one's node did not answer as it should. When the outcome is unknown, its half may be held, and may not: doing it
    /// again settles that.
    #[error("the other actor's node did not do it: {0}")]
    Refused(#[from] AskError),
    /// One of the two nodes holds as many bonds as it may.
    #[error("there are too many bonds")]
    TooMany,
}

impl ActorSystem {
    /// Lets other nodes bind their actors to those of this one. A `Node` does so when it starts.
    ///
    /// # Errors
    /// [`SpawnError`]; others bind nobody then.
    pub async fn open_bonds(&self) -> Result<(), SpawnError> {
        self.spawn(name_on(self.name()), Binder::new).await.map(|_| ())
    }

    /// Binds two actors, at least one of them of this node: when one ends otherwise than in order ([`Reason::is_orderly`]), the
    /// other one is ended with [`Reason::Bonded`], or told if it listens ([`Scope::hear_bonds`]). Doing it again changes
    /// nothing. When the other one is dead already, the one of this node is ended, or told, at once.
    ///
    /// # Errors
    /// [`BondError`]: the one of this node is not bound.
    pub async fn bond<I: Interface, J: Interface>(
        &self,
        one: &ActorRef<I>,
        other: &ActorRef<J>,
        cut_off: CutOff,
    ) -> Result<(), BondError> {
        let core = &self.core;
        let half = self.half(one.target(), other.target())?;
        let Ok(feed) = core.registry.find(half.own) else { return Err(BondError::Ended) };
        let there = if half.other.is_of(core.name(), core.incarnation()) {
            hold(core, self.counterpart(&half), cut_off)
        } else if is_over(core, &half.other) {
            Bound::Gone
        } else {
            let (here, there) = self.parties(&half);
            self.binder(&half.other.node).await?.ask(Bind { here, there, cut_off }).await?
        };
        match there {
            Bound::Held => match hold(core, half, cut_off) {
                Bound::Held => Ok(()),
                Bound::Gone => Err(BondError::Ended),
                Bound::Full => Err(BondError::TooMany),
            },
            Bound::Gone => {
                let end = Terminated { reason: Reason::Gone, incarnation: half.other.incarnation };
                feed.bond_ended(half.other.ended(end));
                Ok(())
            }
            Bound::Full => Err(BondError::TooMany),
        }
    }

    /// Undoes what [`ActorSystem::bond`] did: from here on neither hears of the other's end. Doing it again changes nothing.
    ///
    /// # Errors
    /// [`BondError`]: the one of this node is loosened all the same, unless neither is of this node.
    pub async fn unbond<I: Interface, J: Interface>(
        &self,
        one: &ActorRef<I>,
        other: &ActorRef<J>,
    ) -> Result<(), BondError> {
        let core = &self.core;
        let half = self.half(one.target(), other.target())?;
        core.bonds.leave(&half);
        if half.other.is_of(core.name(), core.incarnation()) {
            core.bonds.leave(&self.counterpart(&half));
        } else if !is_over(core, &half.other) {
            let (here, there) = self.parties(&half);
            self.binder(&half.other.node).await?.ask(Loosen { here, there }).await?;
        }
        Ok(())
    }

    /// The two, as this node sees them.
    fn half(&self, one: &Target, other: &Target) -> Result<Half, BondError> {
        let here = |target: &Target| target.is_of(self.core.name(), self.core.incarnation());
        if here(one) {
            Ok(Half { own: one.actor, other: other.clone() })
        } else if here(other) {
            Ok(Half { own: other.actor, other: one.clone() })
        } else {
            Err(BondError::NotHere)
        }
    }

    /// The same bond from the other side.
    fn counterpart(&self, half: &Half) -> Half {
        let core = &self.core;
        let own = Target { node: core.name().clone(), incarnation: core.incarnation(), actor: half.own };
        Half { own: half.other.actor, other: own }
    }

    /// The same, for the other node: its own actor first.
    fn parties(&self, half: &Half) -> (Party, Party) {
        (Party::of(&half.other), Party::of(&self.counterpart(half).other))
    }

    async fn binder(&self, node: &PeerName) -> Result<ActorRef<Binding>, LookupError> {
        self.lookup(&name_on(node)).await
    }
}

impl Scope {
    /// From here on this actor is told when one to which it is bound ends, in whatever way, and is not ended itself. Erlang's
    /// `trap_exit`.
    pub fn hear_bonds(&self, ear: Recipient<BondEnded>) {
        // An actor that has ended hears nothing.
        if let Ok(feed) = self.system.core.registry.find(self.own.actor) {
            feed.signals.hear(Box::new(move |ended| ear.do_send(ended)));
        }
    }
}

impl BondEnded {
    /// Whether it was this one that ended.
    #[must_use]
    pub fn is_of<I: Interface>(&self, reference: &ActorRef<I>) -> bool {
        reference.target().ended(self.terminated) == *self
    }
}
