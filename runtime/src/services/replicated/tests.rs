//! The application side without a cluster: sessions, unreadable commands, snapshots of both.

mod host;
