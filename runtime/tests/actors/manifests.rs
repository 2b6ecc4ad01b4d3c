//! Two versions of one interface talk as long as serde's defaults let them, and what one does not know is never sent.

use synod::prelude::*;

use crate::subjects::*;
use crate::world::{World, run};

/// The interface as old nodes know it.
mod old {
    use synod::prelude::*;

    #[derive(Message, Wire, Serialize, Deserialize)]
    #[rtype(result = "Stored")]
    #[wire(id = "shop.Put")]
    pub(super) struct Put {
        pub(super) key: String,
        pub(super) value: u64,
    }

    #[derive(Debug, PartialEq, MessageResponse, Wire, Serialize, Deserialize)]
    pub(super) struct Stored {
        pub(super) key: String,
    }

    interface!(pub(super) Shop = "shop" { Put });
}

/// The interface as new nodes know it: a field before the others, one more in the answer, one more message.
mod new {
    use synod::prelude::*;

    #[derive(Message, Wire, Serialize, Deserialize)]
    #[rtype(result = "Stored")]
    #[wire(id = "shop.Put")]
    pub(super) struct Put {
        #[serde(default)]
        pub(super) ttl: Option<u64>,
        pub(super) value: u64,
        pub(super) key: String,
    }

    #[derive(Debug, PartialEq, MessageResponse, Wire, Serialize, Deserialize)]
    pub(super) struct Stored {
        #[serde(default)]
        pub(super) version: u64,
        pub(super) key: String,
    }

    #[derive(Message, Wire, Serialize, Deserialize)]
    #[rtype(result = "u64")]
    #[wire(id = "shop.Count")]
    pub(super) struct Count;

    interface!(pub(super) Shop = "shop" { Count, Put });
}

#[derive(Remote)]
#[remote(old::Shop)]
struct OldStore;

impl Actor for OldStore {
    type Context = Context<Self>;
}

impl Handler<old::Put> for OldStore {
    type Result = old::Stored;

    fn handle(&mut self, put: old::Put, _: &mut Context<Self>) -> old::Stored {
        assert_eq!(put.value, 7, "no field took another's place");
        old::Stored { key: put.key }
    }
}

#[derive(Remote)]
#[remote(new::Shop)]
struct NewStore;

impl Actor for NewStore {
    type Context = Context<Self>;
}

impl Handler<new::Put> for NewStore {
    type Result = new::Stored;

    fn handle(&mut self, put: new::Put, _: &mut Context<Self>) -> new::Stored {
        assert_eq!((put.ttl, put.value), (None, 7), "no field took another's place");
        new::Stored { version: 3, key: put.key }
    }
}

impl Handler<new::Count> for NewStore {
    type Result = u64;

    fn handle(&mut self, _: new::Count, _: &mut Context<Self>) -> u64 {
        1
    }
}

#[test]
fn old_and_new_nodes_talk_through_names() {
    run(async {
        let world = World::new();
        let (a, b) = world.pair().await;
        b.spawn("new", || NewStore).await.unwrap();
        a.spawn("old", || OldStore).await.unwrap();
        let new_store: ActorRef<old::Shop> = a.lookup("new").await.unwrap();
        let stored = new_store.ask(old::Put { key: "k".into(), value: 7 }).await;
        assert_eq!(stored, Ok(old::Stored { key: "k".into() }));
        let old_store: ActorRef<new::Shop> = b.lookup("old").await.unwrap();
        let stored = old_store.ask(new::Put { ttl: Some(5), value: 7, key: "k".into() }).await;
        assert_eq!(stored, Ok(new::Stored { version: 0, key: "k".into() }));
    });
}

#[test]
fn a_message_the_peer_does_not_know_is_never_sent() {
    run(async {
        let world = World::new();
        let (a, b) = world.pair().await;
        a.spawn("old", || OldStore).await.unwrap();
        let old_store: ActorRef<new::Shop> = b.lookup("old").await.unwrap();
        let link = b.transport().link(a.name()).unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        let unsupported = AskError { cause: Cause::Unsupported, outcome: Outcome::NotExecuted };
        assert_eq!(old_store.try_tell(new::Count), Err(unsupported));
        assert_eq!(old_store.tell(new::Count).await, Err(unsupported));
        assert_eq!(old_store.ask(new::Count).await, Err(unsupported));
        assert_eq!(link.queued(), 0, "nothing was sent");
        assert!(world.letters().is_empty());
    });
}

#[test]
fn an_interface_the_peer_does_not_serve_is_unsupported() {
    run(async {
        let world = World::new();
        let (a, b) = world.pair().await;
        let own: ActorRef<Desk> = a.spawn("clerk", Clerk::default).await.unwrap().reference();
        let mut bytes = bytes::BytesMut::new();
        synod::wire::encode(&own, synod::wire::Form::Compact, &mut bytes).unwrap();
        let wrong: ActorRef<new::Shop> = b.bind(&synod::wire::decode(&bytes, 100).unwrap());
        let unsupported = AskError { cause: Cause::Unsupported, outcome: Outcome::NotExecuted };
        assert_eq!(wrong.ask(new::Count).await, Err(unsupported));
        b.spawn("shop", || NewStore).await.unwrap();
        a.spawn("shop", || OldStore).await.unwrap();
        let of_another: ActorRef<new::Shop> = b.bind(&synod::wire::decode(&bytes, 100).unwrap());
        let put = of_another.ask(new::Put { ttl: None, value: 7, key: "k".into() }).await;
        assert_eq!(put, Err(unsupported), "the node serves it, this actor does not");
        assert_eq!(b.spawn("old", || OldStore).await.err(), Some(SpawnError::InterfaceConflict("shop")));
    });
}
