//! What a synchronous call finds around it: during a decode the node and the frame, during a restart the new actor.
//!
//! The one thread-local of the house. It is set by a guard for the length of one call and restored when the guard goes,
//! also on a panic.

use std::any::Any;
use std::cell::RefCell;
use std::mem;
use std::sync::Arc;

use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::actor::Core;
use crate::wire::{DecodeError, decode};

thread_local! {
    static SCOPE: RefCell<Scope> = const { RefCell::new(Scope { core: None, frame: None, successor: None }) };
}

struct Scope {
    core: Option<Arc<Core>>,
    frame: Option<Bytes>,
    successor: Option<Box<dyn Any>>,
}

/// Smaller frames are copied: a slice would keep the whole batch in memory, and counting references costs as much.
const SLICE_BYTES_MIN: usize = 1024;

/// Decodes values whose references belong to one node.
pub(crate) struct Decoder {
    core: Option<Arc<Core>>,
}

impl Decoder {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self { core: Some(core) }
    }

    /// Decodes one value; references in it are bound, and its byte fields may be slices of `body`.
    pub(crate) fn decode<T: DeserializeOwned>(
        &mut self,
        body: &Bytes,
        limit: usize,
    ) -> Result<T, DecodeError> {
        let frame = (body.len() >= SLICE_BYTES_MIN).then(|| body.clone());
        let _guard = DecodeGuard::enter(&mut self.core, frame);
        decode(body, limit)
    }

    /// The same for a body that is no part of a frame: its byte fields are copies.
    pub(crate) fn decode_copied<T: DeserializeOwned>(
        &mut self,
        body: &[u8],
        limit: usize,
    ) -> Result<T, DecodeError> {
        let _guard = DecodeGuard::enter(&mut self.core, None);
        decode(body, limit)
    }
}

/// Puts a node and a frame around a decode, moving the node in and out so that no reference is counted.
struct DecodeGuard<'a> {
    core: &'a mut Option<Arc<Core>>,
    outer_frame: Option<Bytes>,
}

impl<'a> DecodeGuard<'a> {
    fn enter(core: &'a mut Option<Arc<Core>>, frame: Option<Bytes>) -> Self {
        SCOPE.with_borrow_mut(|scope| {
            mem::swap(&mut scope.core, core);
            Self { core, outer_frame: mem::replace(&mut scope.frame, frame) }
        })
    }
}

impl Drop for DecodeGuard<'_> {
    fn drop(&mut self) {
        let _frame = SCOPE.with_borrow_mut(|scope| {
            mem::swap(&mut scope.core, self.core);
            mem::replace(&mut scope.frame, self.outer_frame.take())
        });
    }
}

/// The node to which a reference decoded here belongs.
pub(crate) fn node() -> Option<Arc<Core>> {
    SCOPE.with_borrow(|scope| scope.core.clone())
}

/// The part of the frame that is `bytes`, without a copy; `None` when they are not of the frame.
pub(crate) fn slice_of_frame(bytes: &[u8]) -> Option<Bytes> {
    SCOPE.with_borrow(|scope| {
        let frame = scope.frame.as_ref()?;
        let inside = frame.as_ptr_range();
        let part = bytes.as_ptr_range();
        (inside.start <= part.start && part.end <= inside.end).then(|| frame.slice_ref(bytes))
    })
}

/// Calls `restart` with the new actor at hand for [`take_successor`].
pub(crate) fn with_successor<A: 'static, R>(successor: A, restart: impl FnOnce() -> R) -> R {
    struct Restore(Option<Box<dyn Any>>);
    impl Drop for Restore {
        fn drop(&mut self) {
            let _unused = SCOPE.with_borrow_mut(|scope| mem::replace(&mut scope.successor, self.0.take()));
        }
    }
    let outer = SCOPE.with_borrow_mut(|scope| scope.successor.replace(Box::new(successor)));
    let _restore = Restore(outer);
    restart()
}

/// The actor that takes the place of one that panicked. For `#[derive(Remote)]`; `None` outside a restart.
#[doc(hidden)]
#[must_use]
pub fn take_successor<A: 'static>() -> Option<A> {
    let successor = SCOPE.with_borrow_mut(|scope| scope.successor.take())?;
    match successor.downcast::<A>() {
        Ok(successor) => Some(*successor),
        Err(other) => {
            SCOPE.with_borrow_mut(|scope| scope.successor = Some(other));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_fields_of_a_large_frame_are_slices_of_it() {
        #[derive(serde::Deserialize)]
        struct Message(#[serde(with = "crate::wire::slice")] Bytes);
        let frame = Bytes::from([&[0xC5, 0x10, 0x00][..], &[7; 4096]].concat());
        let mut nobody = None;
        let inside = {
            let _guard = DecodeGuard::enter(&mut nobody, Some(frame.clone()));
            decode::<Message>(&frame, 1 << 20).unwrap().0
        };
        assert_eq!(inside.as_ptr(), frame[3..].as_ptr());
        let outside = decode::<Message>(&frame, 1 << 20).unwrap().0;
        assert_eq!(outside, inside);
        assert_ne!(outside.as_ptr(), inside.as_ptr(), "without the frame it is a copy");
    }

    #[test]
    fn a_successor_is_for_its_own_type_and_for_the_length_of_the_restart() {
        with_successor(5_u8, || {
            assert_eq!(take_successor::<u16>(), None);
            assert_eq!(take_successor::<u8>(), Some(5));
            assert_eq!(take_successor::<u8>(), None);
        });
        with_successor(5_u8, || {});
        assert_eq!(take_successor::<u8>(), None);
        let caught = std::panic::catch_unwind(|| with_successor(5_u8, || panic!("in the restart")));
        assert!(caught.is_err());
        assert_eq!(take_successor::<u8>(), None);
    }
}
