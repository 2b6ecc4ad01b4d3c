//! A gateway on a port that the operating system chose: watches as they arrive, and the end of everything.

use std::sync::Arc;
use std::time::Duration;

use actix_web::rt::net::TcpStream;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::time::timeout;

use super::memory::Memory;
use crate::config::Config;
use crate::server::{Gateway, GatewayError};
use crate::service::Service;

const PATIENCE: Duration = Duration::from_secs(20);

struct Reader {
    stream: BufReader<TcpStream>,
}

impl Reader {
    async fn ask(gateway: &Gateway, head: &str) -> Self {
        let mut stream = TcpStream::connect(gateway.address()).await.unwrap();
        stream.write_all(format!("{head}\r\nHost: node\r\n\r\n").as_bytes()).await.unwrap();
        Self { stream: BufReader::new(stream) }
    }

    /// The next line that begins so.
    async fn line(&mut self, prefix: &str) -> String {
        loop {
            let mut line = String::new();
            let read =
                timeout(PATIENCE, self.stream.read_line(&mut line)).await.expect("a line comes").unwrap();
            assert_ne!(read, 0, "the stream ended before {prefix:?}");
            if line.starts_with(prefix) {
                return line.trim_end().to_owned();
            }
        }
    }

    async fn event(&mut self) -> (String, serde_json::Value) {
        let id = self.line("id: ").await;
        let data = self.line("data: ").await;
        (id["id: ".len()..].to_owned(), serde_json::from_str(&data["data: ".len()..]).unwrap())
    }
}

async fn start(memory: &Arc<Memory>) -> Gateway {
    let config = Config { heartbeat: Duration::from_millis(20), ..Config::loopback(0) };
    Gateway::start(config, memory.clone() as Arc<dyn Service>).await.unwrap()
}

#[actix_web::test]
async fn a_watch_tells_changes_as_they_happen_and_resumes_where_it_was() {
    let memory = Memory::new();
    memory.transact(&["a/0"]);
    let gateway = start(&memory).await;
    let mut watch = Reader::ask(&gateway, "GET /kv?watch=a/&from=1 HTTP/1.1").await;
    assert_eq!(watch.line("HTTP").await, "HTTP/1.1 200 OK");
    watch.line("content-type: text/event-stream").await;
    assert_eq!(watch.event().await.0, "1");
    watch.line(": alive").await;
    memory.transact(&["a/1", "b/1", "a/2"]);
    let (id, data) = watch.event().await;
    assert_eq!(id, "2");
    assert_eq!(data, serde_json::json!({ "type": "put", "key": "a/1", "value": "dA==", "index": 2 }));
    assert_eq!(watch.event().await.0, "2-1");
    drop(watch);

    let mut resumed = Reader::ask(&gateway, "GET /kv?watch=a/ HTTP/1.1\r\nLast-Event-ID: 2").await;
    let (id, data) = resumed.event().await;
    assert_eq!((id.as_str(), &data["key"]), ("2-1", &"a/2".into()));
    memory.transact(&["a/3"]);
    assert_eq!(resumed.event().await.0, "3");
    drop(resumed);
    gateway.stop().await;
}

#[actix_web::test]
async fn a_stop_ends_watches_with_a_reason_and_frees_the_address() {
    let memory = Memory::new();
    let gateway = start(&memory).await;
    let address = gateway.address();
    let mut watch = Reader::ask(&gateway, "GET /kv?watch= HTTP/1.1").await;
    watch.line(": alive").await;
    let reader = async {
        watch.line("event: end").await;
        watch.line("data: ").await
    };
    let (end, ()) = tokio::join!(reader, gateway.stop());
    assert!(end.contains("\"reason\":\"shutdown\""), "{end}");
    std::net::TcpListener::bind(address).expect("the address is free");
}

#[actix_web::test]
async fn a_busy_address_is_named() {
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = holder.local_addr().unwrap().port();
    let refused =
        Gateway::start(Config::loopback(port), Memory::new()).await.err().expect("the port is taken");
    assert!(matches!(&refused, GatewayError::Bind { address, .. } if address.port() == port));
    assert!(refused.to_string().contains(&port.to_string()), "{refused}");
}

#[actix_web::test]
async fn a_client_that_sends_too_much_hears_so() {
    let gateway = start(&Memory::new()).await;
    for head in ["Content-Length: 8000000", "Transfer-Encoding: chunked"] {
        let stream = TcpStream::connect(gateway.address()).await.unwrap();
        let (read, mut write) = stream.into_split();
        let send = async {
            let request = format!("PUT /kv/a HTTP/1.1\r\nHost: node\r\n{head}\r\n\r\n");
            write.write_all(request.as_bytes()).await.unwrap();
            let chunk = [b"100000\r\n".to_vec(), vec![b'x'; 0x10_0000], b"\r\n".to_vec()].concat();
            for _ in 0..8 {
                // The node may have hung up; what counts is its answer.
                if write.write_all(&chunk).await.is_err() {
                    return;
                }
            }
        };
        let answer = async {
            let mut line = String::new();
            BufReader::new(read).read_line(&mut line).await.map(|_| line)
        };
        let ((), answer) =
            tokio::join!(send, async { timeout(PATIENCE, answer).await.expect("an answer comes") });
        assert!(answer.unwrap().starts_with("HTTP/1.1 413 "), "{head}");
    }
    gateway.stop().await;
}

#[actix_web::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let gateway = start(&Memory::new()).await;
    let head = "PUT /kv/slow?timeout_ms=50 HTTP/1.1\r\nContent-Length: 100";
    let mut stalled = Reader::ask(&gateway, head).await;
    assert_eq!(stalled.line("HTTP").await, "HTTP/1.1 408 Request Timeout");
    drop(stalled);
    gateway.stop().await;
}
