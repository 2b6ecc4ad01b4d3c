//! `synod kv delete`

use clap::Args;

use super::words::{Expect, refused};
use crate::client::{Client, Connection, Path, Patience, Request};
use crate::failure::Failure;
use crate::output::{Form, print, print_json};

/// Removes a key. Fails when there is none.
#[derive(Args, Debug)]
pub(crate) struct Delete {
    /// The key.
    key: String,
    #[command(flatten)]
    expect: Expect,
}

impl Delete {
    pub(super) fn run(self, connection: &Connection, form: Form) -> Result<(), Failure> {
        let client = Client::new(connection)?;
        let path = self.expect.on(Path::of_key(&self.key));
        let answer =
            client.call(&Request::delete(path, client.idempotency_key()), Patience::of(connection))?;
        if answer.status != 204 {
            return Err(refused(&self.key, &answer));
        }
        let index = answer.index.unwrap_or_default();
        match form {
            Form::People => print(format!("deleted {} at index {index}\n", self.key)),
            Form::Programs => {
                print_json(&serde_json::json!({ "key": self.key, "outcome": "deleted", "index": index }))
            }
        }
    }
}
