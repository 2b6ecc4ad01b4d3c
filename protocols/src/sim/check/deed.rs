//! Operations in numbers, and what can be said of them without knowing the state.

use crate::sim::check::mask::Mask;
use crate::sim::check::symbols::{Symbol, Text};

/// An operation in numbers: the call, and the answer if it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    Read(Option<Symbol>),
    Write(Symbol),
    CompareAndSet { expected: Symbol, new: Symbol, swapped: Option<bool> },
    ReadText(Option<Text>),
    WriteText(Text),
    Append(String),
    ReadTotal(Option<i128>),
    Add(i64),
    ReadElements(Option<Mask>),
    Insert(Symbol),
    Enqueue(Symbol),
    Dequeue(Option<Symbol>),
    Acquire,
    Release,
    Transact(Vec<Step>),
}

/// A step of a transaction, on a register by its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Read(usize, Option<Symbol>),
    Write(usize, Symbol),
}

impl Deed {
    /// Whether it leaves every state in which it can be done as it is.
    pub(super) fn only_looks(&self) -> bool {
        match self {
            Self::Read(_) | Self::ReadText(_) | Self::ReadTotal(_) | Self::ReadElements(_) => true,
            Self::CompareAndSet { expected, new, swapped } => *swapped == Some(false) || expected == new,
            Self::Dequeue(seen) => *seen == Some(Symbol::NIL),
            Self::Transact(steps) => steps.iter().all(|step| matches!(step, Step::Read(..))),
            Self::Write(_)
            | Self::WriteText(_)
            | Self::Append(_)
            | Self::Add(_)
            | Self::Insert(_)
            | Self::Enqueue(_)
            | Self::Acquire
            | Self::Release => false,
        }
    }

    /// Whether it can be done at any time and tells nothing, so that it never needs another one before it.
    pub(super) fn is_blind(&self) -> bool {
        matches!(self, Self::Write(_) | Self::WriteText(_) | Self::Add(_) | Self::Insert(_))
    }

    /// Whether the state is the same whichever of the two comes first.
    pub(super) fn commutes(&self, other: &Self) -> bool {
        matches!((self, other), (Self::Add(_), Self::Add(_)) | (Self::Insert(_), Self::Insert(_)))
    }

    /// Whether it may matter that `before` comes just before it. When it cannot, this one goes first or `before` goes without notice:
    /// one overwrites the other, they change places, or this one cannot be done at all.
    pub(super) fn may_need(&self, before: &Self) -> bool {
        match (before, self) {
            (Self::Write(left) | Self::CompareAndSet { new: left, .. }, Self::Read(Some(seen))) => {
                left == seen
            }
            (
                Self::Write(left) | Self::CompareAndSet { new: left, .. },
                Self::CompareAndSet { expected, swapped, .. },
            ) => (left == expected) == swapped.unwrap_or(true),
            (Self::WriteText(left), Self::ReadText(Some(seen))) => left == seen,
            (Self::Insert(element), Self::ReadElements(Some(seen))) => seen.has(element.0),
            (Self::Write(_) | Self::CompareAndSet { .. }, Self::Write(_))
            | (Self::WriteText(_) | Self::Append(_), Self::WriteText(_))
            | (Self::Insert(_), Self::Insert(_))
            | (Self::Add(_), Self::Add(_)) => false,
            _ => true,
        }
    }
}
