//! An actor that fails and comes back, the one that is responsible for it, and one on which both depend.
//!
//! ```sh
//! cargo run -p synod-samples --bin family
//! cargo run -p synod-samples --bin family -- --sim --seed 7
//! ```

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use synod::actor::{Backoff, Restarts};
use synod::prelude::*;
use synod_samples::{Stage, perform};

/// Shares a hundred among so many.
#[derive(Message, Wire, Serialize, Deserialize)]
#[rtype(result = "u32")]
#[wire(id = "family.Share")]
struct Share {
    among: u32,
}

/// The same, for who has the means.
#[derive(Message, Wire, Serialize, Deserialize)]
#[rtype(result = "Result<u32, String>")]
#[wire(id = "family.Order")]
struct Order {
    among: u32,
}

interface!(Labour = "family.labour" { Share });
interface!(Trade = "family.trade" { Order });

/// After each panic it is away for a while: 10 ms, 20 ms, 40 ms. At the fourth in ten seconds it takes its parent along.
const PATIENCE: Restarts = Restarts::at_most(3, Duration::from_secs(10))
    .after(Backoff::between(Duration::from_millis(10), Duration::from_secs(1)));

#[derive(Default, Remote)]
#[remote(Labour, restarts = PATIENCE)]
struct Worker;

impl Actor for Worker {
    type Context = Context<Self>;
}

impl Handler<Share> for Worker {
    type Result = u32;

    fn handle(&mut self, Share { among }: Share, _context: &mut Context<Self>) -> u32 {
        // Among nobody: a panic.
        100 / among
    }
}

#[derive(Remote)]
#[remote(Trade)]
struct Master {
    scope: Scope,
    worker: Option<ActorRef<Labour>>,
}

impl Actor for Master {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let scope = self.scope.clone();
        let hired = async move { scope.spawn_child(Worker::default).await };
        // Nothing is handled before the child is there.
        ctx.wait(hired.into_actor(self).map(|worker, master, ctx| match worker {
            Ok(worker) => master.worker = Some(worker.reference()),
            Err(_) => ctx.stop(),
        }));
    }
}

impl Handler<Order> for Master {
    type Result = ResponseFuture<Result<u32, String>>;

    fn handle(&mut self, Order { among }: Order, _context: &mut Context<Self>) -> Self::Result {
        let worker = self.worker.clone();
        Box::pin(async move {
            let worker = worker.ok_or("there is no worker")?;
            worker.ask(Share { among }).await.map_err(|error| error.to_string())
        })
    }
}

const HOST: &str = "host";

fn main() -> ExitCode {
    // What panics here is meant to.
    std::panic::set_hook(Box::new(|_| {}));
    perform("family", &[HOST], family)
}

async fn family(stage: Stage) -> Result<(), Box<dyn Error>> {
    let builder = Node::builder("family", HOST);
    let node = match stage {
        Stage::Real => {
            let authority = Authority::create("family", Validity::days(1))?;
            builder.tls(Identity::brief(&authority, HOST)?).start().await?
        }
        Stage::Simulated(simulation) => {
            let [host] = simulation.names() else { return Err("one node was announced".into()) };
            builder.env(simulation.boot(host)).start().await?
        }
    };
    let factory = |scope: &Scope| Master { scope: scope.clone(), worker: None };
    let master: ActorRef<Trade> = node.spawn("master", factory).await?.reference();
    for among in [4, 0, 5] {
        match master.ask(Order { among }).await? {
            Ok(share) => println!("a hundred among {among} is {share} each"),
            Err(error) => println!("a hundred among {among}: {error}"),
        }
    }

    let landlord: ActorRef<Labour> = node.spawn("landlord", Worker::default).await?.reference();
    // Neither goes on without the other, wherever in the cluster it is; nor when they are cut off from each other.
    node.system().bond(&master, &landlord, CutOff::End).await?;
    if !node.system().kill(&landlord) {
        return Err("the landlord was gone before".into());
    }
    println!("the master's end: {}", node.watch(&master).await.reason.as_str());
    node.shutdown(Duration::from_secs(1)).await;
    Ok(())
}
