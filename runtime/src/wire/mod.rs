//! What travels between actors of different nodes: values as MessagePack in one of two forms, and the header before them.
//!
//! Knows nothing of actors. Compact arrays are for peers with the same schema, named maps for all others; who has which is
//! told by manifests.

mod codec;
mod codec_error;
mod scan;

pub use codec::{Form, decode, encode};
pub use codec_error::{DecodeError, EncodeError};
pub use scan::DEPTH_LIMIT;
