//! The links of a node to its peers, as the rooms of the runtime see them.
//!
//! Which bytes travel is the transport's business, what they mean that of [`crate::storage`]'s and the driver's neighbours; here a
//! peer has a [`synod_protocols::NodeId`] and a frame has an addressee.

mod answer;
mod arrivals;
mod cancelled;
mod courier;
mod delivery;
mod flow;
mod links;
mod owing;
mod parcels;
mod pending;
mod post;
mod send_error;
mod session;
mod sweeper;
mod switchboard;
mod tally;
mod unpacking;
mod waiting;

pub(crate) use answer::{Answer, Body};
pub use courier::{Courier, Inbox, Spoken};
pub(crate) use flow::Flow;
pub(crate) use links::{Links, Way};
pub(crate) use parcels::Parcel;
pub(crate) use post::Post;
pub(crate) use send_error::SendError;
pub(crate) use session::{Agreement, Session};
pub(crate) use sweeper::sweep;
pub(crate) use switchboard::Switchboard;
pub(crate) use waiting::Waiting;
