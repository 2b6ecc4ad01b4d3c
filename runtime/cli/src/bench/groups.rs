//! `synod bench groups`: what thousands of services cost that have nothing to do, and how soon one of them is awake.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use futures_util::StreamExt;
use synod::services::replicated::{DEADLINE, Replicated};
use tokio::time::{Instant, sleep};

use crate::bench::counter::Counter;
use crate::bench::echo::failure;
use crate::bench::figure::{Figure, Figures};
use crate::bench::house::{House, Tally};
use crate::bench::latency::Latencies;
use crate::bench::process::Usage;
use crate::client::seconds;
use crate::failure::Failure;
use crate::output::Form;

/// How many services begin at a time.
const AT_ONCE: usize = 256;
/// Services that run before memory is measured, so that what a node needs anyway is not counted.
const FIRST: usize = 64;
/// How many services are woken, one after another.
const WOKEN: usize = 500;
/// How long the services may take until all of them sleep.
const PATIENCE: Duration = Duration::from_secs(300);

/// Services with nothing to do, on three nodes in one process over loopback with TLS: time to begin them, memory for each and node,
/// messages beyond the heartbeat that all of them share, processor time, and the first command to one that slept.
///
/// A service is a replicated counter. Memory is what the process holds more than before them, and processor time what it takes, both
/// divided by three. Services sleep after a second.
#[derive(Args, Debug)]
pub(crate) struct GroupsCommand {
    /// How many services.
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    groups: u32,
    /// For how many seconds nothing is done.
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    seconds: Duration,
    /// Below which directory the nodes keep their data; without it, where temporary files go.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl GroupsCommand {
    /// Measures and prints.
    ///
    /// # Errors
    /// When the nodes do not start, the services do not fall asleep, or a command fails.
    pub(crate) fn run(self, form: Form) -> Result<(), Failure> {
        let mut figures = Figures::new(form);
        actix_rt::System::new().block_on(async {
            eprintln!("starting three nodes");
            let house = House::start(self.dir.as_deref()).await?;
            self.measure(&house, &mut figures).await?;
            house.end().await;
            Ok::<_, Failure>(())
        })?;
        figures.finish()
    }

    async fn measure(&self, house: &House, figures: &mut Figures) -> Result<(), Failure> {
        let count = self.groups as usize;
        let first = begin(house, 0..FIRST).await?;
        asleep(house).await?;
        let (before, began) = (Usage::now()?, Instant::now());
        let services = begin(house, FIRST..FIRST + count).await?;
        let all_begun = began.elapsed();
        for service in &services {
            service[0].leader().await;
        }
        let all_led = began.elapsed();
        figures.add(Figure::of(format!("{count} services begun"), "s", vec![all_begun.as_secs_f64()]))?;
        figures.add(Figure::of(format!("{count} services led"), "s", vec![all_led.as_secs_f64()]))?;
        asleep(house).await?;
        let share = (count * house.nodes.len()) as f64;
        let bytes = Usage::now()?.resident_bytes - before.resident_bytes;
        figures.add(Figure::of("memory a service and node", "bytes", vec![bytes / share]))?;

        let (idle, usage) = (Tally::of(house), Usage::now()?);
        let began = Instant::now();
        sleep(self.seconds).await;
        let (took, after) = (began.elapsed().as_secs_f64(), Tally::of(house));
        let rate = |name: &str, unit, more: u64| Figure::of(name, unit, vec![more as f64 / took]);
        figures.add(rate("messages of idle services", "messages/s", after.raft - idle.raft))?;
        figures.add(rate("beats of three pairs of nodes", "messages/s", after.beats - idle.beats))?;
        figures.add(rate("all that goes over links", "bytes/s", after.bytes - idle.bytes))?;
        let busy = (Usage::now()?.processor - usage.processor).as_secs_f64();
        let part = busy / took / house.nodes.len() as f64 * 100.0;
        figures.add(Figure::of("processor time of a node", "% of a core", vec![part]))?;
        self.wake(&services, figures).await?;
        drop(first);
        Ok(())
    }

    /// Gives sleeping services their first command, at a node that need not lead.
    async fn wake(
        &self,
        services: &[Vec<Replicated<Counter>>],
        figures: &mut Figures,
    ) -> Result<(), Failure> {
        let mut latencies = Latencies::default();
        let step = (services.len() / WOKEN).max(1);
        for service in services.iter().step_by(step).take(WOKEN) {
            let asked = Instant::now();
            service[0].execute(&1, DEADLINE).await.map_err(failure)?;
            latencies.add(asked.elapsed());
        }
        for (name, part) in [("half", 0.5), ("99 of 100", 0.99), ("all", 1.0)] {
            let name = format!("first command of a sleeping service: {name} within");
            figures.add(Figure::of(name, "ms", vec![latencies.quantile_us(part) / 1_000.0]))?;
        }
        Ok(())
    }
}

/// Begins services on all nodes; gives the handles of each.
async fn begin(
    house: &House,
    numbers: std::ops::Range<usize>,
) -> Result<Vec<Vec<Replicated<Counter>>>, Failure> {
    let names = house.names();
    let begun = futures_util::stream::iter(numbers).map(|number| {
        let names = &names;
        async move {
            let service = format!("service-{number}");
            let begun = house.nodes.iter().map(|node| node.replicated(&service, names, Counter::default()));
            futures_util::future::try_join_all(begun).await.map_err(failure)
        }
    });
    let begun: Vec<_> = begun.buffered(AT_ONCE).collect().await;
    begun.into_iter().collect()
}

/// Waits until no service says anything for two seconds.
async fn asleep(house: &House) -> Result<(), Failure> {
    let deadline = Instant::now() + PATIENCE;
    let mut before = Tally::of(house).raft;
    let mut quiet = 0;
    while Instant::now() < deadline {
        sleep(Duration::from_millis(500)).await;
        let after = Tally::of(house).raft;
        quiet = if after == before { quiet + 1 } else { 0 };
        if quiet == 4 {
            return Ok(());
        }
        before = after;
    }
    Err(Failure::new("the services do not fall asleep"))
}
