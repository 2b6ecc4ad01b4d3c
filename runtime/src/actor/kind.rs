//! What all actors of one type on one node share: what they offer, and how they handle it.

use std::sync::Arc;

use actix::{Actor, Context};

use super::dispatch::Entry;
use super::offer::Offer;

/// A type of actors, as one node knows it.
pub(crate) struct Kind<A: Actor<Context = Context<A>>> {
    pub(crate) offer: Arc<Offer>,
    /// By the position of the interface among those that are offered, and of the message in the interface.
    pub(crate) tables: Vec<Vec<Entry<A>>>,
}
