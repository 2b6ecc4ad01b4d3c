//! What clients ask of an object and what it answers. Says nothing about which answer is right.

use std::collections::BTreeSet;

use crate::sim::check::symbols::Value;

/// What a client asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// The value of a register or a key, the elements of a set, or the total of a counter.
    Read,
    /// Replaces the value of a register or a key.
    Write(Value),
    /// Replaces the value of a register if it is the expected one.
    CompareAndSet {
        /// The value that it must have.
        expected: Value,
        /// The value that it gets.
        new: Value,
    },
    /// Adds text behind that of a key.
    Append(String),
    /// Adds to a counter.
    Add(i64),
    /// Puts an element into a set.
    Insert(Value),
    /// Puts an item at the end of a queue.
    Enqueue(Value),
    /// Takes the item at the head of a queue.
    Dequeue,
    /// Takes a mutex.
    Acquire,
    /// Gives a mutex back.
    Release,
    /// Reads and writes several registers at once, in this order.
    Transact(Vec<Access>),
}

/// One step of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reads a register.
    Read(Value),
    /// Writes a register.
    Write(Value, Value),
}

/// What an object answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Returned {
    /// It is done.
    Done,
    /// A register's or key's value, a counter's total, or the item that was at a queue's head ([`Value::Nil`] when it was empty).
    Value(Value),
    /// Whether the register had the expected value.
    Swapped(bool),
    /// A set's elements.
    Elements(BTreeSet<Value>),
    /// What the reads of a transaction saw, in their order.
    Seen(Vec<Value>),
}
