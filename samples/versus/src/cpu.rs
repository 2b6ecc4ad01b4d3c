//! The processor time of this thread: what one core could do, however many others want it.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Time that this thread has run.
pub(crate) fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        u64::try_from(time.tv_sec).expect("a thread's time is not negative"),
        u32::try_from(time.tv_nsec).expect("less than a second"),
    )
}
