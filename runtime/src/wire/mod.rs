//! What travels between actors of different nodes: values as MessagePack in one of two forms, and the header before them.
//!
//! Knows nothing of actors. Compact arrays are for peers with the same schema, named maps for all others; who has which is
//! told by manifests.

mod codec;
mod codec_error;
mod envelope;
mod fields;
mod load;
mod manifest;
mod scan;
mod schema;
mod shapes;
pub mod slice;
mod trace;

pub(crate) use codec::encode_body;
pub use codec::{Form, decode, encode};
pub use codec_error::{DecodeError, EncodeError};
pub use envelope::{Call, Grant, Head};
pub use fields::EnvelopeError;
pub use load::Load;
pub use manifest::{
    Agreed, Described, MANIFEST_BYTES_MAX, Manifest, MessageShape, message_number, split_number,
};
pub(crate) use manifest::{INITIAL_BYTES, PROTOCOL};
pub use scan::DEPTH_LIMIT;
pub use schema::{Schema, Shape, Wire, WireId};
pub use trace::traced;
