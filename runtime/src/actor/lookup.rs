//! From a name to a reference: this node's own actors first, then all peers at once.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde::{Deserialize, Serialize};
use synod_transport::Peer;
use tokio::time::sleep;

use super::core::Core;
use super::interface::{Interface, key};
use super::reference::ActorRef;
use super::route::request;
use super::system::ActorSystem;
use super::target::Target;
use crate::cluster::Session;
use crate::wire::{Head, decode, encode_body};

/// Why a name gave no reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// This node and all its peers say that they have no such actor.
    #[error("no actor is called {0:?}")]
    NotFound(String),
    /// There is such an actor, and it serves other interfaces.
    #[error("{name:?} does not serve {wanted:?}, but {serves:?}")]
    WrongInterface {
        /// The actor's name.
        name: String,
        /// What was asked for.
        wanted: &'static str,
        /// What it serves.
        serves: Vec<String>,
    },
    /// There is such an actor, and this node or client may not call it.
    #[error("{0:?} may not be called from here")]
    Denied(String),
    /// Nobody who answered has such an actor, and some did not answer.
    #[error("{silent} of the peers did not answer")]
    Unreachable {
        /// How many.
        silent: usize,
    },
}

/// What a node asks: an actor by its name, to be called by an interface.
#[derive(Serialize, Deserialize)]
struct Question {
    name: String,
    interface: String,
}

/// What it is told.
#[derive(Serialize, Deserialize)]
enum Told {
    Found(u64),
    NotFound,
    WrongInterface(Vec<String>),
    Denied,
}

/// The longest name that is looked for, in bytes.
const NAME_BYTES_MAX: usize = 4096;

impl ActorSystem {
    /// The actor with this name, wherever it is; the first node that has it wins.
    ///
    /// # Errors
    /// [`LookupError`]; it waits at most the connect timeout for peers to which there is no link.
    pub async fn lookup<I: Interface>(&self, name: &str) -> Result<ActorRef<I>, LookupError> {
        let core = &self.core;
        let question = Question { name: name.to_owned(), interface: I::NAME.to_owned() };
        let own = |actor| Target { node: core.name().clone(), incarnation: core.incarnation(), actor };
        if let Some(feed) = core.registry.named(name) {
            if feed.offer.interfaces.iter().any(|offered| offered.key == key::<I>().id) {
                return Ok(ActorRef::new(own(feed.actor), Some(core.clone())));
            }
            let serves = feed.offer.interfaces.iter().map(|offered| offered.name.to_owned()).collect();
            return Err(LookupError::WrongInterface { name: question.name, wanted: I::NAME, serves });
        }
        let target = ask_peers(core, question, I::NAME).await?;
        Ok(ActorRef::new(target, Some(core.clone())))
    }
}

async fn ask_peers(
    core: &Arc<Core>,
    question: Question,
    wanted: &'static str,
) -> Result<Target, LookupError> {
    let body = encode_body(&question);
    let mut asked = BTreeSet::new();
    let mut answers = FuturesUnordered::new();
    let (mut answered, mut denied, mut patient) = (0, false, true);
    let mut patience = Box::pin(sleep(core.settings.limits.connect_timeout));
    loop {
        let changed = core.links.changed.notified();
        tokio::pin!(changed);
        // Registered before the look, so that a link that comes up in between is not missed.
        changed.as_mut().enable();
        for session in core.links.members() {
            if asked.insert(session.link().session()) {
                answers.push(ask_peer(core, session, body.clone()));
            }
        }
        let expected = core.links.dialled();
        if answers.is_empty() && (!patient || answered >= expected) {
            let silent = expected.max(asked.len()).saturating_sub(answered);
            return Err(match (denied, silent) {
                (true, _) => LookupError::Denied(question.name),
                (false, 0) => LookupError::NotFound(question.name),
                (false, silent) => LookupError::Unreachable { silent },
            });
        }
        tokio::select! {
            biased;
            Some((told, session)) = answers.next(), if !answers.is_empty() => match told {
                None => {}
                Some(Told::NotFound) => answered += 1,
                Some(Told::Denied) => {
                    answered += 1;
                    denied = true;
                }
                Some(Told::WrongInterface(serves)) => {
                    return Err(LookupError::WrongInterface { name: question.name, wanted, serves });
                }
                Some(Told::Found(actor)) => {
                    let peer = session.peer();
                    return Ok(Target { node: peer.name.clone(), incarnation: peer.incarnation, actor });
                }
            },
            () = changed => {}
            () = &mut patience, if patient => patient = false,
        }
    }
}

async fn ask_peer(core: &Core, session: Arc<Session>, body: Bytes) -> (Option<Told>, Arc<Session>) {
    let deadline = core.deadline(core.settings.limits.ask_timeout);
    let answer = request(core, &session, Head::Lookup, body, deadline).await.ok();
    let limit = core.settings.limits.message_bytes_max;
    (answer.and_then(|body| decode(&body, limit).ok()), session)
}

/// Answers a peer's question; `None` when it is none.
pub(crate) fn answer_lookup(core: &Core, from: &Peer, body: &[u8]) -> Option<Bytes> {
    let question: Question = decode(body, NAME_BYTES_MAX).ok()?;
    let told = match core.registry.named(&question.name) {
        None => Told::NotFound,
        Some(feed) => match feed.offer.interfaces.iter().find(|offered| offered.name == question.interface) {
            _ if !feed.offer.interfaces.iter().any(|offered| offered.is_for(from)) => Told::Denied,
            Some(offered) if !offered.is_for(from) => Told::Denied,
            Some(_) => Told::Found(feed.actor),
            None => Told::WrongInterface(
                feed.offer.interfaces.iter().map(|offered| offered.name.to_owned()).collect(),
            ),
        },
    };
    Some(encode_body(&told))
}
