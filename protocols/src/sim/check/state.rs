//! What an object holds between two operations, in numbers that are cheap to copy and compare.

use std::mem::size_of;
use std::rc::Rc;

use crate::sim::check::mask::Mask;
use crate::sim::check::symbols::{Symbol, Text};

/// The state of an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    /// The value of a register.
    Register(Symbol),
    /// The text of a key.
    Text(Text),
    /// The total of a counter.
    Total(i128),
    /// The elements of a set, by their symbols.
    Elements(Rc<Mask>),
    /// The items of a queue, the head first.
    Items(Rc<[Symbol]>),
    /// Whether a mutex is taken.
    Taken(bool),
    /// The values of all registers, in the order of their keys.
    Registers(Rc<[Symbol]>),
}

impl State {
    /// About how many bytes it takes.
    pub(super) fn bytes(&self) -> usize {
        let beyond = match self {
            Self::Register(_) | Self::Text(_) | Self::Total(_) | Self::Taken(_) => 0,
            Self::Elements(elements) => elements.bytes(),
            Self::Items(symbols) | Self::Registers(symbols) => symbols.len() * size_of::<Symbol>(),
        };
        size_of::<Self>() + beyond
    }
}
