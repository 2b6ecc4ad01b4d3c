//! The wire forms of the types that everybody uses.
//!
//! Two types share a word where MessagePack writes them alike and either reads the other.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use synod_protocols::log::SessionTag;
use synod_protocols::{
    ClientId, Incarnation, LogIndex, LogTime, NodeId, Outcome, RequestId, SessionId, Term, Timestamp, Token,
    WriteId,
};

use super::schema::{Schema, Wire};
use crate::address::{MachineId, ProtocolId};

macro_rules! leaf {
    ($word:literal: $($type:ty),+) => {
        $(impl Wire for $type {
            fn describe(schema: &mut Schema) {
                schema.word($word);
            }
        })+
    };
}

leaf!("bool": bool);
leaf!("u8": u8);
leaf!("u16": u16);
leaf!("u32": u32);
leaf!("u64": u64, usize);
leaf!("u128": u128);
leaf!("i8": i8);
leaf!("i16": i16);
leaf!("i32": i32);
leaf!("i64": i64, isize);
leaf!("i128": i128);
leaf!("f32": f32);
leaf!("f64": f64);
leaf!("char": char);
leaf!("string": String, str);
leaf!("bytes": Bytes, BytesMut);
leaf!("unit": ());
leaf!("duration": Duration);
leaf!("u64": ClientId, Incarnation, LogIndex, LogTime, NodeId, RequestId, SessionId, Term, Timestamp, Token, WriteId);
leaf!("u64": MachineId, ProtocolId);

macro_rules! around {
    ($word:literal: $($type:ty),+) => {
        $(impl<T: Wire> Wire for $type {
            fn describe(schema: &mut Schema) {
                schema.word($word);
                schema.member::<T>();
            }
        })+
    };
}

around!("option": Option<T>);
around!("list": Vec<T>, VecDeque<T>, BTreeSet<T>, [T]);

macro_rules! transparent {
    ($($type:ty),+) => {
        $(impl<T: Wire + ?Sized> Wire for $type {
            fn describe(schema: &mut Schema) {
                schema.member::<T>();
            }
        })+
    };
}

transparent!(Box<T>, Arc<T>, Rc<T>, &T);

impl<T: Wire, S> Wire for HashSet<T, S> {
    fn describe(schema: &mut Schema) {
        schema.word("list");
        schema.member::<T>();
    }
}

impl<T: Wire, const N: usize> Wire for [T; N] {
    fn describe(schema: &mut Schema) {
        schema.word(&format!("array{N}"));
        schema.member::<T>();
    }
}

impl<K: Wire, V: Wire> Wire for BTreeMap<K, V> {
    fn describe(schema: &mut Schema) {
        schema.word("map");
        schema.member::<K>();
        schema.member::<V>();
    }
}

impl<K: Wire, V: Wire, S> Wire for HashMap<K, V, S> {
    fn describe(schema: &mut Schema) {
        BTreeMap::<K, V>::describe(schema);
    }
}

impl<T: Wire, E: Wire> Wire for Result<T, E> {
    fn describe(schema: &mut Schema) {
        schema.word("result");
        schema.member::<T>();
        schema.member::<E>();
    }
}

macro_rules! tuple {
    ($($name:ident),+) => {
        impl<$($name: Wire),+> Wire for ($($name,)+) {
            fn describe(schema: &mut Schema) {
                schema.word("(");
                $(schema.member::<$name>();)+
                schema.word(")");
            }
        }
    };
}

tuple!(A);
tuple!(A, B);
tuple!(A, B, C);
tuple!(A, B, C, D);
tuple!(A, B, C, D, E);
tuple!(A, B, C, D, E, F);
tuple!(A, B, C, D, E, F, G);
tuple!(A, B, C, D, E, F, G, H);

impl Wire for SessionTag {
    fn describe(schema: &mut Schema) {
        schema.composite::<Self>(|schema| {
            schema.word("client");
            schema.member::<ClientId>();
            schema.word("sequence");
            schema.member::<u64>();
        });
    }
}

impl Wire for Outcome {
    fn describe(schema: &mut Schema) {
        schema.composite::<Self>(|schema| {
            schema.word("NotExecuted");
            schema.word("Unknown");
        });
    }
}
