//! A process of a cluster that is upgraded while it works: a shelf that the others take from, and a counter that all of them raise.
//!
//! Knows no edition's messages: those stand in the two programs `stock_old.rs` and `stock_new.rs`.

use std::collections::BTreeMap;
use std::error::Error;
use std::future::Future;
use std::io::BufRead;
use std::path::Path;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::Duration;

use synod::actor::{Accepts, Interface, RemoteMessage, RemoteValue, Serves};
use synod::prelude::*;
use synod::transport::AUTHORITY_FILE;

use crate::counter::{Add, Counter, Total};

/// The members of the cluster.
pub const MEMBERS: [&str; 3] = ["n1", "n2", "n3"];
/// What lies on every shelf.
pub const ARTICLE: &str = "bolts";
/// How many pieces there are before anything is taken.
pub const STOCK: u64 = 1 << 40;

/// Long enough for an election, and for a node that starts again.
const DEADLINE: Duration = Duration::from_secs(20);
/// How long a request may take while its target is being replaced.
const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(2);

/// How one version of the program says what all versions have to say.
pub trait Edition: 'static {
    /// What its lines begin with.
    const NAME: &'static str;
    /// The interface of a shelf.
    type Shelf: Interface + Serves<Self::Keeper> + Accepts<Self::Take>;
    /// The actor that keeps it.
    type Keeper: synod::actor::Remote + Default;
    /// Takes some pieces of [`ARTICLE`].
    type Take: RemoteMessage + Message<Result = Self::Taken>;
    /// How many are left, and of what.
    type Taken: RemoteValue;

    /// Says it.
    fn take(pieces: u64) -> Self::Take;
    /// Understands the answer.
    fn taken(taken: Self::Taken) -> (String, u64);
    /// Says what only this edition says, if it does.
    fn more(shelf: &ActorRef<Self::Shelf>) -> impl Future<Output = Option<Result<u64, AskError>>>;
}

/// What became of this process's requests.
#[derive(Debug, Default)]
struct Account {
    /// By the node asked.
    taken: BTreeMap<&'static str, u64>,
    /// By cause and outcome.
    refused: BTreeMap<String, u64>,
    /// What only this edition says: understood, and not.
    more: (u64, u64),
    added: u64,
    unknown: u64,
}

/// Runs one process: `<name> <directory> <address> [<address of another>…]`. It works until its input says `stop`, answers `total`, and
/// ends with its input.
pub fn process<E: Edition>() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = System::new().block_on(live::<E>(&arguments));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", E::NAME);
            ExitCode::FAILURE
        }
    }
}

async fn live<E: Edition>(arguments: &[String]) -> Result<(), Box<dyn Error>> {
    let [name, directory, address, others @ ..] = arguments else {
        return Err("usage: NAME DIRECTORY ADDRESS [ADDRESS OF ANOTHER]…".into());
    };
    let directory = Path::new(directory);
    let file = |file: &str| directory.join(file);
    let identity = Identity::load(
        &file(&format!("{name}.pem")),
        &file(&format!("{name}-key.pem")),
        &file(AUTHORITY_FILE),
    )?;
    let builder = Node::builder("stock", name).tls(identity).bind(address.parse()?);
    let node = builder.directory(directory.join("data")).join(others).start().await?;
    node.spawn(format!("shelf/{name}"), E::Keeper::default).await?;
    let counter = node.replicated("counter", MEMBERS, Counter::default()).await?;
    println!("{} ready {}", E::NAME, node.address());

    let words = words();
    let account = work::<E>(&node, &counter, &words).await?;
    println!("{} stopped {account}", E::NAME);
    while let Ok(word) = words.recv() {
        if word == "total" {
            println!("{} total {}", E::NAME, counter.query(&Total, DEADLINE).await?.0);
        }
    }
    node.shutdown(Duration::from_secs(1)).await;
    Ok(())
}

/// The lines of the input, until it ends.
fn words() -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { return };
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Takes from all other shelves and raises the counter, again and again, until it is told to stop.
async fn work<E: Edition>(
    node: &Node,
    counter: &Replicated<Counter>,
    words: &Receiver<String>,
) -> Result<Account, Box<dyn Error>> {
    let mut account = Account::default();
    let mut shelves = BTreeMap::new();
    for round in 1.. {
        for other in MEMBERS.into_iter().filter(|other| *other != node.name().as_str()) {
            if !shelves.contains_key(other)
                && let Ok(shelf) = node.lookup::<E::Shelf>(&format!("shelf/{other}")).await
            {
                shelves.insert(other, shelf);
            }
            let Some(shelf) = shelves.get(other) else { continue };
            if !take::<E>(shelf, other, &mut account).await? {
                // Of an earlier process, perhaps: looked up anew.
                shelves.remove(other);
            }
        }
        match counter.execute(&Add(1), DEADLINE).await {
            Ok(_) => account.added += 1,
            Err(error) if error.outcome == Outcome::NotExecuted => {}
            Err(_) => account.unknown += 1,
        }
        if round % 10 == 0 {
            println!("{} account {account}", E::NAME);
        }
        match words.try_recv() {
            Err(TryRecvError::Empty) => {}
            Ok(_) | Err(TryRecvError::Disconnected) => break,
        }
        actix::clock::sleep(PAUSE).await;
    }
    Ok(account)
}

/// Takes from one shelf; `false` when that did not succeed.
async fn take<E: Edition>(
    shelf: &ActorRef<E::Shelf>,
    of: &'static str,
    account: &mut Account,
) -> Result<bool, Box<dyn Error>> {
    let mut refuse = |error: AskError| {
        *account.refused.entry(format!("{}/{:?}", error.cause.as_str(), error.outcome)).or_default() += 1;
    };
    match shelf.ask(E::take(3)).deadline(PATIENCE).await {
        Ok(taken) => {
            let (article, left) = E::taken(taken);
            if article != ARTICLE || left >= STOCK || !(STOCK - left).is_multiple_of(3) {
                return Err(format!("{of} has {left} {article} left: a field took another's place").into());
            }
            *account.taken.entry(of).or_default() += 1;
        }
        Err(error) => {
            refuse(error);
            return Ok(false);
        }
    }
    match E::more(shelf).await {
        None => Ok(true),
        Some(Ok(_)) => {
            account.more.0 += 1;
            Ok(true)
        }
        Some(Err(AskError { cause: Cause::Unsupported, outcome: Outcome::NotExecuted })) => {
            account.more.1 += 1;
            Ok(true)
        }
        Some(Err(error)) => {
            refuse(error);
            Ok(false)
        }
    }
}

impl std::fmt::Display for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (understood, unsupported) = self.more;
        write!(
            f,
            "added={} unknown={} more={understood} unsupported={unsupported}",
            self.added, self.unknown
        )?;
        for (of, taken) in &self.taken {
            write!(f, " from-{of}={taken}")?;
        }
        for (error, count) in &self.refused {
            write!(f, " error:{error}={count}")?;
        }
        Ok(())
    }
}
