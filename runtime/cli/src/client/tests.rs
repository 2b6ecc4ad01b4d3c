//! Attempts over several nodes, against real sockets.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::{Client, Connection, Path, Patience, Request};
use crate::scripted::{Asked, Deed, Scripted};

fn connection(addresses: &[&str]) -> Connection {
    Connection { addr: addresses.join(",").parse().unwrap(), ca: None, timeout: None }
}

fn unavailable(outcome: &str) -> Deed {
    let body = format!("{{\"error\":\"no leader is known\",\"outcome\":\"{outcome}\"}}");
    Deed::Answer(503, Vec::new(), body.into_bytes())
}

/// An address at which nobody listens.
fn nobody() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

#[test]
fn a_write_goes_on_to_the_next_node_with_the_same_key() {
    let lost = Scripted::start(|_: &Asked| Deed::Hang);
    let leaderless = Scripted::start(|_: &Asked| unavailable("not_executed"));
    let good =
        Scripted::start(|_: &Asked| Deed::Answer(201, vec![("Synod-Index", "7".to_owned())], Vec::new()));
    let nobody = nobody();
    let client =
        Client::new(&connection(&[&nobody, &lost.address, &leaderless.address, &good.address])).unwrap();
    let put = Request::put(Path::of_key("a"), client.idempotency_key(), b"value".to_vec());
    let answer = client.call(&put, Patience(Duration::from_secs(30))).unwrap();
    assert_eq!((answer.status, answer.index), (201, Some(7)));
    let asked: Vec<Asked> = [&lost, &leaderless, &good].iter().flat_map(|node| node.asked()).collect();
    assert_eq!(asked.len(), 3);
    assert!(asked.iter().all(|asked| asked.header("Idempotency-Key") == put.idempotency_key.as_deref()));
    assert!(asked.iter().all(|asked| asked.body == b"value" && asked.line.starts_with("PUT /kv/a ")));
    // The node that answered is asked first from there on.
    client.call(&Request::read(Path::of_key("a")), Patience(Duration::from_secs(30))).unwrap();
    assert_eq!(good.asked().len(), 2);
}

#[test]
fn keys_of_different_writes_differ() {
    let client = Client::new(&connection(&["127.0.0.1:1"])).unwrap();
    let other = Client::new(&connection(&["127.0.0.1:1"])).unwrap();
    let keys = [client.idempotency_key(), client.idempotency_key(), other.idempotency_key()];
    assert!(keys[0] != keys[1] && keys[0] != keys[2] && keys.iter().all(|key| key.len() <= 255));
}

#[test]
fn a_decision_of_the_cluster_is_not_repeated() {
    let node = Scripted::start(|_: &Asked| {
        let present = ("Synod-Present", "true".to_owned());
        Deed::Answer(409, vec![present, ("Synod-Index", "3".to_owned())], b"old".to_vec())
    });
    let client = Client::new(&connection(&[&node.address])).unwrap();
    let put = Request::put(Path::of_key("a"), client.idempotency_key(), Vec::new());
    let answer = client.call(&put, Patience(Duration::from_secs(30))).unwrap();
    assert_eq!(
        (answer.status, answer.present, answer.index, &answer.body[..]),
        (409, true, Some(3), &b"old"[..])
    );
    assert_eq!(node.asked().len(), 1);
}

#[test]
fn giving_up_says_whether_the_write_may_have_taken_effect() {
    let give_up = |first: &'static str, then: &'static str| {
        let count = AtomicUsize::new(0);
        let node = Scripted::start(move |_: &Asked| match count.fetch_add(1, Ordering::Relaxed) {
            0 => unavailable(first),
            _ => unavailable(then),
        });
        let client = Client::new(&connection(&[&node.address])).unwrap();
        let put = Request::put(Path::of_key("a"), client.idempotency_key(), Vec::new());
        let error = client.call(&put, Patience(Duration::from_millis(200))).unwrap_err().to_string();
        assert!(node.asked().len() > 1 && error.contains("no leader is known"), "{error}");
        error
    };
    assert!(!give_up("not_executed", "not_executed").contains("unknown"));
    // One attempt in doubt leaves the whole in doubt, whatever later ones say.
    assert!(give_up("unknown", "not_executed").contains("unknown"));
}
