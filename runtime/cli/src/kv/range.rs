//! `synod kv range`

use clap::Args;
use synod_gateway::Item;

use super::words::{Consistency, refused, shown};
use crate::client::{Client, Connection, Path, Patience, Request};
use crate::failure::Failure;
use crate::output::{Form, print, print_json};
use crate::table::{Align, Table};

/// How many rows one request asks for.
const PAGE: usize = 1000;

/// Lists keys in order. The pages of a long list are read one after the other, each as of its own moment.
#[derive(Args, Debug)]
pub(crate) struct Range {
    /// What the keys begin with; all keys without it.
    #[arg(default_value = "")]
    prefix: String,
    /// At most this many rows.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,
    /// Only keys above this one.
    #[arg(long, value_name = "KEY")]
    after: Option<String>,
    /// What the read may miss.
    #[arg(long, default_value = "linearizable")]
    consistency: Consistency,
}

impl Range {
    pub(super) fn run(self, connection: &Connection, form: Form) -> Result<(), Failure> {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let items = self.read(&Client::new(connection)?, Patience::of(connection), limit)?;
        match form {
            Form::People => {
                let mut table =
                    Table::new(&[("key", Align::Left), ("index", Align::Right), ("value", Align::Left)]);
                for item in items {
                    let value =
                        item.bytes().map_err(|error| Failure::new(format!("{}: {error}", item.key)))?;
                    table.row(vec![item.key, item.index.to_string(), shown(&value)]);
                }
                print(table.render())
            }
            Form::Programs => print_json(&items),
        }
    }

    fn read(self, client: &Client, patience: Patience, limit: usize) -> Result<Vec<Item>, Failure> {
        let mut items: Vec<Item> = Vec::new();
        let mut after = self.after;
        while items.len() < limit {
            let path = self.consistency.on(Path::new("/kv").with("prefix", &self.prefix));
            let path = path.with("limit", PAGE.min(limit - items.len()));
            let path = match &after {
                Some(key) => path.with("after", key),
                None => path,
            };
            let answer = client.call(&Request::read(path), patience)?;
            if answer.status != 200 {
                return Err(refused(&self.prefix, &answer));
            }
            let page: Vec<Item> = serde_json::from_slice(&answer.body)
                .map_err(|error| Failure::new(format!("the node answered what is no range: {error}")))?;
            // A page may be short because its values are large, so only an empty one is the last.
            let Some(last) = page.last() else { break };
            after = Some(last.key.clone());
            items.extend(page);
        }
        Ok(items)
    }
}
