//! What a watcher is told when an actor ends.
//!
//! On the wire a reason is its name, or the number that the actor gave itself; a name that this version does not know is read as
//! [`Reason::Other`], so that a later version may add some.

use std::fmt;

use actix::Message;
use serde::de::{Deserializer, Error, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use synod_macros::Wire;
use synod_transport::PeerName;

/// The end of an actor: there will be no other with its reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terminated {
    /// Why.
    pub reason: Reason,
    /// The process of the actor's node in which it ended.
    pub incarnation: u64,
}

/// What it means for a bond that the nodes of its two actors do not hear each other for longer than the idle timeout and the
/// reconnect window. That the other node started again or shut down is an end in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Wire, Serialize, Deserialize)]
pub enum CutOff {
    /// An end: both actors, who both live, are ended or told. Neither goes on as if the other still did its part.
    #[default]
    End,
    /// Nothing, until they hear each other again, or for ever.
    Wait,
}

/// What an actor that listens is told when another one ends to which it is bound.
#[derive(Clone, Debug, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct BondEnded {
    /// The other one's node.
    pub node: PeerName,
    /// The process of that node to which the other one belonged.
    pub incarnation: u64,
    /// Its slot and generation there.
    pub actor: u64,
    /// How it ended.
    pub terminated: Terminated,
}

/// Why an actor is no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// It stopped, by itself or on request.
    Stopped,
    /// It stopped by itself and gave this number as its reason.
    Exit(u32),
    /// Its parent has ended, or its node has shut down in order.
    Shutdown,
    /// It was ended without being asked.
    Killed,
    /// It panicked, more often than its restart policy allows.
    Panicked,
    /// Children of it panicked more often than their policies and its own allow.
    Escalated,
    /// An actor with which it shares its end has ended, otherwise than in order.
    Bonded,
    /// It ended long before anybody asked; why is no longer known.
    Gone,
    /// Its node never had it.
    NoSuchActor,
    /// Its node started again, shut down, or has not been heard for longer than the idle timeout.
    NodeDown,
    /// The caller may not watch it.
    Denied,
    /// Its node is of a later version and gave a reason that this one does not know.
    Other,
}

impl Reason {
    const NAMED: [(Self, &'static str); 11] = [
        (Self::Stopped, "Stopped"),
        (Self::Shutdown, "Shutdown"),
        (Self::Killed, "Killed"),
        (Self::Panicked, "Panicked"),
        (Self::Escalated, "Escalated"),
        (Self::Bonded, "Bonded"),
        (Self::Gone, "Gone"),
        (Self::NoSuchActor, "NoSuchActor"),
        (Self::NodeDown, "NodeDown"),
        (Self::Denied, "Denied"),
        (Self::Other, "Other"),
    ];

    /// The text of logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Exit(_) => "exit",
            Self::Shutdown => "shutdown",
            Self::Killed => "killed",
            Self::Panicked => "panicked",
            Self::Escalated => "escalated",
            Self::Bonded => "bonded",
            Self::Gone => "gone",
            Self::NoSuchActor => "no_such_actor",
            Self::NodeDown => "node_down",
            Self::Denied => "denied",
            Self::Other => "other",
        }
    }

    /// Whether the actor did what it was to do, for all that is known: it stopped and gave no number as its reason.
    #[must_use]
    pub fn is_orderly(self) -> bool {
        self == Self::Stopped
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Self::Exit(number) = self {
            return serializer.serialize_u32(*number);
        }
        let named = Self::NAMED.iter().find(|(reason, _)| reason == self);
        serializer.serialize_str(named.map_or("Other", |(_, name)| name))
    }
}

impl<'de> Deserialize<'de> for Reason {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrNumber;

        impl Visitor<'_> for NameOrNumber {
            type Value = Reason;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a reason, or a number")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Reason, E> {
                let named = Reason::NAMED.iter().find(|(_, known)| *known == name);
                Ok(named.map_or(Reason::Other, |(reason, _)| *reason))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Reason, E> {
                Ok(u32::try_from(number).map_or(Reason::Other, Reason::Exit))
            }
        }

        deserializer.deserialize_any(NameOrNumber)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{decode, encode_body};

    #[test]
    fn reasons_travel_by_name_and_a_later_one_is_read_too() {
        let end = |reason| Terminated { reason, incarnation: 7 };
        let bytes = encode_body(&end(Reason::Stopped));
        assert_eq!(&bytes[..], b"\x92\xA7Stopped\x07", "as versions without numbers wrote it");
        assert_eq!(&encode_body(&end(Reason::Exit(300)))[..], b"\x92\xCD\x01\x2C\x07");
        let named = Reason::NAMED.into_iter().map(|(reason, _)| reason);
        for reason in named.chain([Reason::Exit(0), Reason::Exit(u32::MAX)]) {
            assert_eq!(decode(&encode_body(&end(reason)), 100), Ok(end(reason)));
        }
        for later in [&b"\x92\xA6Evaded\x07"[..], b"\x92\xCF\x00\x00\x00\x01\x00\x00\x00\x00\x07"] {
            assert_eq!(decode(later, 100), Ok(end(Reason::Other)));
        }
        assert!(decode::<Terminated>(b"\x92\xC3\x07", 100).is_err(), "neither a name nor a number");
    }
}
