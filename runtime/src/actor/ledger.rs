//! What each peer has sent to one actor and not been told to be handled: the receiving end's view of the windows, kept in the actor's
//! feed. The sending end's view is [`crate::cluster::Flow`].
//!
//! A peer is told when half of its window has been handled, so that one whose messages are handled as they come never waits.

use std::sync::Arc;

use crate::cluster::Session;
use crate::wire::{Grant, INITIAL_BYTES, Load};

/// No peer's window is ever smaller than this, however many share the feed.
const SHARE_MIN: Load = Load::window(64, 1 << 20);

/// What one peer may have in a feed before that has said a word, whatever the manifest that it knows has announced.
const UNTOLD_MAX: Load = Load::window(INITIAL_MAX, INITIAL_BYTES);

/// The largest window that a manifest announces, in messages.
pub(crate) const INITIAL_MAX: u32 = 1024;

/// The accounts of one feed.
#[derive(Default)]
pub(crate) struct Ledger {
    accounts: Vec<Account>,
}

struct Account {
    session: Arc<Session>,
    /// In the feed, or in its pump's hands.
    waiting: Load,
    /// Handled since the peer was told.
    untold: Load,
    /// What the peer was told last; at first the least that it can have been told.
    window: Load,
}

/// What a peer is to be told of an actor's feed.
pub(crate) struct Word {
    pub(crate) session: Arc<Session>,
    pub(crate) spent: Load,
    pub(crate) grant: Grant,
}

/// What became of an account that was to be closed.
pub(crate) enum Closing {
    /// There is none.
    Nothing,
    /// Something waits.
    Busy,
    /// It is closed, and the peer is to be told.
    Closed(Word),
}

impl Ledger {
    /// Opens an account unless there is one; `true` when it did.
    pub(crate) fn open(&mut self, session: &Arc<Session>, window: impl FnOnce() -> Load) -> bool {
        if self.position(session).is_some() {
            return false;
        }
        let (waiting, untold) = (Load::default(), Load::default());
        self.accounts.reserve_exact(1);
        self.accounts.push(Account { session: session.clone(), waiting, untold, window: window() });
        true
    }

    /// Enters one message that came; `false` when it is more than any window allows. `all` is the window of a peer that has the feed
    /// for itself.
    pub(crate) fn enter(&mut self, session: &Arc<Session>, load: Load, all: Load) -> bool {
        let Some(position) = self.position(session) else { return false };
        let account = &mut self.accounts[position];
        let most = Load {
            messages: all.messages.max(UNTOLD_MAX.messages),
            blocks: all.blocks.max(UNTOLD_MAX.blocks),
        };
        if !most.has_room_beside(account.waiting) {
            return false;
        }
        account.waiting += load;
        true
    }

    /// Writes off what was handled; gives what the peer is to be told, if half of its window has gone.
    pub(crate) fn spend(&mut self, session: &Arc<Session>, load: Load, all: Load) -> Option<Word> {
        let share = self.share(all);
        // The link may have ended meanwhile.
        let position = self.position(session)?;
        let account = &mut self.accounts[position];
        account.waiting -= load;
        account.untold += load;
        if !account.untold.is_half_of(account.window) {
            return None;
        }
        let grant = if share == account.window { Grant::Same } else { Grant::Window(share) };
        account.window = share;
        let spent = std::mem::take(&mut account.untold);
        Some(Word { session: account.session.clone(), spent, grant })
    }

    /// Whether something waits.
    pub(crate) fn holds(&self, session: &Arc<Session>) -> bool {
        self.position(session).is_some_and(|position| self.accounts[position].waiting != Load::default())
    }

    /// Closes an account in which nothing waits.
    pub(crate) fn close(&mut self, session: &Arc<Session>) -> Closing {
        let Some(position) = self.position(session) else { return Closing::Nothing };
        if self.accounts[position].waiting != Load::default() {
            return Closing::Busy;
        }
        let Account { session, untold, .. } = self.accounts.swap_remove(position);
        Closing::Closed(Word { session, spent: untold, grant: Grant::Initial })
    }

    /// The link has ended; gives whether there was an account.
    pub(crate) fn part(&mut self, session: &Arc<Session>) -> bool {
        let position = self.position(session);
        position.map(|position| self.accounts.swap_remove(position)).is_some()
    }

    /// The actor has stopped: what every peer is to be told.
    pub(crate) fn end(&mut self) -> Vec<Word> {
        let accounts = std::mem::take(&mut self.accounts);
        let gone =
            |account: Account| Word { session: account.session, spent: Load::default(), grant: Grant::Gone };
        accounts.into_iter().map(gone).collect()
    }

    /// The window of each of those who have accounts.
    fn share(&self, all: Load) -> Load {
        let peers = u32::try_from(self.accounts.len()).unwrap_or(u32::MAX).max(1);
        let share = |all: u32, least: u32| (all / peers).max(least.min(all)).max(1);
        Load {
            messages: share(all.messages, SHARE_MIN.messages),
            blocks: share(all.blocks, SHARE_MIN.blocks),
        }
    }

    fn position(&self, session: &Arc<Session>) -> Option<usize> {
        self.accounts.iter().position(|account| Arc::ptr_eq(&account.session, session))
    }
}
