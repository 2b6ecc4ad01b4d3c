//! Requests and responses, without a socket.

use std::sync::Arc;
use std::time::Duration;

use actix_web::App;
use actix_web::http::header::HeaderMap;
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::from_fn;
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::web::Data;
use bytes::Bytes;
use serde_json::{Value, json};
use synod::node::BackupAccess;
use synod::protocols::LogIndex;
use synod::services::kv::{Consistency, KvCause, KvError};

use super::memory::Memory;
use crate::config::Config;
use crate::count::count;
use crate::gate::Gate;
use crate::measures::Measures;
use crate::readiness::CaughtUp;
use crate::routes::configure;
use crate::service::Service;
use crate::stopping::Stop;

struct Node {
    memory: Arc<Memory>,
    gate: Data<Gate>,
    stop: Stop,
}

struct Answer {
    status: StatusCode,
    head: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.get(name).map(|value| value.to_str().unwrap())
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }
}

impl Node {
    fn new() -> Self {
        Self::giving_backups_to(BackupAccess::default())
    }

    fn giving_backups_to(backup: BackupAccess) -> Self {
        let memory = Memory::new();
        let stop = Stop::new();
        let gate = Data::new(Gate {
            measures: Measures::new(memory.metrics()),
            service: memory.clone(),
            config: Config { body_limit: 100, backup, ..Config::loopback(0) },
            caught_up: CaughtUp::default(),
            stopping: stop.stopping(),
        });
        Self { memory, gate, stop }
    }

    async fn ask(&self, request: TestRequest) -> Answer {
        let gate = self.gate.clone();
        let app = init_service(App::new().wrap(from_fn(count)).configure(|app| configure(app, gate))).await;
        let response = call_service(&app, request.to_request()).await;
        let (status, head) = (response.status(), response.headers().clone());
        Answer { status, head, body: read_body(response).await }
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask(TestRequest::get().uri(path)).await
    }

    async fn put(&self, path: &str, value: &'static str) -> Answer {
        self.ask(TestRequest::put().uri(path).set_payload(value)).await
    }

    async fn delete(&self, path: &str) -> Answer {
        self.ask(TestRequest::delete().uri(path)).await
    }
}

#[actix_web::test]
async fn a_put_says_whether_it_created_and_its_index() {
    let node = Node::new();
    let created = node.put("/kv/a/b%20c", "one").await;
    assert_eq!((created.status, created.header("Synod-Index")), (StatusCode::CREATED, Some("1")));
    let replaced = node.put("/kv/a%2Fb%20c", "two").await;
    assert_eq!((replaced.status, replaced.header("Synod-Index")), (StatusCode::OK, Some("2")));
    node.put("/kv/other", "x").await;
    let read = node.get("/kv/a/b%20c").await;
    assert_eq!((read.status, &read.body[..]), (StatusCode::OK, &b"two"[..]));
    assert_eq!((read.header("Synod-Index"), read.header("Synod-Read-Index")), (Some("2"), Some("3")));
}

#[actix_web::test]
async fn a_delete_answers_204_and_then_404() {
    let node = Node::new();
    node.put("/kv/a", "one").await;
    let deleted = node.delete("/kv/a").await;
    assert_eq!((deleted.status, deleted.header("Synod-Index")), (StatusCode::NO_CONTENT, Some("2")));
    assert_eq!(node.delete("/kv/a").await.status, StatusCode::NOT_FOUND);
    let absent = node.get("/kv/a").await;
    assert_eq!((absent.status, absent.header("Synod-Index")), (StatusCode::NOT_FOUND, Some("2")));
}

#[actix_web::test]
async fn compare_and_set_answers_409_with_what_is_present() {
    let node = Node::new();
    let none = node.put("/kv/a?expect=one", "two").await;
    assert_eq!((none.status, none.header("Synod-Present")), (StatusCode::CONFLICT, Some("false")));
    assert_eq!(node.put("/kv/a?expect_absent=true", "o ne").await.status, StatusCode::CREATED);
    let taken = node.put("/kv/a?expect_absent=true", "x").await;
    assert_eq!((taken.status, &taken.body[..]), (StatusCode::CONFLICT, &b"o ne"[..]));
    assert_eq!((taken.header("Synod-Present"), taken.header("Synod-Index")), (Some("true"), Some("1")));
    assert_eq!(node.put("/kv/a?expect=o+ne", "two").await.status, StatusCode::OK);
    assert_eq!(node.put("/kv/a?expect_index=1", "x").await.status, StatusCode::CONFLICT);
    assert_eq!(node.put("/kv/a?expect_index=2", "thr%ee").await.status, StatusCode::OK);
    assert_eq!(node.delete("/kv/a?expect=two").await.status, StatusCode::CONFLICT);
    assert_eq!(node.delete("/kv/a?expect=thr%25ee").await.status, StatusCode::NO_CONTENT);
}

#[actix_web::test]
async fn ranges_come_in_pages() {
    let node = Node::new();
    for path in ["/kv/a/1", "/kv/a/2", "/kv/a/3", "/kv/b"] {
        node.put(path, "v").await;
    }
    let page = node.get("/kv?prefix=a%2F&limit=2").await;
    assert_eq!(page.header("Synod-Index"), Some("4"));
    let rows =
        json!([{ "key": "a/1", "value": "dg==", "index": 1 }, { "key": "a/2", "value": "dg==", "index": 2 }]);
    assert_eq!(page.json(), rows);
    let rest = node.get("/kv?prefix=a/&limit=2&after=a/2&consistency=stale").await;
    assert_eq!(rest.json(), json!([{ "key": "a/3", "value": "dg==", "index": 3 }]));
    assert_eq!(node.memory.last_read(), Consistency::Stale);
    node.get("/kv/a?consistency=confirmed").await;
    assert_eq!(node.memory.last_read(), Consistency::Confirmed);
    assert_eq!(node.get("/kv").await.json().as_array().unwrap().len(), 4);
    assert_eq!(node.memory.last_read(), Consistency::Linearizable);
}

#[actix_web::test]
async fn an_idempotency_key_reaches_the_map() {
    let node = Node::new();
    let put = || TestRequest::put().uri("/kv/a").insert_header(("Idempotency-Key", "k1")).set_payload("v");
    assert_eq!(node.ask(put()).await.status, StatusCode::CREATED);
    let again = node.ask(put()).await;
    assert_eq!((again.status, again.header("Synod-Index")), (StatusCode::CREATED, Some("1")));
    for bad in ["", &"k".repeat(256)] {
        let answer = node.ask(put().insert_header(("Idempotency-Key", bad))).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{bad:?}");
    }
}

#[actix_web::test]
async fn deadlines_come_from_the_request_within_limits() {
    let node = Node::new();
    node.put("/kv/a", "v").await;
    assert_eq!(node.memory.last_call().deadline, Duration::from_secs(5));
    node.put("/kv/a?timeout_ms=70", "v").await;
    assert_eq!(node.memory.last_call().deadline, Duration::from_millis(70));
    node.ask(TestRequest::put().uri("/kv/a").insert_header(("Synod-Timeout-Ms", "9999999"))).await;
    assert_eq!(node.memory.last_call().deadline, Duration::from_secs(60));
    assert_eq!(node.put("/kv/a?timeout_ms=0", "v").await.status, StatusCode::BAD_REQUEST);
    node.memory.hang();
    let late = node.get("/kv/a?timeout_ms=1").await;
    assert_eq!(late.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(late.json()["outcome"], "not_executed");
}

#[actix_web::test]
async fn what_cannot_be_served_says_its_outcome() {
    let node = Node::new();
    let cases = [
        (KvError::not_executed(KvCause::NoLeader), 503, "not_executed"),
        (KvError::unknown(KvCause::Timeout), 503, "unknown"),
        (KvError::unknown(KvCause::Link("gone".into())), 503, "unknown"),
        (KvError::not_executed(KvCause::NoSpace), 503, "not_executed"),
        (KvError::not_executed(KvCause::TooLarge { size: 2, limit: 1 }), 413, "not_executed"),
        (KvError::unknown(KvCause::SessionExpired), 422, "unknown"),
    ];
    for (failure, status, outcome) in cases {
        let sentence = failure.to_string();
        node.memory.fail(failure);
        let answer = node.put("/kv/a", "v").await;
        assert_eq!(answer.status.as_u16(), status, "{sentence}");
        assert_eq!(answer.json(), json!({ "error": sentence, "outcome": outcome }));
    }
}

#[actix_web::test]
async fn bodies_over_the_limit_are_refused() {
    let node = Node::new();
    let put = |size: usize| TestRequest::put().uri("/kv/a").set_payload(vec![b'x'; size]);
    assert_eq!(node.ask(put(100)).await.status, StatusCode::CREATED);
    let refused = node.ask(put(101)).await;
    assert_eq!(
        (refused.status, refused.json()["outcome"].as_str()),
        (StatusCode::PAYLOAD_TOO_LARGE, Some("not_executed"))
    );
}

#[actix_web::test]
async fn malformed_requests_are_refused_in_json() {
    let node = Node::new();
    let long = format!("/kv/{}", "x".repeat(1025));
    for path in [
        "/kv/",
        "/kv/a%00b",
        "/kv/%ff",
        "/kv/%zz",
        &long,
        "/kv/a?expect_absent=yes",
        "/kv/a?expect=1&expect_absent=true",
    ] {
        let answer = node.put(path, "v").await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
        assert_eq!(answer.json()["outcome"], "not_executed");
    }
    for path in [
        "/kv?limit=0",
        "/kv?limit=x",
        "/kv?prefix=a&prefix=b",
        "/kv?prefx=a",
        "/kv/a?consistency=strong",
        "/kv?watch=a&from=x",
    ] {
        let answer = node.get(path).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
        assert!(answer.json()["error"].is_string());
    }
}

#[actix_web::test]
async fn other_routes_and_methods_are_refused_in_json() {
    let node = Node::new();
    let nowhere = node.get("/kvx").await;
    assert_eq!((nowhere.status, nowhere.json()["error"].is_string()), (StatusCode::NOT_FOUND, true));
    let cases = [
        ("/kv/a", Method::POST, "PUT, GET, DELETE"),
        ("/kv", Method::PUT, "GET"),
        ("/status", Method::DELETE, "GET"),
    ];
    for (path, method, allowed) in cases {
        let answer = node.ask(TestRequest::default().uri(path).method(method)).await;
        assert_eq!((answer.status, answer.header("Allow")), (StatusCode::METHOD_NOT_ALLOWED, Some(allowed)));
        assert!(answer.json()["error"].is_string());
    }
}

#[actix_web::test]
async fn a_node_is_ready_only_with_a_leader_and_until_it_stops() {
    let node = Node::new();
    assert_eq!(node.get("/healthz").await.status, StatusCode::OK);
    assert_eq!(node.get("/readyz").await.status, StatusCode::SERVICE_UNAVAILABLE);
    {
        let mut status = node.memory.status.lock().unwrap();
        let status = status.as_mut().unwrap();
        (status.commit_index, status.applied_index) = (1, 1);
    }
    assert_eq!(node.get("/readyz").await.status, StatusCode::OK);
    node.stop.begin();
    assert_eq!(node.get("/readyz").await.status, StatusCode::SERVICE_UNAVAILABLE);
    *node.memory.status.lock().unwrap() = Err("the service has stopped".into());
    assert_eq!(node.get("/readyz").await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(node.get("/healthz").await.status, StatusCode::OK);
}

#[actix_web::test]
async fn the_status_has_the_promised_fields() {
    let status = Node::new().get("/status").await.json();
    for field in [
        "node",
        "pid",
        "role",
        "leader",
        "term",
        "commit_index",
        "applied_index",
        "members",
        "set_aside",
        "uptime_ms",
        "links",
    ] {
        assert!(status.get(field).is_some(), "{field}");
    }
    assert_eq!((&status["role"], &status["members"]), (&json!("leader"), &json!(["node-1", "node-2"])));
}

#[actix_web::test]
async fn requests_are_counted_by_route_and_not_by_key() {
    let node = Node::new();
    node.put("/kv/one", "v").await;
    node.put("/kv/two", "v").await;
    node.put("/kv/", "v").await;
    let answer = node.get("/metrics").await;
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    let line = |status: u16| {
        format!("synod_http_requests_total{{route=\"/kv/{{key:.*}}\",method=\"PUT\",status=\"{status}\"}}")
    };
    assert!(text.contains(&format!("{} 2\n", line(201))), "{text}");
    assert!(text.contains(&format!("{} 1\n", line(400))), "{text}");
    assert!(text.contains("synod_http_put_seconds_count 2\n"), "{text}");
}

#[actix_web::test]
async fn a_watch_whose_history_is_gone_answers_410_with_the_oldest() {
    let node = Node::new();
    node.memory.forget_before(5);
    let gone = node.get("/kv?watch=a&from=4").await;
    assert_eq!((gone.status, gone.json()["oldest"].as_u64()), (StatusCode::GONE, Some(5)));
    let later =
        TestRequest::get().uri("/kv?watch=a").insert_header(("Last-Event-ID", LogIndex(3).to_string()));
    assert_eq!(node.ask(later).await.status, StatusCode::GONE);
}

#[actix_web::test]
async fn a_backup_goes_to_whom_the_configuration_says() {
    let asked = |from: &str| TestRequest::get().uri("/backup").peer_addr(from.parse().unwrap());
    let (near, mapped, far) = ("127.0.0.1:9", "[::ffff:127.0.0.1]:9", "192.0.2.7:9");
    let cases = [
        (BackupAccess::Loopback, near, 200),
        (BackupAccess::Loopback, mapped, 200),
        (BackupAccess::Loopback, far, 403),
        (BackupAccess::Anybody, far, 200),
        (BackupAccess::Nobody, near, 403),
    ];
    for (access, from, status) in cases {
        let node = Node::giving_backups_to(access);
        node.put("/kv/a", "one").await;
        let answer = node.ask(asked(from)).await;
        assert_eq!(answer.status.as_u16(), status, "{access:?} {from}");
        if status == 200 {
            assert_eq!((answer.header("Synod-Index"), &answer.body[..]), (Some("1"), &b"one, two"[..]));
        } else {
            assert!(answer.json()["error"].as_str().unwrap().contains("http.backup"));
        }
    }
    let unknown = Node::giving_backups_to(BackupAccess::Anybody).get("/backup?from=1").await;
    assert_eq!(unknown.status, StatusCode::BAD_REQUEST);
}

#[actix_web::test]
async fn members_are_told_to_everybody_and_changed_by_whom_the_configuration_says() {
    let node = Node::new();
    let asked = |from: &str, body: &'static str| {
        TestRequest::put().uri("/members").peer_addr(from.parse().unwrap()).set_payload(body)
    };
    let (near, far) = ("127.0.0.1:9", "192.0.2.7:9");
    let wanted = r#"{"voters":["node-1","node-3"],"learners":["node-2"]}"#;
    let refused = node.ask(asked(far, wanted)).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(refused.json()["error"].as_str().unwrap().contains("http.members"));
    assert_eq!(node.ask(asked(near, wanted)).await.json()["index"].as_u64(), Some(8));
    let told = node.get("/members").await.json();
    assert_eq!(told["members"]["voters"], serde_json::json!(["node-1", "node-3"]));
    assert_eq!(told["members"]["learners"], serde_json::json!(["node-2"]));
    for (body, status) in [("{}", 400), (r#"{"voters":[],"chairs":[]}"#, 400), (r#"{"voters":[]}"#, 400)] {
        let answer = node.ask(asked(near, body)).await;
        assert_eq!(answer.status.as_u16(), status, "{body}");
        assert_eq!(answer.json()["outcome"].as_str(), Some("not_executed"), "{body}");
    }
}

#[actix_web::test]
async fn leadership_is_handed_over_by_whom_the_configuration_says_and_to_whom_can_lead() {
    let node = Node::new();
    let asked = |from: &str, uri: &str| TestRequest::put().uri(uri).peer_addr(from.parse().unwrap());
    let (near, far) = ("127.0.0.1:9", "192.0.2.7:9");
    assert_eq!(node.ask(asked(far, "/leader?to=node-2")).await.status, StatusCode::FORBIDDEN);
    assert_eq!(node.ask(asked(near, "/leader?to=node-3")).await.json()["leader"], "node-3");
    assert_eq!(node.ask(asked(near, "/leader")).await.json()["leader"], "node-2", "whoever is furthest");
    let refused = node.ask(asked(near, "/leader?to=learner")).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert_eq!(refused.json()["error"], "node-4 is a learner: only a voter can lead");
    assert_eq!(refused.json()["outcome"], "not_executed");
    assert_eq!(node.ask(asked(near, "/leader?from=node-1")).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(node.get("/leader").await.status, StatusCode::METHOD_NOT_ALLOWED);
}
