//! The driver's state; what it does stands in its neighbours, by role.

use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use synod_protocols::{Protocol, Timestamp};
use tokio::sync::oneshot;

use crate::address::MachineId;
use crate::driver::deadlines::Deadlines;
use crate::driver::feed::Feed;
use crate::driver::links::Links;
use crate::driver::machines::{Coming, Hosted};
use crate::driver::meters::Meters;
use crate::driver::persist::Writes;
use crate::driver::room::Room;
use crate::driver::seat::Seat;
use crate::driver::throttle::Throttle;
use crate::driver::vigil::Watches;
use crate::env::Clock;
use crate::storage::Store;

/// Drives all machines of one protocol at one place.
pub struct Driver<P: Protocol> {
    pub(crate) seed: u64,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) store: Store,
    pub(crate) meters: Meters,
    pub(crate) feed: Arc<Feed<P>>,
    /// Boxed, so that thousands of them take no more than they need.
    pub(crate) machines: BTreeMap<MachineId, Box<Hosted<P>>>,
    /// Machines whose snapshots are being read; they are hosted when that is done.
    pub(crate) coming: BTreeMap<MachineId, Coming<P>>,
    pub(crate) links: Links<P>,
    pub(crate) writes: Writes,
    pub(crate) deadlines: Deadlines,
    /// Machines with entries that are to take effect before the turn ends.
    pub(crate) applying: VecDeque<MachineId>,
    /// Machines that cannot go on; they fail before the turn ends.
    pub(crate) broken: Vec<Seat>,
    /// Read by the wakes after each turn.
    pub(crate) deadline: Rc<Cell<Timestamp>>,
    pub(crate) last_stay: u64,
    /// How fast snapshots are sent.
    pub(crate) throttle: Throttle,
    /// Whether entries may be written.
    pub(crate) room: Room,
    /// Of whose silence machines want to hear.
    pub(crate) watches: Watches,
    /// Who waits until everything promised is durable; nothing is accepted then.
    pub(crate) stopping: Vec<oneshot::Sender<()>>,
}
