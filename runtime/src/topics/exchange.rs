//! Tells peers what this node has subscribers for: when that changes, and over each new connection.

use std::sync::{Arc, Weak};
use std::time::Duration;

use synod_transport::LinkError;
use tokio::time::sleep;

use crate::actor::ActorSystem;
use crate::topics::board::Board;
use crate::topics::inbox::TopicInbox;
use crate::topics::notice::Word;

/// How long to wait before a peer is told whose link had no room.
const AGAIN: Duration = Duration::from_millis(20);

impl Board {
    /// The topics of a node, told to its peers from here on until the board is dropped.
    pub(crate) fn start(system: &ActorSystem) -> Arc<Self> {
        let board = Arc::new(Self::new(system.clone()));
        board.courier().subscribe(Word::spoken(), Arc::new(TopicInbox(Arc::downgrade(&board))));
        board.miss_what_was_said();
        system.core.run(0, exchange(Arc::downgrade(&board)));
        board
    }
}

async fn exchange(board: Weak<Board>) {
    let Some(changed) = board.upgrade().map(|board| board.changed.clone()) else { return };
    let mut is_done = true;
    loop {
        if is_done {
            changed.notified().await;
        } else {
            tokio::select! {
                biased;
                () = changed.notified() => {}
                () = sleep(AGAIN) => {}
            }
        }
        let Some(board) = board.upgrade() else { return };
        is_done = tell(&board);
    }
}

/// Tells everybody everything; `false` when a link had no room.
fn tell(board: &Board) -> bool {
    let mut is_done = true;
    loop {
        let mut was_told = false;
        for errand in board.errands() {
            let sent = board
                .courier()
                .send(errand.to, Word::protocol(), &mut |form, out| errand.word.write(form, out));
            match sent {
                Ok(()) => {
                    board.told(&errand);
                    was_told = true;
                }
                Err(LinkError::Full) => is_done = false,
                // The board hears that it is gone, and is told when there is another.
                Err(LinkError::Closed | LinkError::Broken(_)) => {}
                Err(LinkError::TooLarge { .. }) => unreachable!("a notice is far below any limit"),
            }
        }
        if !was_told {
            return is_done;
        }
    }
}
