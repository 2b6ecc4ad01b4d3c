//! How fast a node sends snapshots: so many bytes a second in all, so that its clients and peers have the rest.

use std::num::NonZeroU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// A rate that is shared by everything a node sends at it; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Throttle {
    rate: Option<NonZeroU64>,
    /// When what was let through so far has had its time.
    free: Arc<Mutex<Option<Instant>>>,
}

impl Throttle {
    /// So many bytes a second; no limit when that is zero.
    #[must_use]
    pub fn new(bytes_per_second: u64) -> Self {
        Self { rate: NonZeroU64::new(bytes_per_second), free: Arc::default() }
    }

    /// Completes when so many bytes may be sent.
    pub(crate) async fn pass(&self, bytes: usize) {
        let Some(rate) = self.rate else { return };
        let turn = {
            let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
            let turn = free.map_or_else(Instant::now, |free| free.max(Instant::now()));
            *free = Some(turn + Duration::from_secs_f64(bytes as f64 / rate.get() as f64));
            turn
        };
        sleep_until(turn).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_shares_a_throttle_shares_its_rate() {
        let (throttle, begun) = (Throttle::new(1_000), Instant::now());
        let send = |throttle: Throttle| async move {
            for _ in 0..5 {
                throttle.pass(500).await;
            }
            throttle.pass(0).await;
        };
        tokio::join!(send(throttle.clone()), send(throttle));
        assert_eq!(begun.elapsed().as_secs(), 5, "ten times half a second");
        let begun = Instant::now();
        send(Throttle::default()).await;
        assert!(begun.elapsed().is_zero());
    }
}
