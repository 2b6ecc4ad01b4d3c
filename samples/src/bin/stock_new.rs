//! The version after `stock_old.rs`. The message `Take` has another name in the program and the same on the wire; one field is gone,
//! one is new, the others have changed places; the answer says more; and there is one more message.

use std::process::ExitCode;

use synod::prelude::*;
use synod_samples::rolling::{ARTICLE, Edition, STOCK, process};

/// Takes pieces off the shelf.
#[derive(Message, Wire, Serialize, Deserialize)]
#[rtype(result = "Withdrawn")]
#[wire(id = "stock.Take")]
struct Withdraw {
    pieces: u64,
    /// The old version does not say for whom.
    #[serde(default)]
    customer: Option<String>,
    article: String,
}

#[derive(MessageResponse, Wire, Serialize, Deserialize)]
struct Withdrawn {
    left: u64,
    /// The old version does not say how often.
    #[serde(default)]
    withdrawals: u64,
    article: String,
}

/// How often has something been taken? The old version does not know the question: who asks it is told `Unsupported`, and nothing is sent.
#[derive(Message, Wire, Serialize, Deserialize)]
#[rtype(result = "u64")]
#[wire(id = "stock.Withdrawals")]
struct Withdrawals;

interface!(Shelf = "stock" { Withdrawals, Withdraw });

#[derive(Remote)]
#[remote(Shelf)]
struct Keeper {
    left: u64,
    withdrawals: u64,
}

impl Default for Keeper {
    fn default() -> Self {
        Self { left: STOCK, withdrawals: 0 }
    }
}

impl Actor for Keeper {
    type Context = Context<Self>;
}

impl Handler<Withdraw> for Keeper {
    type Result = Withdrawn;

    fn handle(&mut self, withdraw: Withdraw, _: &mut Context<Self>) -> Withdrawn {
        self.left -= withdraw.pieces;
        self.withdrawals += 1;
        Withdrawn { left: self.left, withdrawals: self.withdrawals, article: withdraw.article }
    }
}

impl Handler<Withdrawals> for Keeper {
    type Result = u64;

    fn handle(&mut self, _: Withdrawals, _: &mut Context<Self>) -> u64 {
        self.withdrawals
    }
}

struct New;

impl Edition for New {
    const NAME: &'static str = "new";
    type Shelf = Shelf;
    type Keeper = Keeper;
    type Take = Withdraw;
    type Taken = Withdrawn;

    fn take(pieces: u64) -> Withdraw {
        Withdraw { pieces, customer: Some("the new one".to_owned()), article: ARTICLE.to_owned() }
    }

    fn taken(withdrawn: Withdrawn) -> (String, u64) {
        (withdrawn.article, withdrawn.left)
    }

    async fn more(shelf: &ActorRef<Shelf>) -> Option<Result<u64, AskError>> {
        Some(shelf.ask(Withdrawals).await)
    }
}

fn main() -> ExitCode {
    process::<New>()
}
