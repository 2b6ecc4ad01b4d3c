//! Why bytes did not become a value, or a value bytes.

/// Why bytes are not a value of the type asked for. Nothing was taken from them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// There are more bytes than the reader accepts.
    #[error("{size} bytes exceed the limit of {limit}")]
    TooLong {
        /// The size, in bytes.
        size: usize,
        /// The limit, in bytes.
        limit: usize,
    },
    /// Arrays and maps are nested too deeply.
    #[error("nested deeper than {limit} levels")]
    TooDeep {
        /// The limit, in levels.
        limit: usize,
    },
    /// A length claims more than there is.
    #[error("a length claims more bytes than there are")]
    Truncated,
    /// A byte that MessagePack does not use.
    #[error("not MessagePack")]
    Malformed,
    /// Bytes follow the value.
    #[error("{excess} bytes follow the value")]
    Trailing {
        /// How many.
        excess: usize,
    },
    /// The bytes are well formed and of another type; the text names the difference.
    #[error("{0}")]
    Mismatch(String),
}

/// Why a value cannot be written: its `Serialize` refused. Nothing was appended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the value cannot be encoded: {0}")]
pub struct EncodeError(pub String);
