//! So many requests under way at a time, each followed by the next: how long they take. `samples/versus` measures its peers with this
//! very file.

use std::cell::RefCell;
use std::future::Future;
use std::panic::resume_unwind;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::latency::Latencies;

/// Asks for so long, on this thread, and gives how long that took in the end.
///
/// # Errors
/// The first one of a request.
pub(crate) async fn asks<R, T, E>(
    at_once: usize,
    duration: Duration,
    ask: impl Fn() -> R + Clone + 'static,
) -> Result<(Duration, Latencies), E>
where
    R: Future<Output = Result<T, E>> + 'static,
    E: 'static,
{
    // One for all of them: a thousand such tables take longer to fill with zeros than the asks do.
    let all = Rc::new(RefCell::new(Latencies::default()));
    let began = Instant::now();
    let askers: Vec<_> = (0..at_once)
        .map(|_| {
            let (ask, latencies) = (ask.clone(), all.clone());
            actix_rt::spawn(async move {
                let mut asked = Instant::now();
                while asked < began + duration {
                    ask().await?;
                    let answered = Instant::now();
                    latencies.borrow_mut().add(answered - asked);
                    asked = answered;
                }
                Ok::<_, E>(())
            })
        })
        .collect();
    for asker in askers {
        // Nobody cancels them.
        asker.await.unwrap_or_else(|panicked| resume_unwind(panicked.into_panic()))?;
    }
    let took = began.elapsed();
    Ok((took, all.take()))
}
