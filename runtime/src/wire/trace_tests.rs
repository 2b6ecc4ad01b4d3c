//! Structures that differ have other shapes, wherever they differ; what cannot be seen through travels by names.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::num::NonZeroU8;

use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use synod_protocols::Protocol;
use synod_protocols::liveness::Liveness;
use synod_protocols::raft::Raft;

use super::*;
use crate::wire::{Form, decode, encode};

/// Makes a module with one enumeration `Word`.
macro_rules! version {
    ($module:ident { $($item:item)* }) => {
        #[expect(dead_code, reason = "only its structure matters")]
        mod $module {
            use super::*;
            $(#[derive(Deserialize)] $item)*
        }
    };
}

version!(first {
    pub(super) enum Word { Ask { term: u64, by: Who }, Tell(Vec<Who>), Stop }
    pub(super) enum Who { Node(u64), Nobody, Named { name: String, alias: Option<Inner> } }
    pub(super) enum Inner { One(u8), Two(u16) }
});
version!(renamed_types {
    pub(super) enum Word { Ask { term: u64, by: Whoever }, Tell(Vec<Whoever>), Stop }
    pub(super) enum Whoever { Node(u64), Nobody, Named { name: String, alias: Option<Deep> } }
    pub(super) enum Deep { One(u8), Two(u16) }
});
version!(another_field {
    pub(super) enum Word { Ask { term: u64, by: Who, #[serde(default)] since: u64 }, Tell(Vec<Who>), Stop }
    pub(super) enum Who { Node(u64), Nobody, Named { name: String, alias: Option<Inner> } }
    pub(super) enum Inner { One(u8), Two(u16) }
});
version!(another_order {
    pub(super) enum Word { Ask { by: Who, term: u64 }, Tell(Vec<Who>), Stop }
    pub(super) enum Who { Node(u64), Nobody, Named { name: String, alias: Option<Inner> } }
    pub(super) enum Inner { One(u8), Two(u16) }
});
version!(another_variant_far_below {
    pub(super) enum Word { Ask { term: u64, by: Who }, Tell(Vec<Who>), Stop }
    pub(super) enum Who { Node(u64), Nobody, Named { name: String, alias: Option<Inner> } }
    pub(super) enum Inner { One(u8), Two(u16), Three }
});
version!(another_type_in_the_last_variant_of_the_last_field {
    pub(super) enum Word { Ask { term: u64, by: Who }, Tell(Vec<Who>), Stop }
    pub(super) enum Who { Node(u64), Nobody, Named { name: String, alias: Option<Inner> } }
    pub(super) enum Inner { One(u8), Two(u32) }
});

#[test]
fn every_difference_is_seen_but_the_names_of_types() {
    let first = traced::<first::Word>();
    assert!(first.compact);
    assert_eq!(first, traced::<renamed_types::Word>());
    let others = [
        traced::<another_field::Word>(),
        traced::<another_order::Word>(),
        traced::<another_variant_far_below::Word>(),
        traced::<another_type_in_the_last_variant_of_the_last_field::Word>(),
    ];
    for (position, other) in others.iter().enumerate() {
        assert!(other.compact, "number {position}");
        assert_ne!(*other, first, "number {position}");
    }
}

#[test]
fn what_is_written_differently_is_seen() {
    let shapes = [
        traced::<(u8, u16)>(),
        traced::<(u16, u8)>(),
        traced::<Option<u8>>(),
        traced::<Vec<u8>>(),
        traced::<Bytes>(),
        traced::<BTreeMap<u8, u16>>(),
        traced::<BTreeMap<u16, u8>>(),
        traced::<Result<u8, ()>>(),
    ];
    for (position, shape) in shapes.iter().enumerate() {
        assert!(shape.compact && !shapes[..position].contains(shape), "number {position}");
    }
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only its structure matters")]
struct Chain {
    next: Option<Box<Chain>>,
}

#[test]
fn what_contains_itself_or_refuses_zero_travels_by_names() {
    assert!(!traced::<Chain>().compact);
    assert!(!traced::<(u8, NonZeroU8)>().compact);
    assert_ne!(traced::<(u8, NonZeroU8)>().fingerprint, traced::<(u16, NonZeroU8)>().fingerprint);
}

/// Equal versions of the program talk in arrays; that costs half the bytes.
#[test]
fn our_own_protocols_are_known_completely() {
    assert!(traced::<<Raft as Protocol>::Message>().compact);
    assert!(traced::<<Liveness as Protocol>::Message>().compact);
}

/// One value with each variant of everything that is in it.
fn samples<T: DeserializeOwned>() -> Vec<T> {
    let mut samples = Vec::new();
    assert!(Trace::default().walk(|sample| samples.push(sample)));
    samples
}

/// Whatever our machines say is read in both forms, so that nodes of two versions may talk.
fn is_read_in_both_forms<T: Serialize + DeserializeOwned + PartialEq + Debug>() -> usize {
    let samples = samples::<T>();
    for sample in &samples {
        for form in [Form::Compact, Form::Named] {
            let mut bytes = BytesMut::new();
            encode(sample, form, &mut bytes).unwrap();
            assert_eq!(decode::<T>(&bytes, 1 << 20).as_ref(), Ok(sample), "{form:?}");
        }
    }
    samples.len()
}

#[test]
fn every_message_of_our_protocols_is_read_in_both_forms() {
    assert!(is_read_in_both_forms::<<Raft as Protocol>::Message>() > 22);
    assert_eq!(is_read_in_both_forms::<<Liveness as Protocol>::Message>(), 1);
}
