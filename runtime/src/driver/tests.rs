//! The driver with a protocol that does nothing but exercise it, a disk and links that are values, and virtual time.

mod rules;
mod snapshot;
mod toy;
mod world;
