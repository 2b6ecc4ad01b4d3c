//! Whole nodes on the operating system's clock, network and disk: what they show, and that nothing of one is left when it has gone.

use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use synod::node::{LinkThread, Node, NodeBuilder, StartError};
use synod::services::kv::{Call, Consistency, Expect, Put};
use synod::storage::OpenError;
use synod::transport::{Authority, Identity, PeerName, Role, Validity};
use tokio::time::{Instant, sleep};

const PATIENCE: Duration = Duration::from_secs(20);
const GRACE: Duration = Duration::from_secs(1);

#[expect(clippy::disallowed_methods, reason = "the test is the caller that has the system")]
fn run(test: impl Future<Output = ()>) {
    actix_rt::System::new().block_on(test);
}

fn authority() -> Authority {
    Authority::create("test", Validity::days(1)).expect("an authority")
}

fn identity(authority: &Authority, name: &str, role: Role) -> Identity {
    let peer = PeerName::new(name).expect("a name");
    let credential = authority.issue(&peer, role, Validity::days(1)).expect("a credential");
    Identity::from_credential(&credential).expect("an identity")
}

fn builder(authority: &Authority, name: &str) -> NodeBuilder {
    let identity = identity(authority, name, Role::Member);
    Node::builder("test", name).tls(identity).bind(SocketAddr::from(([127, 0, 0, 1], 0)))
}

/// Starts a node on a directory that its predecessor is about to leave.
async fn start_after(authority: &Authority, directory: &Path) -> Node {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match builder(authority, "a").directory(directory).start().await {
            Ok(node) => return node,
            Err(StartError::Store { source: OpenError::Locked(_), .. }) if Instant::now() < deadline => {
                sleep(Duration::from_millis(10)).await;
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn a_node_that_has_gone_leaves_its_directory_to_the_next_of_its_process() {
    run(async {
        let (authority, directory) = (authority(), tempfile::tempdir().expect("a directory"));
        let node = start_after(&authority, directory.path()).await;
        let kv = node.kv("kv", ["a"]).await.expect("a map");
        let put = Put { key: "k".into(), value: Bytes::from_static(b"v"), lease: None, expect: Expect::Any };
        kv.put(put, Call::default()).await.expect("written");
        node.shutdown(GRACE).await;
        drop((kv, node));

        let node = start_after(&authority, directory.path()).await;
        let kv = node.kv("kv", ["a"]).await.expect("a map");
        let read = kv.get("k", Consistency::Linearizable).await.expect("read");
        assert_eq!(read.value.expect("there").value, Bytes::from_static(b"v"));
        node.shutdown(GRACE).await;
    });
}

#[test]
fn the_metrics_show_whom_the_network_refused() {
    run(async {
        let node = builder(&authority(), "a").start().await.expect("a node");
        let refusals = |kind: &str| {
            let text = node.metrics().render();
            let name = format!("synod_link_refusals_total{{kind=\"{kind}\"}} ");
            let line = text.lines().find_map(|line| line.strip_prefix(&name).map(str::to_owned));
            line.unwrap_or_else(|| panic!("no {name} in {text}")).parse::<u64>().expect("a number")
        };
        assert_eq!((refusals("expired"), refusals("wrong_authority")), (0, 0));

        let endpoint = node.system().transport().local_address().to_string();
        let stranger = builder(&authority(), "b").join([endpoint]).start().await.expect("a stranger");
        let deadline = Instant::now() + PATIENCE;
        while refusals("wrong_authority") == 0 && refusals("refused_by_peer") == 0 {
            assert!(Instant::now() < deadline, "{}", node.metrics().render());
            sleep(Duration::from_millis(10)).await;
        }
        stranger.shutdown(GRACE).await;
        node.shutdown(GRACE).await;
    });
}

#[test]
fn links_work_on_whatever_thread_and_leave_their_address_free() {
    run(async {
        let authority = authority();
        for links in [LinkThread::Own, LinkThread::WithProtocols, LinkThread::Callers] {
            let directory = tempfile::tempdir().expect("a directory");
            let node = builder(&authority, "a").link_thread(links).directory(directory.path());
            let node = node.open_to_clients("kv").start().await.expect("a node");
            let _served = node.kv("kv", ["a"]).await.expect("a map");
            let address = node.system().transport().local_address();

            let client = Node::client("test", "c").tls(identity(&authority, "c", Role::Client));
            let client = client.link_thread(links).peer("a", address.to_string()).expect("a name");
            let client = client.start().await.expect("a client");
            let kv = client.remote_kv("kv", ["a"]).expect("a map");
            let (key, value) = (format!("{links:?}"), Bytes::from_static(b"v"));
            let put = Put { key: key.clone(), value: value.clone(), lease: None, expect: Expect::Absent };
            kv.put(put, Call::default()).await.expect("written");
            let read = kv.get(&key, Consistency::Linearizable).await.expect("read");
            assert_eq!(read.value.expect("there").value, value, "{links:?}");

            client.shutdown(GRACE).await;
            node.shutdown(GRACE).await;
            UdpSocket::bind(address).unwrap_or_else(|error| panic!("{links:?}: {address}: {error}"));
        }
    });
}
