//! A shop whose orders outlive it: a durable queue to a clerk on another node who may die, and a topic that tells whoever listens.
//!
//! ```sh
//! cargo run -p synod-samples --bin orders
//! cargo run -p synod-samples --bin orders -- --sim --seed 7
//! ```

use std::error::Error;
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::time::Duration;

use synod::prelude::*;
use synod_samples::{Ground, Stage, perform};

const NODES: [&str; 2] = ["shop", "office"];
const PATIENCE: Duration = Duration::from_secs(20);

/// What stands in the queue, on a disk: data that later versions can read.
#[derive(Clone, Serialize, Deserialize)]
struct Purchase {
    item: String,
}

fn main() -> ExitCode {
    perform("orders", &NODES, trade)
}

async fn trade(stage: Stage) -> Result<(), Box<dyn Error>> {
    let ground = Ground::new("orders", stage)?;
    let shop = ground.start("shop").await?;
    sell(&shop, &["tea", "cups"]).await?;

    // The shop is gone before there is anybody to serve. What it accepted is on its disk.
    drop(shop);
    ground.end("shop").await?;
    println!("the shop is gone");
    let shop = ground.start("shop").await?;
    let sold = shop.topic::<Purchase>("sold")?;
    let mut listening = sold.listen(NonZeroUsize::MIN);
    let orders = shop.reliable_sender::<Purchase>("orders", SenderOptions::in_order().durable()).await?;

    let office = ground.start("office").await?;
    println!("the office serves {}", serve(&office, 2).await?.join(", "));
    let last = orders.send(Purchase { item: "a kettle".to_owned() }).await?;
    println!("the office serves {}", serve(&office, 1).await?.join(", "));
    actix::clock::timeout(PATIENCE, orders.confirmed(last)).await??;
    println!("nothing is left to be done");

    // Whoever listens hears of it; nobody has to.
    sold.publish(Purchase { item: "everything".to_owned() })?;
    let heard = actix::clock::timeout(PATIENCE, listening.next()).await?.ok_or("the node is gone")?;
    println!("sold: {}", heard.item);
    Ok(())
}

async fn sell(shop: &Node, items: &[&str]) -> Result<(), Box<dyn Error>> {
    let orders = shop.reliable_sender::<Purchase>("orders", SenderOptions::in_order().durable()).await?;
    for item in items {
        // It has been accepted, and is on the disk, when this returns.
        let sequence = orders.send(Purchase { item: (*item).to_owned() }).await?;
        println!("order {sequence}: {item}");
    }
    Ok(())
}

/// Takes so many orders.
async fn serve(office: &Node, count: usize) -> Result<Vec<String>, Box<dyn Error>> {
    let mut orders = office.reliable_receiver::<Purchase>("orders", ReceiverOptions::one_at_a_time()).await?;
    let mut served = Vec::new();
    while served.len() < count {
        let order = actix::clock::timeout(PATIENCE, orders.next()).await??;
        served.push(order.item.clone());
        // Its effects are where they have to be: it does not come again.
        order.confirm();
    }
    Ok(served)
}
