//! Starting a driver: what it takes from its node, and the order in which it is put together.

use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use actix::Actor;
use synod_protocols::{Protocol, Timestamp};

use crate::cluster::{Courier, Spoken};
use crate::driver::deadlines::Deadlines;
use crate::driver::feed::{Arrival, Feed, FeedLimits};
use crate::driver::handle::DriverHandle;
use crate::driver::inbox::FeedInbox;
use crate::driver::links::Links;
use crate::driver::meters::DriverMeters;
use crate::driver::persist::Writes;
use crate::driver::room::Room;
use crate::driver::state::Driver;
use crate::driver::throttle::Throttle;
use crate::driver::vigil::{Vigil, Watches};
use crate::env::{Clock, Spawner};
use crate::storage::Store;

/// What a driver takes from its node.
#[derive(Clone)]
pub struct Context {
    /// From which the seed of each machine follows.
    pub seed: u64,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Where the driver runs.
    pub spawner: Arc<dyn Spawner>,
    /// At which of the spawner's places.
    pub place: usize,
    /// The way to the drivers of the same protocol on other nodes.
    pub courier: Arc<dyn Courier>,
    /// Log and snapshots.
    pub store: Store,
    /// Where drivers count.
    pub meters: DriverMeters,
    /// How much may wait for the driver.
    pub limits: Limits,
    /// How fast snapshots are sent.
    pub throttle: Throttle,
    /// Who watches the nodes of peers; without it, machines that want to rely on that are told that nobody can be relied on.
    pub vigil: Option<Arc<dyn Vigil>>,
}

/// How much may wait for a driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of users' commands; beyond it they are refused as busy.
    pub user_bytes: usize,
    /// Bytes of peers' frames; beyond it they are dropped, which protocols take for loss.
    pub peer_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { user_bytes: 32 << 20, peer_bytes: 64 << 20 }
    }
}

impl<P: Protocol> Driver<P> {
    /// Starts the driver of a protocol at a place. It runs until [`DriverHandle::shutdown`].
    #[must_use]
    pub fn start(context: Context) -> DriverHandle<P> {
        let Context { seed, clock, spawner, place, courier, store, meters, limits, throttle, vigil } =
            context;
        let meters = meters.of(P::NAME);
        let feed = Feed::new(FeedLimits { user_bytes: limits.user_bytes, peer_bytes: limits.peer_bytes });
        let handle = DriverHandle::new(Arc::clone(&feed), store.clone());
        let inbox = FeedInbox { feed: Arc::clone(&feed), meters: meters.clone() };
        courier.subscribe(Spoken::of::<P>(), Arc::new(inbox));
        let space = Arc::clone(&feed);
        store.log().on_space(move |available| space.push(Arrival::Space(available)));
        if let Some(vigil) = &vigil {
            let silences = Arc::clone(&feed);
            vigil.subscribe(Box::new(move |peer| silences.push(Arrival::Silent { peer })));
        }
        let start = move || {
            let links = Links::new(courier, meters.clone());
            let driver = Self {
                seed,
                clock,
                store,
                meters,
                feed,
                machines: BTreeMap::new(),
                coming: BTreeMap::new(),
                links,
                writes: Writes::default(),
                deadlines: Deadlines::default(),
                applying: VecDeque::new(),
                broken: Vec::new(),
                deadline: Rc::new(Cell::new(Timestamp::NEVER)),
                last_stay: 0,
                throttle,
                room: Room::new(),
                watches: Watches::new(vigil),
                stopping: Vec::new(),
            };
            Actor::start(driver);
        };
        if let Err(start) = spawner.start_by_links(Box::new(start)) {
            spawner.start_at(place, start);
        }
        handle
    }
}
