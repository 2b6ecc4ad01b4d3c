//! `synod kv`: the replicated map from the command line, over the HTTP of whichever node answers.

mod command;
mod delete;
mod get;
mod import;
mod pool;
mod put;
mod range;
mod rows;
mod verify;
mod watch;
mod words;

#[cfg(test)]
mod tests;

pub(crate) use command::KvCommand;
