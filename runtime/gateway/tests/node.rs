//! The gateway of a real node, alone in its cluster: its log on a real disk, its HTTP on a port the operating system chose.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use synod::node::{Node, NodeBuilder};
use synod::transport::{Authority, Identity, PeerName, Role, Validity};
use synod_gateway::{Config, Gateway, Member, Members, Status};
use tokio::time::Instant;
use ureq::http::{Request, Response};
use ureq::{Agent, Body};

struct Served {
    node: Node,
    gateway: Gateway,
    agent: Agent,
}

impl Served {
    async fn start(directory: &Path) -> Self {
        let name = PeerName::new("only").unwrap();
        let authority = Authority::create("test", Validity::days(1)).unwrap();
        let credential = authority.issue(&name, Role::Member, Validity::days(1)).unwrap();
        let builder: NodeBuilder = Node::builder("test", "only");
        let node = builder.tls(Identity::from_credential(&credential).unwrap()).directory(directory).start();
        let node = node.await.unwrap();
        let member = Member {
            node: name,
            cluster: "test".to_owned(),
            peers: BTreeMap::new(),
            kv: node.kv("kv", ["only"]).await.unwrap(),
            metrics: node.metrics().clone(),
            transport: node.system().transport().clone(),
            set_aside: node.set_aside(),
            started: Instant::now(),
        };
        let gateway = Gateway::start(Config::loopback(0), Arc::new(member)).await.unwrap();
        let config = Agent::config_builder().http_status_as_error(false).proxy(None);
        let agent = config.timeout_global(Some(Duration::from_secs(30))).build().new_agent();
        Self { node, gateway, agent }
    }

    /// Asks on a thread of its own, as a client would, while this thread's actors go on.
    #[expect(clippy::disallowed_methods, reason = "a client's thread is none of the node's")]
    async fn ask(&self, method: &str, path: &str, key: Option<&str>, body: &'static str) -> Response<Body> {
        let url = format!("http://{}{path}", self.gateway.address());
        let mut request = Request::builder().method(method).uri(url);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        let (agent, sent) = (self.agent.clone(), method == "PUT");
        let asked = tokio::task::spawn_blocking(move || match sent {
            true => agent.run(request.body(body).unwrap()),
            false => agent.run(request.body(()).unwrap()),
        });
        asked.await.unwrap().unwrap()
    }

    async fn stop(self) {
        self.gateway.stop().await;
        self.node.shutdown(Duration::from_secs(5)).await;
    }
}

fn index(answer: &Response<Body>) -> u64 {
    answer.headers()["Synod-Index"].to_str().unwrap().parse().unwrap()
}

#[actix_web::test]
async fn a_retry_gets_the_first_answer_and_takes_no_effect_again() {
    let directory = tempfile::tempdir().unwrap();
    let served = Served::start(directory.path()).await;
    let created = served.ask("PUT", "/kv/a/b?timeout_ms=20000", Some("first"), "one").await;
    assert_eq!(created.status(), 201);
    let replaced = served.ask("PUT", "/kv/a/b?expect=one", None, "two").await;
    assert_eq!(replaced.status(), 200);
    assert!(index(&replaced) > index(&created));
    let retried = served.ask("PUT", "/kv/a/b?timeout_ms=20000", Some("first"), "one").await;
    assert_eq!((retried.status().as_u16(), index(&retried)), (201, index(&created)));
    let mut read = served.ask("GET", "/kv/a/b", None, "").await;
    assert_eq!(index(&read), index(&replaced));
    assert_eq!(read.body_mut().read_to_string().unwrap(), "two");
    assert_eq!(served.ask("GET", "/readyz", None, "").await.status(), 200);
    let status = served.ask("GET", "/status", None, "").await.body_mut().read_to_string().unwrap();
    let status: Status = serde_json::from_str(&status).unwrap();
    assert_eq!(
        (status.node.as_str(), status.leader.as_deref(), &status.members[..]),
        ("only", Some("only"), &["only".to_owned()][..])
    );
    assert!(status.applied_index >= index(&replaced) && status.pid == std::process::id());
    served.stop().await;
}

#[actix_web::test]
async fn values_and_keys_over_the_limits_are_refused_before_the_log() {
    let directory = tempfile::tempdir().unwrap();
    let served = Served::start(directory.path()).await;
    // The leader's own entries come first: its first one, and the one that names its disk.
    served.ask("PUT", "/kv/a?timeout_ms=20000", None, "zero").await;
    // The second one is the leader's own affair: no request waits for it, so that one can only look.
    let named = async {
        loop {
            let members = served.ask("GET", "/members", None, "").await.body_mut().read_to_string().unwrap();
            if serde_json::from_str::<Members>(&members).unwrap().index > 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), named).await.expect("the leader names its disk");
    let created = served.ask("PUT", "/kv/a?timeout_ms=20000", None, "one").await;
    for (path, status) in [("/kv/", 400), ("/kv/a%00", 400), ("/kv/a?limit=1", 400), ("/kv", 405)] {
        assert_eq!(served.ask("PUT", path, None, "x").await.status(), status, "{path}");
    }
    let next = served.ask("PUT", "/kv/a", None, "two").await;
    assert_eq!(index(&next), index(&created) + 1);
    served.stop().await;
}
