//! Links that break and heal between living nodes, peers that stay away, and large messages among small ones: everything comes once
//! and in order, or comes back once.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use synod::actor::{ActorSystem, DeadLetter};
use synod::prelude::*;
use synod::protocols::Incarnation;
use synod::transport::memory::{Conditions, Network, Verdict};
use synod::transport::{Metrics, PeerName};
use tokio::time::sleep;

use crate::subjects::*;
use crate::world::{World, linked, name, run};

/// A number with some ballast.
#[derive(Message, Wire, Serialize, Deserialize)]
#[rtype(result = "()")]
#[wire(id = "test.Pack")]
struct Pack {
    number: u64,
    #[serde(with = "synod::wire::slice")]
    ballast: Bytes,
}

interface!(Press = "test.press" { Pack, Noted });

/// Notes the numbers of packs whose ballast is what it should be.
#[derive(Default, Remote)]
#[remote(Press, mailbox = 100_000)]
struct Scribe {
    noted: Vec<u64>,
}

impl Actor for Scribe {
    type Context = Context<Self>;
}

impl Handler<Pack> for Scribe {
    type Result = ();

    fn handle(&mut self, pack: Pack, _: &mut Context<Self>) {
        assert_eq!(pack.ballast, ballast(pack.number, pack.ballast.len()));
        self.noted.push(pack.number);
    }
}

impl Handler<Noted> for Scribe {
    type Result = Vec<u64>;

    fn handle(&mut self, _: Noted, _: &mut Context<Self>) -> Vec<u64> {
        self.noted.clone()
    }
}

fn ballast(number: u64, size: usize) -> Bytes {
    vec![number as u8; size].into()
}

/// A pack that fits into a frame, or does not.
fn pack(number: u64, large: bool) -> Pack {
    Pack { number, ballast: ballast(number, if large { 1_500_000 } else { 8 }) }
}

#[derive(Clone, Copy, Default)]
struct Faults {
    cut: bool,
    /// What does not get through is what is as large as this.
    large: bool,
}

#[derive(Clone, Default)]
pub(crate) struct Weather(Arc<Mutex<Faults>>);

impl Weather {
    fn set(&self, faults: Faults) {
        *self.0.lock().expect("no panic") = faults;
    }

    pub(crate) fn cut(&self, cut: bool) {
        self.set(Faults { cut, large: false });
    }
}

impl Conditions for Weather {
    fn route(&mut self, _from: &PeerName, _to: &PeerName, bytes: usize) -> Verdict {
        let faults = *self.0.lock().expect("no panic");
        if faults.cut || (faults.large && bytes >= 100_000) {
            return Verdict::Held;
        }
        Verdict::Deliver(Duration::from_millis(1))
    }
}

/// A network that can be cut, for others.
pub(crate) fn held_network() -> (Weather, Network) {
    let weather = Weather::default();
    (weather.clone(), Network::new(weather))
}

/// Two nodes under this weather, the second with a scribe; the scribe's references there and here.
struct Stage {
    world: World,
    weather: Weather,
    a: ActorSystem,
    b: ActorSystem,
    here: ActorRef<Press>,
    there: ActorRef<Press>,
}

impl Stage {
    async fn new() -> Self {
        let weather = Weather::default();
        let world = World { network: Network::new(weather.clone()), letters: Arc::default() };
        let (a, b) = world.pair().await;
        let here = b.spawn("scribe", Scribe::default).await.unwrap().reference();
        let there = a.lookup("scribe").await.unwrap();
        // The way is known from here on, so that `try_tell` finds it.
        assert_eq!(there.ask(Noted).await, Ok(vec![]));
        Self { world, weather, a, b, here, there }
    }

    async fn noted(&self) -> Vec<u64> {
        self.here.ask(Noted).await.unwrap()
    }

    fn counted(&self) -> Metrics {
        self.a.transport().metrics()
    }
}

fn numbers(letters: &[DeadLetter]) -> Vec<u64> {
    let number = |letter: &DeadLetter| {
        let body = letter.body.as_ref().expect("what travelled has a body");
        synod::wire::decode::<Pack>(body, 2_000_000).expect("the body is the message's").number
    };
    letters.iter().map(number).collect()
}

#[test]
fn large_messages_keep_their_place_among_small_ones() {
    run(async {
        let stage = Stage::new().await;
        for number in 0..100 {
            stage.there.try_tell(pack(number, number % 9 == 3)).unwrap();
        }
        sleep(Duration::from_secs(2)).await;
        assert_eq!(stage.noted().await, (0..100).collect::<Vec<_>>());
        assert_eq!(stage.counted().bulk_out, 11);
        for number in 100..110 {
            stage.there.tell(pack(number, number % 2 == 0)).await.unwrap();
        }
        assert_eq!(stage.there.ask(Noted).await, Ok((0..110).collect()), "an ask waits for its turn too");
        assert_eq!(stage.world.letters().len(), 0);
    });
}

#[test]
fn what_waits_for_a_large_message_keeps_nobody_else_waiting() {
    run(async {
        let stage = Stage::new().await;
        let other: ActorRef<Press> = stage.b.spawn("other", Scribe::default).await.unwrap().reference();
        let to_other = stage.a.bind(&other);
        stage.weather.set(Faults { cut: false, large: true });
        for number in 0..4 {
            stage.there.try_tell(pack(number, number == 1)).unwrap();
            to_other.tell(pack(number, false)).await.unwrap();
        }
        sleep(Duration::from_secs(1)).await;
        assert_eq!(other.ask(Noted).await, Ok(vec![0, 1, 2, 3]));
        assert_eq!(stage.noted().await, [0]);
        stage.weather.set(Faults::default());
        sleep(Duration::from_secs(1)).await;
        assert_eq!(stage.noted().await, [0, 1, 2, 3]);
    });
}

#[test]
fn a_large_message_that_is_refused_lets_the_rest_go_and_comes_back_once() {
    run(async {
        let world = World::new();
        let mut settings = world.settings("b", &[]);
        settings.limits.message_bytes_max = 1_200_000;
        let b = ActorSystem::start(settings).unwrap();
        let a = world.node("a", &["b"]);
        linked(&a, 1).await;
        let here: ActorRef<Press> = b.spawn("scribe", Scribe::default).await.unwrap().reference();
        let there: ActorRef<Press> = a.lookup("scribe").await.unwrap();
        for number in 0..5 {
            there.tell(pack(number, number == 2)).await.unwrap();
        }
        sleep(Duration::from_secs(1)).await;
        assert_eq!(here.ask(Noted).await, Ok(vec![0, 1, 3, 4]));
        let letters = world.letters();
        assert_eq!(numbers(&letters), [2]);
        assert_eq!(letters[0].error, AskError { cause: Cause::TooLarge, outcome: Outcome::NotExecuted });
    });
}

#[test]
fn tells_asks_and_watches_outlive_a_break() {
    run(async {
        let stage = Stage::new().await;
        stage.b.spawn("clerk", Clerk::default).await.unwrap();
        let clerk: ActorRef<Desk> = stage.a.lookup("clerk").await.unwrap();
        let later = clerk.ask(Later { millis: 20_000 }).deadline(Duration::from_secs(60)).into_future();
        let talk = async {
            for number in 0..3_000 {
                // While the lane is full, and while a large one is on its way, it waits.
                stage.there.tell(pack(number, number % 211 == 0)).await.unwrap();
                sleep(Duration::from_millis(3)).await;
            }
        };
        let breaks = async {
            for _ in 0..2 {
                sleep(Duration::from_secs(2)).await;
                stage.weather.cut(true);
                sleep(Duration::from_millis(4_500)).await;
                stage.weather.cut(false);
            }
        };
        let watch = stage.a.watch(&clerk);
        tokio::pin!(watch);
        let (answer, (), ()) = tokio::join!(later, talk, breaks);
        assert_eq!(answer, Ok(0));
        assert_eq!(stage.there.ask(Noted).await, Ok((0..3_000).collect()));
        assert_eq!(stage.world.letters().len(), 0);
        assert!(watch.as_mut().now_or_never().is_none(), "the clerk lives");
        let counted = stage.counted();
        assert!(counted.connections >= 3 && counted.frames_replayed > 0, "{counted:?}");
        assert_eq!(counted.links_opened, 1);
        assert!(stage.b.stop(&clerk.clone()) || stage.b.stop(&stage.b.bind(&clerk)));
        assert_eq!(watch.await.reason, synod::actor::Reason::Stopped);
    });
}

#[test]
fn what_a_peer_that_stays_away_did_not_get_comes_back_once() {
    run(async {
        let stage = Stage::new().await;
        let asked = stage.there.ask(Noted).into_future();
        drop(asked);
        for number in 0..400 {
            if number == 100 {
                stage.weather.cut(true);
            }
            // From the idle timeout on they are not written at all.
            let told = stage.there.try_tell(pack(number, number % 50 == 7));
            assert_eq!(told, Ok(()), "{number}");
            sleep(Duration::from_millis(15)).await;
        }
        sleep(Duration::from_secs(10)).await;
        let (letters, delivered) = (stage.world.letters(), stage.noted().await);
        assert!(delivered.is_sorted(), "{delivered:?}");
        let back = numbers(&letters);
        let mut sorted = back.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), back.len(), "none comes back twice");
        for number in 0..400 {
            assert!(delivered.contains(&number) || back.contains(&number), "{number} has vanished");
        }
        for (letter, number) in letters.iter().zip(&back) {
            assert_eq!((letter.error.cause, letter.node.as_str()), (Cause::LinkLost, "b"));
            let lied = letter.error.outcome == Outcome::NotExecuted && delivered.contains(number);
            assert!(!lied, "{number} was executed");
        }
        let outcomes = |outcome| letters.iter().filter(|letter| letter.error.outcome == outcome).count();
        assert!(outcomes(Outcome::NotExecuted) > 200 && outcomes(Outcome::Unknown) > 0);
        assert!(stage.counted().bytes_returned > 0);
        stage.weather.cut(false);
        linked(&stage.a, 1).await;
        stage.there.tell(pack(400, false)).await.unwrap();
        assert_eq!(stage.there.ask(Noted).await.map(|noted| noted.last().copied()), Ok(Some(400)));
        assert_eq!(stage.world.letters().len(), letters.len());
    });
}

#[test]
fn what_was_for_the_process_before_comes_back_as_stale() {
    run(async {
        let stage = Stage::new().await;
        stage.world.network.kill(&name("b"));
        for number in 0..10 {
            stage.there.tell(pack(number, false)).await.unwrap();
        }
        let asked = stage.there.ask(Noted).into_future();
        let mut settings = stage.world.settings("b", &["a"]);
        settings.incarnation = Incarnation(2);
        let heir = ActorSystem::start(settings).unwrap();
        let heir_scribe: ActorRef<Press> = heir.spawn("scribe", Scribe::default).await.unwrap().reference();
        assert_eq!(asked.await.unwrap_err().cause, Cause::StaleIncarnation);
        let letters = stage.world.letters();
        assert_eq!(numbers(&letters), (0..10).collect::<Vec<_>>());
        assert!(letters.iter().all(|letter| letter.error.cause == Cause::StaleIncarnation), "{letters:?}");
        assert_eq!(heir_scribe.ask(Noted).await, Ok(vec![]));
    });
}
