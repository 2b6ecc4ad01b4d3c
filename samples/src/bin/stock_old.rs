//! The first version of a program whose messages change: a node of a cluster that is upgraded while it works.
//!
//! `samples/tests/rolling.rs` runs it together with `stock_new.rs`; what differs between the two is all in these two files.

use std::process::ExitCode;

use synod::prelude::*;
use synod_samples::rolling::{ARTICLE, Edition, STOCK, process};

/// Takes pieces off the shelf.
#[derive(Message, Wire, Serialize, Deserialize)]
#[rtype(result = "Taken")]
#[wire(id = "stock.Take")]
struct Take {
    /// Optional, so that a later version can do without it.
    #[serde(default)]
    remark: Option<String>,
    article: String,
    pieces: u64,
}

#[derive(MessageResponse, Wire, Serialize, Deserialize)]
struct Taken {
    article: String,
    left: u64,
}

interface!(Shelf = "stock" { Take });

#[derive(Remote)]
#[remote(Shelf)]
struct Keeper {
    left: u64,
}

impl Default for Keeper {
    fn default() -> Self {
        Self { left: STOCK }
    }
}

impl Actor for Keeper {
    type Context = Context<Self>;
}

impl Handler<Take> for Keeper {
    type Result = Taken;

    fn handle(&mut self, take: Take, _: &mut Context<Self>) -> Taken {
        self.left -= take.pieces;
        Taken { article: take.article, left: self.left }
    }
}

struct Old;

impl Edition for Old {
    const NAME: &'static str = "old";
    type Shelf = Shelf;
    type Keeper = Keeper;
    type Take = Take;
    type Taken = Taken;

    fn take(pieces: u64) -> Take {
        Take { remark: Some("as usual".to_owned()), article: ARTICLE.to_owned(), pieces }
    }

    fn taken(taken: Taken) -> (String, u64) {
        (taken.article, taken.left)
    }

    async fn more(_: &ActorRef<Shelf>) -> Option<Result<u64, AskError>> {
        None
    }
}

fn main() -> ExitCode {
    process::<Old>()
}
