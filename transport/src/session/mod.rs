//! The session between two living incarnations, which outlives the connections that carry it: both implementations use it.
//!
//! Frames are counted for each lane and direction from the session's start; no number travels with a frame. Each end keeps what it
//! has written until the other says that it has received it, and when a connection takes the place of one that broke, each end says
//! first how much it has received ([`Resume`]): what lies beyond is written again. A session ends when the peer says goodbye, when
//! it comes back as another incarnation, or when it stays away for longer than the reconnect window; what was not acknowledged is
//! given back then.

mod open;
mod receipts;
mod replay;
mod resume;
mod table;

pub(crate) use open::{Birth, Carrier, Session, SessionName, is_final};
pub(crate) use receipts::{ACK_DELAY, Due};
pub(crate) use replay::{Impossible, Replay};
pub(crate) use resume::{RESUME_BYTES, Resume};
pub(crate) use table::Sessions;
