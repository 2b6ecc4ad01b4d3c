//! The language, and the stage, with a protocol of a few lines.

mod language;
mod parrot;
mod stage;
