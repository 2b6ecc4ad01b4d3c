//! The one driver of all protocols: it feeds machines their inputs and carries out their effects.
//!
//! [`Driver`] is the only actor that drives protocols, with the only `match` over effects. One driver per protocol and place hosts
//! all machines of that protocol there. Each turn takes everything that arrived, steps the machines concerned, sends one frame
//! per peer and makes one write to the log; what has to wait for that write waits in the machine's gate. Group commit follows:
//! while one write is being made durable, the next one gathers.
//!
//! An application's own protocol is one `impl Protocol`: [`Driver::start`] gives it disk, links and metrics, and a [`Host`] is
//! needed only when it applies entries to something.

mod create_error;
mod deadlines;
mod effects;
mod feed;
mod frame;
mod frozen;
mod gate;
mod handle;
mod host;
mod hosting;
mod inbox;
mod links;
mod machines;
mod meters;
mod persist;
mod recovery;
mod room;
mod seat;
mod shipment;
mod snapshots;
mod start;
mod state;
#[cfg(test)]
mod tests;
mod thaw;
mod throttle;
mod turn;
mod vigil;
mod wakes;

pub use create_error::CreateError;
pub use frozen::Frozen;
pub use handle::{CommandError, DriverHandle};
pub use host::{Effected, Host, PlainHost};
pub use meters::DriverMeters;
pub(crate) use persist::encode_records;
pub use start::{Context, Limits};
pub use state::Driver;
pub use thaw::{Thaw, Thawed};
pub use throttle::Throttle;
pub use vigil::Vigil;
