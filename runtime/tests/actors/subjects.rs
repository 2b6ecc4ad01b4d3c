//! The actors of these tests: one that does everything, and one that only notes.

use std::time::Duration;

use synod::prelude::*;
use synod::wire::Schema;
use tokio::sync::mpsc::UnboundedSender;

/// Adds, and gives the sum; refuses odd numbers.
#[derive(Message, Wire, Serialize, Deserialize)]
#[rtype(result = "Result<u64, Odd>")]
#[wire(id = "test.Add")]
pub(crate) struct Add(pub(crate) u64);

#[derive(Debug, PartialEq, Wire, Serialize, Deserialize)]
pub(crate) struct Odd {
    pub(crate) number: u64,
}

/// Notes a number.
#[derive(Message, Wire, Serialize, Deserialize)]
#[rtype(result = "()")]
#[wire(id = "test.Note")]
pub(crate) struct Note(pub(crate) u64);

/// What was noted since the actor was made.
#[derive(Message, Wire, Serialize, Deserialize)]
#[rtype(result = "Vec<u64>")]
#[wire(id = "test.Noted")]
pub(crate) struct Noted;

/// Answers later, without the actor.
#[derive(Message, Wire, Serialize, Deserialize)]
#[rtype(result = "u64")]
#[wire(id = "test.Later")]
pub(crate) struct Later {
    pub(crate) millis: u64,
}

/// Answers later with what the actor holds then.
#[derive(Message, Wire, Serialize, Deserialize)]
#[rtype(result = "u64")]
#[wire(id = "test.LaterSum")]
pub(crate) struct LaterSum {
    pub(crate) millis: u64,
}

/// Keeps the actor from handling anything else for a while.
#[derive(Message, Wire, Serialize, Deserialize)]
#[rtype(result = "()")]
#[wire(id = "test.Block")]
pub(crate) struct Block {
    pub(crate) millis: u64,
}

/// Panics.
#[derive(Message, Wire, Serialize, Deserialize)]
#[rtype(result = "()")]
#[wire(id = "test.Boom")]
pub(crate) struct Boom;

/// Stops the actor.
#[derive(Message, Wire, Serialize, Deserialize)]
#[rtype(result = "()")]
#[wire(id = "test.Halt")]
pub(crate) struct Halt;

/// Gives the bytes back.
#[derive(Message, Wire, Serialize, Deserialize)]
#[rtype(result = "Bytes")]
#[wire(id = "test.Echo")]
pub(crate) struct Echo {
    #[serde(with = "synod::wire::slice")]
    pub(crate) bytes: Bytes,
}

/// Sends a number to the reference and gives the reference back.
#[derive(Message, Wire, Serialize, Deserialize)]
#[rtype(result = "ActorRef<Diary>")]
#[wire(id = "test.Introduce")]
pub(crate) struct Introduce {
    pub(crate) to: ActorRef<Diary>,
    pub(crate) number: u64,
}

interface!(pub(crate) Desk = "test.desk" { Add, Noted, Note, Later, LaterSum, Block, Boom, Halt, Echo, Introduce });
interface!(pub(crate) Diary = "test.diary" { Note, Noted });

/// Lets an actor with a field `noted` keep numbers and give them, panic, and stop.
macro_rules! notes_and_ends {
    ($name:ident) => {
        impl Handler<Note> for $name {
            type Result = ();

            fn handle(&mut self, Note(number): Note, _: &mut Context<Self>) {
                self.noted.push(number);
            }
        }

        impl Handler<Noted> for $name {
            type Result = Vec<u64>;

            fn handle(&mut self, _: Noted, _: &mut Context<Self>) -> Vec<u64> {
                self.noted.clone()
            }
        }

        impl Handler<Boom> for $name {
            type Result = ();

            fn handle(&mut self, _: Boom, _: &mut Context<Self>) {
                panic!("as asked");
            }
        }

        impl Handler<Halt> for $name {
            type Result = ();

            fn handle(&mut self, _: Halt, ctx: &mut Context<Self>) {
                ctx.stop();
            }
        }
    };
}
pub(crate) use notes_and_ends;

#[derive(Default, Remote)]
#[remote(Desk, Diary, mailbox = 100, restart(3, "10s"), clients(Diary))]
pub(crate) struct Clerk {
    pub(crate) sum: u64,
    pub(crate) noted: Vec<u64>,
    pub(crate) ticks: Option<UnboundedSender<usize>>,
}

impl Actor for Clerk {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        if self.ticks.is_some() {
            ctx.run_interval(Duration::from_millis(1), |clerk, _| {
                let ticks = clerk.ticks.as_ref().expect("checked at the start");
                ticks.send(clerk.noted.len()).expect("the test listens");
            });
        }
    }
}

impl Handler<Add> for Clerk {
    type Result = Result<u64, Odd>;

    fn handle(&mut self, Add(number): Add, _: &mut Context<Self>) -> Self::Result {
        if number % 2 == 1 {
            return Err(Odd { number });
        }
        self.sum += number;
        Ok(self.sum)
    }
}

notes_and_ends!(Clerk);

impl Handler<Later> for Clerk {
    type Result = ResponseFuture<u64>;

    fn handle(&mut self, Later { millis }: Later, _: &mut Context<Self>) -> Self::Result {
        let sum = self.sum;
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(millis)).await;
            sum
        })
    }
}

impl Handler<LaterSum> for Clerk {
    type Result = ResponseActFuture<Self, u64>;

    fn handle(&mut self, LaterSum { millis }: LaterSum, _: &mut Context<Self>) -> Self::Result {
        let pause = tokio::time::sleep(Duration::from_millis(millis));
        Box::pin(pause.into_actor(self).map(|(), clerk, _| clerk.sum))
    }
}

impl Handler<Block> for Clerk {
    type Result = ();

    fn handle(&mut self, Block { millis }: Block, ctx: &mut Context<Self>) {
        ctx.wait(tokio::time::sleep(Duration::from_millis(millis)).into_actor(self));
    }
}

impl Handler<Echo> for Clerk {
    type Result = MessageResult<Echo>;

    fn handle(&mut self, Echo { bytes }: Echo, _: &mut Context<Self>) -> Self::Result {
        MessageResult(bytes)
    }
}

impl Handler<Introduce> for Clerk {
    type Result = MessageResult<Introduce>;

    fn handle(&mut self, Introduce { to, number }: Introduce, ctx: &mut Context<Self>) -> Self::Result {
        let told = to.clone();
        let tell = async move { told.tell(Note(number)).await.expect("the reference is bound") };
        ctx.spawn(tell.into_actor(self));
        MessageResult(to)
    }
}

/// A reference as a message would bring it, to any actor whatever.
pub(crate) fn forged(node: &str, incarnation: u64, actor: u64) -> ActorRef<Desk> {
    let mut bytes = bytes::BytesMut::new();
    synod::wire::encode(&(node, incarnation, actor), synod::wire::Form::Compact, &mut bytes)
        .expect("encodes");
    synod::wire::decode(&bytes, 1024).expect("a reference")
}

#[test]
fn a_recursive_type_has_a_shape_and_a_renamed_field_another() {
    mod old {
        #[derive(synod::Wire)]
        #[expect(dead_code, reason = "only its shape is asked for")]
        pub(super) struct Node {
            value: u64,
            children: Vec<Node>,
        }
    }
    mod renamed {
        #[derive(synod::Wire)]
        #[expect(dead_code, reason = "only its shape is asked for")]
        pub(super) struct Tree {
            value: u64,
            leaves: Vec<Tree>,
        }
    }
    mod moved {
        #[derive(synod::Wire)]
        #[expect(dead_code, reason = "only its shape is asked for")]
        pub(super) struct Other {
            value: u64,
            children: Vec<Other>,
        }
    }
    mod flat {
        #[derive(synod::Wire, serde::Serialize, serde::Deserialize)]
        pub(super) struct Odd {
            #[serde(skip_serializing_if = "Option::is_none")]
            value: Option<u64>,
        }
    }
    let old = Schema::of::<old::Node>();
    assert!(old.compact);
    assert_eq!(old, Schema::of::<moved::Other>(), "the type's own name is not its structure");
    assert_ne!(old.fingerprint, Schema::of::<renamed::Tree>().fingerprint);
    assert!(!Schema::of::<Vec<flat::Odd>>().compact, "a nested one suffices");
}
