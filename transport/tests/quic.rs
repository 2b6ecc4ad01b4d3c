//! What only QUIC can be asked: who is let in, and what hostile peers achieve.

#[path = "conformance/recorder/breaks.rs"]
mod breaks;
#[path = "quic/dialling.rs"]
mod dialling;
#[path = "conformance/recorder/ends.rs"]
mod ends;
#[path = "quic/hostile.rs"]
mod hostile;
#[path = "quic/identities.rs"]
mod identities;
#[path = "quic/members.rs"]
mod members;
#[path = "conformance/recorder.rs"]
mod recorder;
#[path = "conformance/recorder/refusals.rs"]
mod refusals;
#[path = "quic/renewal.rs"]
mod renewal;
#[path = "conformance/recorder/returns.rs"]
mod returns;
#[path = "quic/stranger.rs"]
mod stranger;
#[path = "conformance/recorder/untouched.rs"]
mod untouched;
