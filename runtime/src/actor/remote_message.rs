//! What a message needs to travel.

use actix::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::wire::{Wire, WireId};

/// A message that can go to actors of other nodes: an actix message with a wire id, whose answer can travel too. Nobody
/// implements it by hand.
pub trait RemoteMessage:
    Message<Result: RemoteValue> + Serialize + DeserializeOwned + WireId + Send + 'static
{
}

impl<M> RemoteMessage for M where
    M: Message<Result: RemoteValue> + Serialize + DeserializeOwned + WireId + Send + 'static
{
}

/// An answer that can travel. Nobody implements it by hand.
pub trait RemoteValue: Serialize + DeserializeOwned + Wire + Send + 'static {}

impl<T> RemoteValue for T where T: Serialize + DeserializeOwned + Wire + Send + 'static {}
