//! The wall clock of a simulated process, as TLS and address validation read it.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use quinn::TimeSource;
use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;

/// Tells the time since the Unix epoch.
pub type Wall = Arc<dyn Fn() -> Duration + Send + Sync>;

/// A wall clock.
#[derive(Clone)]
pub(crate) struct WallClock(pub(crate) Wall);

impl TimeProvider for WallClock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch((self.0)()))
    }
}

impl TimeSource for WallClock {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + (self.0)()
    }
}

impl fmt::Debug for WallClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WallClock")
    }
}
