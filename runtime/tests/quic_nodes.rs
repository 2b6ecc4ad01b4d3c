//! Whole nodes over QUIC and TLS in virtual time: what is promised holds whatever happens to datagrams, and a seed is one run.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use synod::prelude::*;
use synod::protocols::sim::{FaultKind, NetworkConfig, Tally};
use synod::sim::study::{Options, Studied, study};
use synod::sim::{Datagrams, Medium, simulate_on};

fn sound(seed: u64) -> Studied {
    let options = Options { medium: Medium::Quic, duration: Duration::from_secs(10), ..Options::default() };
    let studied = study(seed, &options);
    assert_eq!(studied.failure, None, "{studied}");
    studied
}

#[test]
fn nothing_acknowledged_is_lost_whatever_happens_to_datagrams() {
    let (mut faults, mut ok, mut seeds) = (Tally::default(), 0, 0);
    let kinds = [
        FaultKind::Crash,
        FaultKind::Pause,
        FaultKind::Partition,
        FaultKind::OneWayCut,
        FaultKind::Loss,
        FaultKind::Duplicate,
        FaultKind::Reorder,
        FaultKind::Corruption,
        FaultKind::NarrowPath,
    ];
    while seeds < 4 || kinds.iter().any(|&kind| faults.count(kind).injected == 0) {
        assert!(seeds < 40, "some kind never strikes: {faults:?}");
        let studied = sound(seeds);
        faults.merge(&studied.faults);
        ok += studied.ok;
        seeds += 1;
    }
    assert!(ok > 100 * seeds, "only {ok} requests took effect in {seeds} runs");
}

#[test]
fn the_same_seed_is_the_same_run_and_another_is_not() {
    let (first, again, other) = (sound(100), sound(100), sound(101));
    assert_eq!(first, again);
    assert_ne!(first.events.hash, other.events.hash);
    assert_ne!(first.packets.hash, other.packets.hash);
}

/// A line of a text, that shows if it is not what was sent.
#[derive(Message, Wire, Serialize, Deserialize)]
#[rtype(result = "()")]
#[wire(id = "test.Line")]
struct Line {
    number: u64,
    text: String,
}

interface!(Scribe = "scribe" { Line });

/// Keeps what it is told.
#[derive(Remote)]
#[remote(Scribe)]
struct Book(Arc<Mutex<Vec<(u64, String)>>>);

impl Actor for Book {
    type Context = Context<Self>;
}

impl Handler<Line> for Book {
    type Result = ();

    fn handle(&mut self, line: Line, _context: &mut Context<Self>) {
        self.0.lock().unwrap().push((line.number, line.text));
    }
}

fn text(number: u64) -> String {
    format!("{number:x}").repeat(1 + number as usize % 300)
}

#[test]
fn a_corrupted_datagram_never_reaches_an_actor() {
    const LINES: u64 = 1_500;
    let outcome = simulate_on(Medium::Quic, 3, &["a", "b"], |simulation| async move {
        let [a, b] = simulation.names() else { panic!("two names were given") };
        let teller = Node::builder("test", "a").env(simulation.boot(a)).start().await.unwrap();
        let keeper = Node::builder("test", "b").env(simulation.boot(b));
        let keeper = keeper.join([teller.address().to_string()]).start().await.unwrap();
        let kept = Arc::new(Mutex::new(Vec::new()));
        let book = kept.clone();
        keeper.spawn("book", move || Book(book.clone())).await.unwrap();
        let book: ActorRef<Scribe> = teller.wait_for("book", Duration::from_secs(5)).await.unwrap();
        simulation.weather(NetworkConfig {
            loss: 0.02,
            duplicate: 0.1,
            reorder: 0.2,
            ..NetworkConfig::calm()
        });
        simulation.datagrams(Datagrams { corruption: 0.15, largest: None });
        for number in 0..LINES {
            book.tell(Line { number, text: text(number) }).await.unwrap();
            if number % 8 == 0 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
        tokio::time::sleep(Duration::from_secs(5)).await;
        let kept = kept.lock().unwrap().clone();
        (kept, simulation.faults().count(FaultKind::Corruption).injected)
    });
    let (kept, corrupted) = outcome.value;
    assert!(corrupted > 100, "only {corrupted} datagrams were changed");
    let sent: Vec<_> = (0..LINES).map(|number| (number, text(number))).collect();
    assert!(kept == sent, "{} lines were kept, the first other one is {:?}", kept.len(), {
        kept.iter().zip(&sent).find(|(kept, sent)| kept != sent)
    });
}
