//! `synod kv put`

use std::io::Read;

use clap::Args;

use super::words::{Expect, refused};
use crate::client::{Client, Connection, Path, Patience, Request};
use crate::failure::Failure;
use crate::output::{Form, print, print_json};

/// Writes a key.
#[derive(Args, Debug)]
pub(crate) struct Put {
    /// The key: 1 to 1,024 bytes.
    key: String,
    /// The value; `-` reads it from standard input.
    value: String,
    #[command(flatten)]
    expect: Expect,
}

impl Put {
    pub(super) fn run(self, connection: &Connection, form: Form) -> Result<(), Failure> {
        let value = if self.value == "-" { standard_input()? } else { self.value.into_bytes() };
        let client = Client::new(connection)?;
        let path = self.expect.on(Path::of_key(&self.key));
        let answer =
            client.call(&Request::put(path, client.idempotency_key(), value), Patience::of(connection))?;
        let outcome = match answer.status {
            201 => "created",
            200 => "replaced",
            _ => return Err(refused(&self.key, &answer)),
        };
        let index = answer.index.unwrap_or_default();
        match form {
            Form::People => print(format!("{outcome} {} at index {index}\n", self.key)),
            Form::Programs => {
                print_json(&serde_json::json!({ "key": self.key, "outcome": outcome, "index": index }))
            }
        }
    }
}

fn standard_input() -> Result<Vec<u8>, Failure> {
    let mut value = Vec::new();
    let read = std::io::stdin().lock().read_to_end(&mut value);
    read.map_err(|error| Failure::new(format!("cannot read standard input: {error}")))?;
    Ok(value)
}
