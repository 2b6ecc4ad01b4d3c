//! `synod kv get`

use std::io::IsTerminal;

use clap::Args;

use super::words::{Consistency, encoded, refused};
use crate::client::{Client, Connection, Path, Patience, Request};
use crate::failure::Failure;
use crate::output::{Form, print, print_json};

/// Prints a key's value, byte for byte; on a terminal with a line feed after it.
///
/// With --json also the log index of its last write, and as `read_index` the last index whose effect the answer contains: how old a stale
/// read is.
#[derive(Args, Debug)]
pub(crate) struct Get {
    /// The key.
    key: String,
    /// What the read may miss.
    #[arg(long, default_value = "linearizable")]
    consistency: Consistency,
}

impl Get {
    pub(super) fn run(self, connection: &Connection, form: Form) -> Result<(), Failure> {
        let client = Client::new(connection)?;
        let path = self.consistency.on(Path::of_key(&self.key));
        let mut answer = client.call(&Request::read(path), Patience::of(connection))?;
        if answer.status != 200 {
            return Err(refused(&self.key, &answer));
        }
        match form {
            Form::People => {
                if std::io::stdout().is_terminal() {
                    answer.body.push(b'\n');
                }
                print(&answer.body)
            }
            Form::Programs => print_json(&serde_json::json!({
                "key": self.key, "value": encoded(&answer.body), "index": answer.index,
                "read_index": answer.read_index,
            })),
        }
    }
}
