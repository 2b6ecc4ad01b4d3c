//! One end of a connection in memory, and what the two ends of a session say to each other over it.

use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant;

use super::link::MemoryLink;
use crate::lane::LANES;
use crate::session::{Resume, Session};

/// One end.
pub(crate) struct End {
    pub(crate) link: Arc<MemoryLink>,
    pub(crate) heard: Instant,
    pub(crate) frame_max: usize,
    pub(crate) lanes: [Way; LANES],
    /// What this end says of the session that it holds.
    pub(crate) own: Option<Resume>,
    /// When that arrives: nothing else of the session arrives before.
    pub(crate) said: Option<Instant>,
    /// The session that was there before, until the peer has said which one it holds.
    pub(crate) held: Option<Arc<Session>>,
    /// The session that the connection carries.
    pub(crate) session: Option<Arc<Session>>,
}

/// One lane on its way out.
#[derive(Default)]
pub(crate) struct Way {
    pub(crate) last: Option<Instant>,
    /// A batch that did not get through, and how many frames it holds.
    pub(crate) held: Option<(Bytes, usize)>,
}

impl End {
    pub(crate) fn new(link: MemoryLink, frame_max: usize) -> Self {
        Self {
            link: Arc::new(link),
            heard: Instant::now(),
            frame_max,
            lanes: Default::default(),
            own: None,
            said: None,
            held: None,
            session: None,
        }
    }
}
