//! The linearizability checker against another one on small histories, and against the clock's stand-in, its steps, on large ones.

mod generator;
mod large;
mod naive;
mod second_opinion;
