//! Leases of the map: each runs out at a log time, and takes its keys along.
//!
//! Knows the keys by name only; the rows are the map's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use synod_protocols::LogTime;

use crate::services::kv::model::LeaseId;

/// More leases than this at a time are refused.
pub(crate) const LEASE_LIMIT: usize = 100_000;

/// All leases that have not run out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Leases {
    leases: BTreeMap<LeaseId, Lease>,
    ends: BTreeSet<(LogTime, LeaseId)>,
}

/// One lease.
#[derive(Clone, Debug)]
pub(crate) struct Lease {
    pub(crate) ttl: Duration,
    pub(crate) ends: LogTime,
    keys: BTreeSet<Arc<str>>,
}

impl Leases {
    /// Adds a lease without keys.
    pub(crate) fn add(&mut self, id: LeaseId, ttl: Duration, ends: LogTime) {
        self.remove(id);
        self.leases.insert(id, Lease { ttl, ends, keys: BTreeSet::new() });
        self.ends.insert((ends, id));
    }

    /// Puts off the end of a lease; says whether there is such a lease.
    pub(crate) fn renew(&mut self, id: LeaseId, time: LogTime) -> bool {
        let Some(lease) = self.leases.get_mut(&id) else { return false };
        self.ends.remove(&(lease.ends, id));
        lease.ends = time.after(lease.ttl);
        self.ends.insert((lease.ends, id));
        true
    }

    /// Takes a lease out, with the keys that go with it in order.
    pub(crate) fn remove(&mut self, id: LeaseId) -> Option<BTreeSet<Arc<str>>> {
        let lease = self.leases.remove(&id)?;
        self.ends.remove(&(lease.ends, id));
        Some(lease.keys)
    }

    /// Takes out one lease that has run out by `time`, the earliest first, with its keys.
    pub(crate) fn run_out(&mut self, time: LogTime) -> Option<BTreeSet<Arc<str>>> {
        let &(ends, id) = self.ends.first()?;
        if ends > time {
            return None;
        }
        self.remove(id)
    }

    /// Lets a key go with a lease.
    pub(crate) fn attach(&mut self, id: LeaseId, key: Arc<str>) {
        if let Some(lease) = self.leases.get_mut(&id) {
            lease.keys.insert(key);
        }
    }

    /// Lets a key go with the lease no longer.
    pub(crate) fn detach(&mut self, id: LeaseId, key: &str) {
        if let Some(lease) = self.leases.get_mut(&id) {
            lease.keys.remove(key);
        }
    }

    /// Whether there is such a lease.
    pub(crate) fn contains(&self, id: LeaseId) -> bool {
        self.leases.contains_key(&id)
    }

    /// How many leases there are.
    pub(crate) fn len(&self) -> usize {
        self.leases.len()
    }

    /// All leases in order of their ids.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (LeaseId, &Lease)> {
        self.leases.iter().map(|(&id, lease)| (id, lease))
    }

    /// When the next lease runs out.
    pub(crate) fn next_end(&self) -> Option<LogTime> {
        self.ends.first().map(|&(ends, _)| ends)
    }
}
