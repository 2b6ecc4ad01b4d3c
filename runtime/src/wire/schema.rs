//! What a type looks like on the wire, as a fingerprint: equal ones may use compact arrays with each other.
//!
//! The fingerprint is of the structure (field and variant names, types, order), not of the type's own name. Nothing here
//! encodes.

/// A type whose structure is known. Derive it.
#[diagnostic::on_unimplemented(
    message = "the wire form of `{Self}` is not known",
    label = "has no `Wire`",
    note = "write `#[derive(Wire)]` on it; for a foreign type write `#[wire(opaque)]` on the field, which makes every struct around \
            it travel as a named map"
)]
pub trait Wire {
    /// Tells `schema` the structure, member by member.
    fn describe(schema: &mut Schema);
}

/// A type with a name on the wire, which makes it a message.
///
/// A message without a name is refused by the compiler, which says what to write:
///
/// ```compile_fail,E0277
/// use synod::prelude::*;
///
/// #[derive(Message, Wire, Serialize, Deserialize)]
/// #[rtype(result = "()")]
/// struct Nameless;
///
/// interface!(Desk = "desk" { Nameless });
/// ```
#[diagnostic::on_unimplemented(
    message = "the message `{Self}` has no id on the wire",
    label = "has no `#[wire(id = \"…\")]`",
    note = "write `#[wire(id = \"interface.Message\")]` beside its `#[derive(Wire)]`: the id stays when the type is renamed or moved"
)]
pub trait WireId: Wire {
    /// The stable id.
    const ID: &'static str;
}

/// The structure of a type, summed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Equal for equal structures.
    pub fingerprint: u64,
    /// Whether the structure is known completely, so that arrays are safe.
    pub compact: bool,
}

/// Takes down the structure of one type.
pub struct Schema {
    hash: u64,
    compact: bool,
    /// The types that are being described, outermost first: a type that contains itself is told by its distance.
    open: Vec<&'static str>,
}

/// Deeper than any honest type; a type that grows with its own nesting would never end.
const DEPTH_LIMIT: usize = 64;

impl Schema {
    /// The shape of `T`.
    #[must_use]
    pub fn of<T: Wire + ?Sized>() -> Shape {
        let mut schema = Self::new();
        T::describe(&mut schema);
        schema.shape()
    }

    pub(super) const fn new() -> Self {
        Self { hash: 0xCBF2_9CE4_8422_2325, compact: true, open: Vec::new() }
    }

    /// What has been taken down.
    pub(super) const fn shape(&self) -> Shape {
        Shape { fingerprint: self.hash, compact: self.compact }
    }

    /// The shape of a message and its answer together.
    #[must_use]
    pub fn of_call<M: Wire, R: Wire>() -> Shape {
        Self::of::<(M, R)>()
    }

    /// One word of the structure: a field, a variant, a primitive.
    pub fn word(&mut self, word: &str) {
        for &byte in word.as_bytes().iter().chain(&[0]) {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
        }
    }

    /// A member of type `T`.
    pub fn member<T: Wire + ?Sized>(&mut self) {
        T::describe(self);
    }

    /// A part of which nothing is known: the type travels as a named map.
    pub fn opaque(&mut self) {
        self.compact = false;
        self.word("?");
    }

    /// A type that may contain itself; `members` tells the rest unless the type is already being described.
    pub fn composite<T: ?Sized>(&mut self, members: impl FnOnce(&mut Self)) {
        let name = std::any::type_name::<T>();
        if let Some(position) = self.open.iter().rposition(|open| *open == name) {
            let distance = self.open.len() - position;
            self.word(&format!("^{distance}"));
        } else if self.open.len() == DEPTH_LIMIT {
            self.opaque();
        } else {
            self.open.push(name);
            self.word("{");
            members(self);
            self.word("}");
            self.open.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn fingerprints_are_those_of_earlier_versions() {
        let shape = Schema::of::<(String, Option<Bytes>, Result<u64, Vec<i8>>)>();
        assert_eq!(shape, Shape { fingerprint: 572_461_234_795_947_992, compact: true });
    }

    #[test]
    fn structures_that_differ_have_other_fingerprints() {
        let shapes = [
            Schema::of::<(u8, u16)>(),
            Schema::of::<(u16, u8)>(),
            Schema::of::<((u8,), u16)>(),
            Schema::of::<Vec<(u8, u16)>>(),
            Schema::of::<Option<(u8, u16)>>(),
            Schema::of::<[u8; 2]>(),
            Schema::of::<[u8; 3]>(),
        ];
        for (position, shape) in shapes.iter().enumerate() {
            assert!(!shapes[..position].contains(shape), "number {position}");
        }
        assert_eq!(Schema::of::<Box<u8>>(), Schema::of::<u8>(), "what MessagePack writes alike is alike");
    }
}
