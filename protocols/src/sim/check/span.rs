//! When an operation was open.

use crate::types::Timestamp;

/// When an operation was open; [`Timestamp::NEVER`] ends one whose outcome is unknown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) invoked: Timestamp,
    pub(super) returned: Timestamp,
}
