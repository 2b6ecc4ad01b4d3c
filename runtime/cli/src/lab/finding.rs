//! What an experiment found, in the forms in which it is told.

use serde_json::Value as Json;

/// What an experiment found.
pub(super) struct Finding {
    /// Tables for people.
    pub(super) text: String,
    /// The same for programs.
    pub(super) json: Json,
    /// The drawing.
    pub(super) svg: String,
    /// What is outside of its tolerance.
    pub(super) misses: Vec<String>,
}
