//! What only QUIC can be asked: who is let in, and what hostile peers achieve.

#[path = "quic/hostile.rs"]
mod hostile;
#[path = "quic/identities.rs"]
mod identities;
// Shared with the suite, which uses all of it.
#[allow(dead_code)]
#[path = "conformance/recorder.rs"]
mod recorder;
#[path = "quic/renewal.rs"]
mod renewal;
#[path = "quic/stranger.rs"]
mod stranger;
