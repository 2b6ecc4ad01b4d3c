//! The clients of our own nodes: they look for the leader, then each writes again and again, the next when the last has taken effect.

use std::time::{Duration, Instant};

use bytes::Bytes;
use synod::protocols::raft::{Command, Raft, Reply, Role};

use crate::cell::Cell;

/// Between two looks for a leader.
const LOOK: Duration = Duration::from_millis(10);

/// The way to one node's machine; clones reach the same one.
pub(super) trait Member: Clone + 'static {
    /// Gives the machine a command, and waits for its reply.
    async fn ask(&self, command: Command) -> Reply;
}

impl Member for synod::node::Machine<Raft> {
    async fn ask(&self, command: Command) -> Reply {
        self.command(command).await.expect("a reply")
    }
}

/// The one that leads, once one does.
pub(super) async fn leader<M: Member>(members: &[M]) -> &M {
    loop {
        for member in members {
            if let Reply::Status(status) = member.ask(Command::Status).await
                && status.role == Role::Leader
            {
                return member;
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Writes a second.
pub(super) async fn write<M: Member>(leader: &M, cell: Cell, duration: Duration) -> f64 {
    let began = Instant::now();
    let until = began + duration;
    let clients: Vec<_> = (0..cell.clients)
        .map(|_| actix_rt::spawn(write_until(leader.clone(), cell.payload, until)))
        .collect();
    let mut written = 0;
    for client in clients {
        written += client.await.expect("a client");
    }
    written as f64 / began.elapsed().as_secs_f64()
}

async fn write_until<M: Member>(leader: M, payload: usize, until: Instant) -> u64 {
    let payload = vec![b'v'; payload];
    let mut written = 0;
    while Instant::now() < until {
        let payload = Bytes::copy_from_slice(&payload);
        let reply = leader.ask(Command::Propose { session: None, payload }).await;
        assert!(matches!(reply, Reply::Applied { .. }), "{reply:?}");
        written += 1;
    }
    written
}
