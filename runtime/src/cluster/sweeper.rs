//! Fails requests whose deadline has passed: one task for a node, its actors and all of its links, one timer for all requests.

use std::sync::Weak;
use std::time::Duration;

use tokio::time::timeout;

use crate::actor::Core;

/// How much later than its deadline a request may fail: all that are due within it fail together.
const COARSE: Duration = Duration::from_millis(4);

/// Runs for as long as the actor system is there.
pub(crate) async fn sweep(core: Weak<Core>) {
    while let Some(strong) = core.upgrade() {
        let sooner = strong.sooner.clone();
        let now = strong.now();
        let links = strong.links.all();
        for session in &links {
            if session.pending.due().is_some_and(|due| due <= now) {
                session.pending.expire(now);
            }
        }
        strong.patience.expire(now);
        let due = links.iter().filter_map(|session| session.pending.due()).chain(strong.patience.due()).min();
        drop((links, strong));
        match due {
            None => sooner.notified().await,
            // Whether the time has come or an earlier deadline, the next round looks at all of them.
            Some(due) => drop(timeout(due.since(now) + COARSE, sooner.notified()).await),
        }
    }
}
