//! What a node tells another about an interface it serves: the messages, their numbers and their shapes.
//!
//! Knows no links: it compares two descriptions and says which messages both know, and in which form they may travel.

use serde::{Deserialize, Serialize};

use super::codec::Form;
use super::schema::{Schema, Shape, Wire, WireId};

/// The largest manifest that is read, in bytes.
pub const MANIFEST_BYTES_MAX: usize = 256 << 10;

/// With what the name of a manifest begins that is a protocol's; no interface may be called so.
pub(crate) const PROTOCOL: &str = "protocol/";

/// How many bytes may be on the way to one actor before the first word of its feed.
pub(crate) const INITIAL_BYTES: usize = 16 << 20;

/// One message of an interface, as this node knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageShape {
    /// The message's stable id.
    pub id: &'static str,
    /// The structure of message and answer.
    pub shape: Shape,
}

impl MessageShape {
    /// Of message `M` with answer `R`.
    #[must_use]
    pub fn of<M: WireId, R: Wire>() -> Self {
        Self { id: M::ID, shape: Schema::of_call::<M, R>() }
    }
}

/// An interface as its server announces it. Sent by the server when a link comes up, when it serves an interface for the first
/// time, and when it is asked; the receiver owes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The interface's name.
    pub interface: String,
    /// The interface's number at the server.
    pub number: u16,
    /// Its messages; the position is the message's number within the interface.
    pub messages: Vec<Described>,
    /// How many messages may be on the way to one actor and wait there before the first word of its feed. Without it, as many as one
    /// likes.
    #[serde(default)]
    pub window: Option<u32>,
}

/// One message of a [`Manifest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Described {
    /// The message's stable id.
    pub id: String,
    /// The server's fingerprint of message and answer.
    pub fingerprint: u64,
    /// Whether the server knows the structure completely.
    pub compact: bool,
}

/// How to send a message to one server: under which number, in which form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// The number for the header.
    pub number: u32,
    /// The form of message and answer.
    pub form: Form,
}

impl Manifest {
    /// What it takes to keep, about, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let messages = self.messages.iter().map(|message| size_of::<Described>() + message.id.len());
        size_of::<Self>() + self.interface.len() + messages.sum::<usize>()
    }

    /// Of an interface that this node serves under `number`, where so many messages may be on the way to one actor at first.
    #[must_use]
    pub fn of(interface: &str, number: u16, messages: &[MessageShape], window: u32) -> Self {
        let described = |message: &MessageShape| Described {
            id: message.id.to_owned(),
            fingerprint: message.shape.fingerprint,
            compact: message.shape.compact,
        };
        let messages = messages.iter().map(described).collect();
        Self { interface: interface.to_owned(), number, messages, window: Some(window) }
    }

    /// Of the protocol with this name: what its machines say is told as one message.
    #[must_use]
    pub fn of_protocol(name: &str, shape: Shape) -> Self {
        let said = Described { id: name.to_owned(), fingerprint: shape.fingerprint, compact: shape.compact };
        Self { interface: format!("{PROTOCOL}{name}"), number: u16::MAX, messages: vec![said], window: None }
    }

    /// The name of the protocol and the structure of what its machines say; `None` for an interface.
    #[must_use]
    pub fn protocol(&self) -> Option<(&str, Shape)> {
        let name = self.interface.strip_prefix(PROTOCOL)?;
        let said = self.messages.first()?;
        Some((name, Shape { fingerprint: said.fingerprint, compact: said.compact }))
    }

    /// For each message we know, how to send it to the server of this manifest; `None` where the server does not know it.
    #[must_use]
    pub fn agree(&self, ours: &[MessageShape]) -> Vec<Option<Agreed>> {
        ours.iter().map(|message| self.find(message)).collect()
    }

    fn find(&self, ours: &MessageShape) -> Option<Agreed> {
        let position = self.messages.iter().position(|theirs| theirs.id == ours.id)?;
        let theirs = &self.messages[position];
        let equal = ours.shape == Shape { fingerprint: theirs.fingerprint, compact: true } && theirs.compact;
        let form = if equal { Form::Compact } else { Form::Named };
        Some(Agreed { number: message_number(self.number, u16::try_from(position).ok()?), form })
    }
}

/// The number of a message on the wire.
#[must_use]
pub const fn message_number(interface: u16, message: u16) -> u32 {
    (interface as u32) << 16 | message as u32
}

/// The interface's number and the message's within it.
#[must_use]
pub const fn split_number(number: u32) -> (u16, u16) {
    ((number >> 16) as u16, number as u16)
}

#[cfg(test)]
mod tests {
    use super::super::codec::decode;
    use super::*;

    fn message(id: &'static str, fingerprint: u64, compact: bool) -> MessageShape {
        MessageShape { id, shape: Shape { fingerprint, compact } }
    }

    #[test]
    fn only_equal_and_completely_known_shapes_use_arrays() {
        let theirs =
            Manifest::of("kv", 3, &[message("b", 2, true), message("a", 1, true), message("o", 5, false)], 1);
        let ours =
            [message("a", 1, true), message("b", 9, true), message("c", 1, true), message("o", 5, false)];
        let agreed = |message, form| Some(Agreed { number: message_number(3, message), form });
        assert_eq!(
            theirs.agree(&ours),
            [agreed(1, Form::Compact), agreed(0, Form::Named), None, agreed(2, Form::Named)]
        );
        assert_eq!(split_number(message_number(3, 1)), (3, 1));
    }

    #[test]
    fn layout_is_the_one_of_the_wire_page() {
        let manifest = Manifest::of("kv", 3, &[message("a", 5, true)], 100);
        let bytes = super::super::codec::encode_body(&manifest);
        assert_eq!(&bytes[..], b"\x94\xA2kv\x03\x91\x93\xA1a\x05\xC3\x64");
        let before: Manifest = decode(b"\x93\xA2kv\x03\x91\x93\xA1a\x05\xC3", 100).unwrap();
        assert_eq!(before, Manifest { window: None, ..manifest }, "one of nodes that grant no credit");
    }

    #[test]
    fn one_side_that_does_not_know_its_structure_suffices_for_maps() {
        let theirs = Manifest::of("kv", 0, &[message("a", 1, false)], 1);
        assert_eq!(theirs.agree(&[message("a", 1, true)])[0].unwrap().form, Form::Named);
    }
}
