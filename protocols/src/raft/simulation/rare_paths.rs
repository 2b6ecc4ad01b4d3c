//! The rare paths of the machine by name, so that a report can tell those that no run ever took.
//!
//! A test compares this list with the machine's sources.

/// Every rare path that a run may take.
pub const RARE_PATHS: [&str; 30] = [
    "answer of a node that is no member ignored",
    "answer of an earlier term ignored",
    "answer to an earlier replication ignored",
    "committed entries could not be read",
    "committed entries read back",
    "configuration taken back",
    "conflicting tail replaced",
    "entries not taken without space",
    "entries of an earlier term wait for one of this term",
    "follower without space",
    "late pre-vote ignored",
    "leader that is no voter stepped down",
    "log on disk made to follow the snapshot",
    "lost disk replaced at its node's wish",
    "no campaign while the disk stalls",
    "no campaign without space",
    "reads wait for the first commit of the term",
    "request to campaign ignored",
    "snapshot behind the commit index dropped",
    "snapshot of a past leader dropped",
    "snapshot of entries already held dropped",
    "snapshot sent to a peer that is behind the log",
    "stepped down without a quorum",
    "transfer abandoned",
    "unsent proposals taken back",
    "vote of another disk ignored",
    "vote withheld from a disk that is not the member's",
    "vote withheld from whoever does not hear the leader",
    "witness sent where the log begins",
    "word of another disk ignored",
];
