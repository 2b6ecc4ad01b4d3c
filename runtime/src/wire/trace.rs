//! What a type looks like on the wire, found out by reading it: for the messages of protocols, which know serde and nothing of this crate.
//!
//! A type that says what it expects of a deserializer has told its structure. Each variant of each enumeration is tried, one after the
//! other; nothing real is decoded. What a type leaves out while it is *written* (`skip_serializing_if`) cannot be seen here, and has no
//! place in a message of a protocol.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};

use super::schema::{Schema, Shape};

/// Deeper than any honest message: what goes on after this contains itself.
const DEPTH_MAX: usize = 32;
/// More variants than any honest message has.
const PASSES_MAX: usize = 4096;

/// The shape of `T`, as its `Deserialize` tells it. One that contains itself, or that takes no made-up value, is not known completely:
/// it travels by names.
#[must_use]
pub fn traced<T: DeserializeOwned>() -> Shape {
    let mut trace = Trace::default();
    let whole = trace.walk::<T>(|_| {});
    let mut schema = Schema::new();
    for line in &trace.lines {
        schema.word(line);
    }
    if !whole {
        schema.opaque();
    }
    schema.shape()
}

/// What has been seen, and which variant of which enumeration comes next.
#[derive(Default)]
struct Trace {
    /// Each place in the structure and what stands there, in the order of the places.
    lines: BTreeSet<String>,
    /// For the enumeration at a place: how many of its variants are done, and how many there are.
    variants: BTreeMap<String, (usize, usize)>,
    /// The enumerations that this pass went through, outer ones first, each with the place of what it held.
    taken: Vec<(String, String)>,
    place: String,
    depth: usize,
}

impl Trace {
    /// Goes through all of a structure, with one made-up value at a time; `false` when it cannot.
    fn walk<T: DeserializeOwned>(&mut self, mut each: impl FnMut(T)) -> bool {
        for _ in 0..PASSES_MAX {
            let Ok(value) = T::deserialize(Probe(self)) else { return false };
            each(value);
            if self.advance() {
                return true;
            }
        }
        false
    }

    fn note(&mut self, what: &str) {
        self.lines.insert(format!("{} {what}", self.place));
    }

    /// Goes one step into the structure for as long as `within` runs.
    fn into<R>(
        &mut self,
        step: &str,
        within: impl FnOnce(&mut Self) -> Result<R, Untraceable>,
    ) -> Result<R, Untraceable> {
        if self.depth == DEPTH_MAX {
            return Err(Untraceable);
        }
        let before = self.place.len();
        self.place.push('/');
        self.place.push_str(step);
        self.depth += 1;
        let result = within(self);
        self.depth -= 1;
        self.place.truncate(before);
        result
    }

    /// The variant to try of the enumeration at this place.
    fn choose(&mut self, variants: &'static [&'static str]) -> Option<&'static str> {
        let (done, _) = *self.variants.entry(self.place.clone()).or_insert((0, variants.len()));
        // One that is done is gone through again because something beside it is not.
        let chosen = variants.get(done).or_else(|| variants.first())?;
        self.taken.push((self.place.clone(), format!("{}/{chosen}/", self.place)));
        Some(chosen)
    }

    /// Ends a pass: every variant that has nothing left to try below it is done. Says whether all are.
    fn advance(&mut self) -> bool {
        let taken = std::mem::take(&mut self.taken);
        for (at, (place, held)) in taken.iter().enumerate().rev() {
            let open = |place: &String| self.variants.get(place).is_some_and(|(done, all)| done < all);
            let waits =
                taken[at + 1..].iter().any(|(below, _)| below.starts_with(held.as_str()) && open(below));
            if let Some((done, all)) = self.variants.get_mut(place)
                && done < all
                && !waits
            {
                *done += 1;
            }
        }
        self.variants.values().all(|(done, all)| done == all)
    }
}

/// A type that takes no made-up value, or never ends.
#[derive(Debug)]
struct Untraceable;

impl fmt::Display for Untraceable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the structure cannot be traced")
    }
}

impl std::error::Error for Untraceable {}

impl serde::de::Error for Untraceable {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

/// Gives a made-up value for everything, and notes what was asked for.
struct Probe<'t>(&'t mut Trace);

/// A leaf of the structure: its name, and the value it is given.
macro_rules! leaves {
    ($($method:ident $visit:ident $value:expr),* $(,)?) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Untraceable> {
            self.0.note(stringify!($visit));
            visitor.$visit($value)
        })*
    };
}

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = Untraceable;

    leaves! {
        deserialize_bool visit_bool false,
        deserialize_i8 visit_i8 0,
        deserialize_i16 visit_i16 0,
        deserialize_i32 visit_i32 0,
        deserialize_i64 visit_i64 0,
        deserialize_i128 visit_i128 0,
        deserialize_u8 visit_u8 0,
        deserialize_u16 visit_u16 0,
        deserialize_u32 visit_u32 0,
        deserialize_u64 visit_u64 0,
        deserialize_u128 visit_u128 0,
        deserialize_f32 visit_f32 0.0,
        deserialize_f64 visit_f64 0.0,
        deserialize_char visit_char '0',
        deserialize_str visit_str "",
        deserialize_string visit_string String::new(),
        deserialize_bytes visit_bytes &[],
        deserialize_byte_buf visit_byte_buf Vec::new(),
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Untraceable> {
        // It reads whatever is there; its structure is known to nobody.
        Err(Untraceable)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Untraceable> {
        self.deserialize_any(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Untraceable> {
        self.deserialize_any(visitor)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Untraceable> {
        self.0.note("unit");
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Untraceable> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Untraceable> {
        // MessagePack writes what is inside, and nothing else.
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Untraceable> {
        self.0.note("option");
        self.0.into("?", |trace| visitor.visit_some(Probe(trace)))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Untraceable> {
        self.0.note("sequence");
        visitor.visit_seq(Parts { trace: self.0, steps: vec!["*".to_owned()].into_iter() })
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Untraceable> {
        self.0.note(&format!("tuple {length}"));
        let steps: Vec<String> = (0..length).map(|position| position.to_string()).collect();
        visitor.visit_seq(Parts { trace: self.0, steps: steps.into_iter() })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Untraceable> {
        self.deserialize_tuple(length, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Untraceable> {
        self.0.note("map");
        visitor.visit_map(Entry { trace: self.0, told: false })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Untraceable> {
        self.0.note(&format!("struct {}", fields.join(" ")));
        let steps: Vec<String> = fields.iter().map(|field| (*field).to_owned()).collect();
        visitor.visit_seq(Parts { trace: self.0, steps: steps.into_iter() })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Untraceable> {
        self.0.note(&format!("enum {}", variants.join(" ")));
        let chosen = self.0.choose(variants).ok_or(Untraceable)?;
        self.0.into(chosen, |trace| visitor.visit_enum(Chosen { trace, variant: chosen }))
    }
}

/// The parts of a sequence, a tuple or a struct.
struct Parts<'t> {
    trace: &'t mut Trace,
    steps: std::vec::IntoIter<String>,
}

impl<'de> SeqAccess<'de> for Parts<'_> {
    type Error = Untraceable;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Untraceable> {
        let Some(step) = self.steps.next() else { return Ok(None) };
        self.trace.into(&step, |trace| seed.deserialize(Probe(trace))).map(Some)
    }
}

/// The one entry of a map.
struct Entry<'t> {
    trace: &'t mut Trace,
    told: bool,
}

impl<'de> MapAccess<'de> for Entry<'_> {
    type Error = Untraceable;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Untraceable> {
        if std::mem::replace(&mut self.told, true) {
            return Ok(None);
        }
        self.trace.into("key", |trace| seed.deserialize(Probe(trace))).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Untraceable> {
        self.trace.into("value", |trace| seed.deserialize(Probe(trace)))
    }
}

/// One variant of an enumeration.
struct Chosen<'t> {
    trace: &'t mut Trace,
    variant: &'static str,
}

impl<'de, 't> EnumAccess<'de> for Chosen<'t> {
    type Error = Untraceable;
    type Variant = Probe<'t>;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Probe<'t>), Untraceable> {
        let name: StrDeserializer<'_, Untraceable> = self.variant.into_deserializer();
        Ok((seed.deserialize(name)?, Probe(self.trace)))
    }
}

impl<'de> VariantAccess<'de> for Probe<'_> {
    type Error = Untraceable;

    fn unit_variant(self) -> Result<(), Untraceable> {
        self.0.note("no content");
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Untraceable> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Untraceable> {
        self.deserialize_tuple(length, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Untraceable> {
        self.deserialize_struct("", fields, visitor)
    }
}

#[cfg(test)]
#[path = "trace_tests.rs"]
mod tests;
