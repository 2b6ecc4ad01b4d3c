//! What is decoded, what is refused, and on how much stack.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use super::{DecodeError, EncodeError, Form, decode, encode};

const LIMIT: usize = 1 << 20;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Tree {
    children: Vec<Tree>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Chain {
    End,
    Link(Box<Chain>),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Old {
    key: String,
    value: Bytes,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Young {
    #[serde(default)]
    ttl: Option<u64>,
    value: Bytes,
    key: String,
}

fn encoded<T: Serialize>(value: &T, form: Form) -> BytesMut {
    let mut out = BytesMut::new();
    encode(value, form, &mut out).unwrap();
    out
}

fn chain(levels: usize) -> Chain {
    (0..levels).fold(Chain::End, |inner, _| Chain::Link(Box::new(inner)))
}

/// Runs on a stack of the size that an arbiter's thread has.
#[expect(clippy::disallowed_methods, reason = "the size of a stack is what is tested")]
fn on_small_stack<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
    std::thread::Builder::new().stack_size(2 << 20).spawn(run).unwrap().join().unwrap()
}

#[test]
fn both_forms_are_read_by_the_same_function() {
    let old = Old { key: "k".into(), value: Bytes::from_static(b"v") };
    for form in [Form::Compact, Form::Named] {
        assert_eq!(decode::<Old>(&encoded(&old, form), LIMIT).unwrap(), old);
    }
    assert_eq!(&encoded(&old, Form::Compact)[..], b"\x92\xA1k\xC4\x01v");
    let young = decode::<Young>(&encoded(&old, Form::Named), LIMIT).unwrap();
    assert_eq!(young, Young { ttl: None, value: old.value.clone(), key: "k".into() });
    assert!(decode::<Young>(&encoded(&old, Form::Compact), LIMIT).is_err(), "arrays shift silently");
}

#[test]
fn claims_of_four_gibibytes_are_refused_before_memory_is_taken() {
    for bomb in [0xDB_u8, 0xDD, 0xDF, 0xC6, 0xC9] {
        let bytes = [bomb, 0xFF, 0xFF, 0xFF, 0xFF];
        assert_eq!(decode::<Vec<u64>>(&bytes, LIMIT), Err(DecodeError::Truncated));
        assert_eq!(decode::<String>(&bytes, LIMIT), Err(DecodeError::Truncated));
        assert_eq!(decode::<BTreeMap<u64, u64>>(&bytes, LIMIT), Err(DecodeError::Truncated));
        assert_eq!(decode::<Bytes>(&bytes, LIMIT), Err(DecodeError::Truncated));
    }
}

#[test]
fn nested_arrays_are_refused_on_an_arbiters_stack() {
    let bomb = vec![0x91; 3 << 10];
    let refused = on_small_stack(move || decode::<Tree>(&bomb, LIMIT));
    assert_eq!(refused, Err(DecodeError::TooDeep { limit: 64 }));
}

#[test]
fn nested_enums_count_as_levels_too() {
    let legal = encoded(&chain(64), Form::Compact);
    assert_eq!(on_small_stack(move || decode::<Chain>(&legal, LIMIT)), Ok(chain(64)));
    for levels in [65, 20_000] {
        let link = encoded(&chain(1), Form::Compact);
        let one = &link[..link.len() - 4];
        let bomb = [one.repeat(levels), b"\xA3End".to_vec()].concat();
        let refused = on_small_stack(move || decode::<Chain>(&bomb, LIMIT));
        assert_eq!(refused, Err(DecodeError::TooDeep { limit: 64 }), "{levels} levels");
    }
}

#[test]
fn the_deepest_legal_value_fits_an_arbiters_stack() {
    let bytes = [vec![0x91; 64], vec![0x90]].concat();
    let decoded = on_small_stack(move || decode::<serde_tree::Any>(&bytes[1..], LIMIT).is_ok());
    assert!(decoded);
}

#[test]
fn every_prefix_and_every_suffix_is_an_error() {
    let bytes =
        encoded(&("text", 70_000_u32, -3_i8, [1.5_f64; 2], Some(Bytes::from(vec![9; 300]))), Form::Compact);
    for end in 0..bytes.len() {
        assert!(decode::<(String, u32, i8, [f64; 2], Option<Bytes>)>(&bytes[..end], LIMIT).is_err());
    }
    let mut longer = bytes.clone();
    longer.extend_from_slice(&[0xC0]);
    let refused = decode::<(String, u32, i8, [f64; 2], Option<Bytes>)>(&longer, LIMIT);
    assert_eq!(refused, Err(DecodeError::Trailing { excess: 1 }));
    assert_eq!(decode::<u8>(&[0xC1], LIMIT), Err(DecodeError::Malformed));
}

#[test]
fn a_longer_value_than_the_limit_is_not_looked_at() {
    let bytes = encoded(&vec![1_u8; 100], Form::Compact);
    let size = bytes.len();
    assert_eq!(decode::<Vec<u8>>(&bytes, 50), Err(DecodeError::TooLong { size, limit: 50 }));
}

#[test]
fn a_value_that_refuses_to_be_written_leaves_nothing() {
    struct Stubborn;
    impl Serialize for Stubborn {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("no"))
        }
    }
    let mut out = BytesMut::from(&b"before"[..]);
    let refused = encode(&("half", Stubborn), Form::Compact, &mut out);
    assert!(matches!(refused, Err(EncodeError(_))));
    assert_eq!(&out[..], b"before");
}

/// A type that takes any array, so that legal depth meets the most stack.
mod serde_tree {
    #[derive(Debug, serde::Deserialize)]
    pub(super) struct Any(#[allow(dead_code)] Vec<Any>);
}
