//! Two editions of one protocol in one cluster: the same machine, with messages that were changed from one to the other.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::marker::PhantomData;
use std::time::Duration;

use serde::de::DeserializeOwned;
use synod::prelude::*;
use synod::sim::{Simulation, simulate};

const NAMES: [&str; 3] = ["a", "b", "c"];
const ROUNDS: u64 = 20;

/// What the machine has to say, whatever its edition calls it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Said {
    Offer {
        round: u64,
        value: u64,
    },
    Kept {
        round: u64,
        value: u64,
    },
    /// What only the new edition says.
    Hint,
}

/// How one edition says it; `None` for what it has no words for.
trait Edition: Clone + Debug + Send + 'static {
    type Message: Clone + Debug + Serialize + DeserializeOwned + Send + 'static;
    fn say(said: Said) -> Option<Self::Message>;
    fn hear(message: Self::Message) -> Said;
}

#[derive(Clone, Debug)]
struct Old;

#[derive(Clone, Debug, Serialize, Deserialize)]
enum OldMessage {
    Offer { round: u64, value: u64, remark: Option<String> },
    Kept { round: u64, value: u64 },
}

impl Edition for Old {
    type Message = OldMessage;

    fn say(said: Said) -> Option<OldMessage> {
        match said {
            Said::Offer { round, value } => {
                Some(OldMessage::Offer { round, value, remark: Some("old".to_owned()) })
            }
            Said::Kept { round, value } => Some(OldMessage::Kept { round, value }),
            Said::Hint => None,
        }
    }

    fn hear(message: OldMessage) -> Said {
        match message {
            OldMessage::Offer { round, value, .. } => Said::Offer { round, value },
            OldMessage::Kept { round, value } => Said::Kept { round, value },
        }
    }
}

/// The edition after it: one optional field is gone, others have changed places, there is one more, and one more message.
#[derive(Clone, Debug)]
struct New;

#[derive(Clone, Debug, Serialize, Deserialize)]
enum NewMessage {
    Hint {
        of: String,
    },
    Offer {
        #[serde(default)]
        since: u64,
        value: u64,
        round: u64,
    },
    Kept {
        value: u64,
        round: u64,
        #[serde(default)]
        late: bool,
    },
}

impl Edition for New {
    type Message = NewMessage;

    fn say(said: Said) -> Option<NewMessage> {
        Some(match said {
            Said::Offer { round, value } => NewMessage::Offer { since: 99, value, round },
            Said::Kept { round, value } => NewMessage::Kept { value, round, late: true },
            Said::Hint => NewMessage::Hint { of: "something".to_owned() },
        })
    }

    fn hear(message: NewMessage) -> Said {
        match message {
            NewMessage::Hint { .. } => Said::Hint,
            NewMessage::Offer { value, round, .. } => Said::Offer { round, value },
            NewMessage::Kept { value, round, .. } => Said::Kept { round, value },
        }
    }
}

/// Offers each value to all others and waits until all of them have kept it. Offers nothing twice: a message that is not understood is
/// a command that is never answered.
#[derive(Clone, Debug)]
struct Relay<E> {
    others: BTreeSet<NodeId>,
    highest: u64,
    rounds: BTreeMap<u64, (Token, u64, BTreeSet<NodeId>)>,
    hints: u64,
    edition: PhantomData<E>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Nothing;

impl Placed for Nothing {
    fn place(&self) -> Place {
        Place::Cell(0)
    }
}

impl<E: Edition> Protocol for Relay<E> {
    const NAME: &'static str = "test.relay";
    type Config = BTreeSet<NodeId>;
    type Message = E::Message;
    type Command = u64;
    /// The highest value heard of, and how many hints.
    type Reply = (u64, u64);
    type Event = ();
    type Record = Nothing;

    fn restore(others: BTreeSet<NodeId>, _: u64, _: Recovered<Nothing>) -> Self {
        Self { others, highest: 0, rounds: BTreeMap::new(), hints: 0, edition: PhantomData }
    }

    fn handle(&mut self, _: Timestamp, input: Input<Self>, out: &mut Outbox<Self>) {
        match input {
            Input::Command { token, command: value } => {
                let round = 1_000_000 + value;
                self.rounds.insert(round, (token, value, BTreeSet::new()));
                for &other in &self.others {
                    // The hint first: whoever does not understand it has to read on.
                    for said in [Said::Hint, Said::Offer { round, value }] {
                        if let Some(message) = E::say(said) {
                            out.send(other, message);
                        }
                    }
                }
            }
            Input::Message { from, message, .. } => match E::hear(message) {
                Said::Hint => self.hints += 1,
                Said::Offer { round, value } => {
                    assert!(round > value, "no field took another's place");
                    self.highest = self.highest.max(value);
                    out.send(from, E::say(Said::Kept { round, value }).expect("both editions say it"));
                }
                Said::Kept { round, value } => {
                    let (token, offered, kept) = self.rounds.get_mut(&round).expect("no round was made up");
                    assert_eq!(value, *offered, "no field took another's place");
                    kept.insert(from);
                    if *kept == self.others {
                        out.reply(*token, (self.highest, self.hints));
                        self.rounds.remove(&round);
                    }
                }
            },
            _ => {}
        }
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        None
    }
}

async fn started(simulation: &Simulation, name: &str, peers: &BTreeMap<&str, Node>) -> Node {
    let own = simulation.names().iter().find(|own| own.as_str() == name).expect("it was announced");
    let join: Vec<String> = peers.values().map(|node| node.address().to_string()).collect();
    let node = Node::builder("test", name).env(simulation.boot(own)).join(join).start().await.unwrap();
    for _ in 0..100 {
        if node.system().members().len() == peers.len() {
            break;
        }
        actix::clock::sleep(Duration::from_millis(10)).await;
    }
    node
}

async fn hosted<E: Edition>(node: &Node) -> Machine<Relay<E>> {
    let others = node.members(NAMES).unwrap().into_keys().filter(|id| *id != node.id()).collect();
    let relay = node.host("relay", others, || Box::new(PlainHost)).await.unwrap();
    // All others have heard how it is spoken here.
    actix::clock::sleep(Duration::from_millis(50)).await;
    relay
}

/// Every round through this node is answered by both others. Gives the hints that it heard itself.
async fn relayed<E: Edition>(relay: &Machine<Relay<E>>, from: u64) -> u64 {
    let mut hints = 0;
    for value in from..from + ROUNDS {
        let reply = actix::clock::timeout(Duration::from_secs(1), relay.command(value)).await;
        hints = reply.expect("both others understood").unwrap().1;
    }
    hints
}

fn unreadable(node: &Node) -> u64 {
    let rendered = node.metrics().render();
    let lines =
        rendered.lines().filter(|line| line.contains("bad_frames_total") && line.contains("test.relay"));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

#[test]
fn two_editions_of_a_protocol_understand_each_other() {
    for seed in 0..2 {
        simulate(seed, &NAMES, |simulation| async move {
            let mut nodes = BTreeMap::new();
            for name in NAMES {
                let node = started(&simulation, name, &nodes).await;
                nodes.insert(name, node);
            }
            let a = hosted::<Old>(&nodes["a"]).await;
            let b = hosted::<New>(&nodes["b"]).await;
            let c = hosted::<Old>(&nodes["c"]).await;
            relayed(&a, 1).await;
            assert_eq!(relayed(&b, 100).await, 0, "nobody else knows the hint");
            relayed(&c, 200).await;
            // What the old edition has no words for it counts and passes over; it misses nothing else.
            assert_eq!(["a", "b", "c"].map(|name| unreadable(&nodes[name])), [ROUNDS, 0, ROUNDS]);

            // One more node is upgraded, with the other two at work.
            drop((a, nodes.remove("a")));
            assert!(simulation.kill(&simulation.names()[0]));
            let heir = started(&simulation, "a", &nodes).await;
            nodes.insert("a", heir);
            let a = hosted::<New>(&nodes["a"]).await;
            relayed(&a, 300).await;
            assert_eq!(relayed(&b, 400).await, ROUNDS, "the two new ones hear each other's hints");
            relayed(&c, 500).await;
            assert_eq!(["a", "b", "c"].map(|name| unreadable(&nodes[name])), [0, 0, 3 * ROUNDS]);
        });
    }
}
