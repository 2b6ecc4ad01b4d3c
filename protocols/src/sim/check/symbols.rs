//! Values of a history as small numbers, and texts as nodes of a trie, so that equal ones are found equal at once.

use std::collections::BTreeMap;
use std::fmt;

/// A value that clients read and write.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// No value.
    Nil,
    /// A whole number.
    Integer(i64),
    /// Text.
    Text(String),
    /// Anything else, as it is written; equal when written equally.
    Other(String),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nil => f.write_str("nil"),
            Self::Integer(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Other(text) => f.write_str(text),
        }
    }
}

/// A value's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Symbol(pub(super) u32);

impl Symbol {
    /// The number of [`Value::Nil`].
    pub(super) const NIL: Self = Self(0);
}

/// The values of a history, numbered.
#[derive(Debug)]
pub(super) struct Symbols {
    numbers: BTreeMap<Value, Symbol>,
    values: Vec<Value>,
}

impl Symbols {
    /// Nil alone.
    pub(super) fn new() -> Self {
        Self { numbers: BTreeMap::from([(Value::Nil, Symbol::NIL)]), values: vec![Value::Nil] }
    }

    /// The number of a value; a value without one gets the next.
    pub(super) fn number(&mut self, value: &Value) -> Symbol {
        if let Some(&symbol) = self.numbers.get(value) {
            return symbol;
        }
        let symbol = Symbol(u32::try_from(self.values.len()).expect("a history has fewer than 2^32 values"));
        self.numbers.insert(value.clone(), symbol);
        self.values.push(value.clone());
        symbol
    }

    /// The value of a number given out here.
    pub(super) fn value(&self, symbol: Symbol) -> &Value {
        &self.values[symbol.0 as usize]
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }
}

/// A text, as the last node of its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Text(u32);

/// Texts that share their beginnings.
#[derive(Debug, Default)]
pub(super) struct Texts {
    /// From a node by a byte to the next; the root is 0 and node n + 1 was the n-th made.
    next: BTreeMap<(Text, u8), Text>,
    above: Vec<(Text, u8)>,
}

impl Texts {
    /// The empty text.
    pub(super) const EMPTY: Text = Text(0);

    /// A text with more behind it.
    pub(super) fn append(&mut self, text: Text, more: &str) -> Text {
        let mut at = text;
        for byte in more.bytes() {
            let above = &mut self.above;
            at = *self.next.entry((at, byte)).or_insert_with(|| {
                above.push((at, byte));
                Text(u32::try_from(above.len()).expect("texts of a history have fewer than 2^32 bytes"))
            });
        }
        at
    }

    /// A text's words.
    pub(super) fn spell(&self, text: Text) -> String {
        let mut bytes = Vec::new();
        let mut at = text;
        while at != Self::EMPTY {
            let (above, byte) = self.above[at.0 as usize - 1];
            bytes.push(byte);
            at = above;
        }
        bytes.reverse();
        String::from_utf8(bytes).expect("texts are put together from whole texts")
    }

    /// About how many bytes they take.
    pub(super) fn bytes(&self) -> usize {
        self.above.len() * 32
    }
}
