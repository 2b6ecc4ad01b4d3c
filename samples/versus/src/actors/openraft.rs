//! openraft as its own benchmark runs it: tasks on tokio, a network of function calls, a log in memory.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::{Debug, Display, Formatter};
use std::future::Future;
use std::io;
use std::ops::{Bound, RangeBounds};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{Stream, TryStreamExt};
use openraft::alias::{EntryOf, LogIdOf, SnapshotMetaOf, SnapshotOf, StoredMembershipOf, VoteOf};
use openraft::entry::RaftEntry;
use openraft::errors::{
    ClientWriteError, RPCError, RaftError, ReplicationClosed, StreamingError, Unreachable,
};
use openraft::impls::leader_id_adv::LeaderId;
use openraft::impls::{
    BoxedErrorSource, EmptyNode, Entry, InlineBatch, OneshotResponder, TokioRuntime, Vote,
};
use openraft::network::RPCOption;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, VoteRequest, VoteResponse,
};
use openraft::storage::{EntryResponder, IOFlushed, LogState, RaftLogStorage, RaftStateMachine};
use openraft::vote::RaftLeaderId;
use openraft::{
    AnyError, Config, EntryPayload, OptionalSend, Raft, RaftLogReader, RaftNetworkFactory, RaftNetworkV2,
    RaftSnapshotBuilder, RaftTypeConfig, StoredMembership,
};
use tokio::runtime::{Builder, Runtime};

use crate::cell::Cell;

/// How long a client waits for a leader that was not sure of itself.
const PAUSE: Duration = Duration::from_millis(1);

/// One write.
#[derive(Clone, Debug)]
pub(crate) struct Write(Bytes);

impl Display for Write {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

/// The types of its choice that its own benchmark takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Types;

impl RaftTypeConfig for Types {
    type D = Write;
    type R = ();
    type NodeId = u64;
    type Node = EmptyNode;
    type Term = u64;
    type LeaderId = LeaderId<u64, u64>;
    type Vote = Vote<Self::LeaderId>;
    type Payload = EntryPayload<Write, u64, EmptyNode>;
    type Entry = Entry<<Self::LeaderId as RaftLeaderId>::Committed, Self::Payload>;
    type Responder<T>
        = OneshotResponder<Self, T>
    where
        T: OptionalSend + 'static;
    type Batch<T>
        = InlineBatch<T>
    where
        T: OptionalSend + 'static;
    type AsyncRuntime = TokioRuntime;
    type ErrorSource = BoxedErrorSource;
}

type Node = Raft<Types, Machine>;

/// A log in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<LogInner>>);

#[derive(Default)]
struct LogInner {
    vote: Option<VoteOf<Types>>,
    purged: Option<LogIdOf<Types>>,
    /// The index of the first entry.
    first: u64,
    entries: VecDeque<EntryOf<Types>>,
}

impl Log {
    fn inner(&self) -> MutexGuard<'_, LogInner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RaftLogReader<Types> for Log {
    async fn try_get_log_entries<RB>(&mut self, range: RB) -> Result<Vec<EntryOf<Types>>, io::Error>
    where
        RB: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        let inner = self.inner();
        let from = match range.start_bound() {
            Bound::Included(&from) => from,
            Bound::Excluded(&before) => before + 1,
            Bound::Unbounded => inner.first,
        };
        let end = match range.end_bound() {
            Bound::Included(&last) => last + 1,
            Bound::Excluded(&end) => end,
            Bound::Unbounded => u64::MAX,
        };
        let place = |index: u64| (index.saturating_sub(inner.first) as usize).min(inner.entries.len());
        Ok(inner.entries.range(place(from)..place(end)).cloned().collect())
    }

    async fn read_vote(&mut self) -> Result<Option<VoteOf<Types>>, io::Error> {
        Ok(self.inner().vote)
    }
}

impl RaftLogStorage<Types> for Log {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<Types>, io::Error> {
        let inner = self.inner();
        let last = inner.entries.back().map(|entry| entry.log_id()).or(inner.purged);
        Ok(LogState { last_purged_log_id: inner.purged, last_log_id: last })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &VoteOf<Types>) -> Result<(), io::Error> {
        self.inner().vote = Some(*vote);
        Ok(())
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<Types>) -> Result<(), io::Error>
    where
        I: IntoIterator<Item = EntryOf<Types>> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        self.inner().entries.extend(entries);
        callback.io_completed(Ok(()));
        Ok(())
    }

    async fn truncate_after(&mut self, last: Option<LogIdOf<Types>>) -> Result<(), io::Error> {
        let mut inner = self.inner();
        let end = last.map_or(0, |last| last.index() + 1).saturating_sub(inner.first) as usize;
        inner.entries.truncate(end);
        Ok(())
    }

    async fn purge(&mut self, upto: LogIdOf<Types>) -> Result<(), io::Error> {
        let mut inner = self.inner();
        while inner.first <= upto.index() && inner.entries.pop_front().is_some() {
            inner.first += 1;
        }
        inner.purged = Some(upto);
        Ok(())
    }
}

/// A state machine that only counts.
#[derive(Clone, Default)]
struct Machine {
    applied: Option<LogIdOf<Types>>,
    membership: StoredMembershipOf<Types>,
}

fn no_snapshots() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "nothing takes snapshots here")
}

impl RaftSnapshotBuilder<Types> for Machine {
    type SnapshotData = ();

    async fn build_snapshot(&mut self) -> Result<SnapshotOf<Types, ()>, io::Error> {
        Err(no_snapshots())
    }
}

impl RaftStateMachine<Types> for Machine {
    type SnapshotData = ();
    type SnapshotBuilder = Self;

    async fn applied_state(
        &mut self,
    ) -> Result<(Option<LogIdOf<Types>>, StoredMembershipOf<Types>), io::Error> {
        Ok((self.applied, self.membership.clone()))
    }

    async fn apply<Entries>(&mut self, mut entries: Entries) -> Result<(), io::Error>
    where
        Entries: Stream<Item = Result<EntryResponder<Types>, io::Error>> + Unpin + OptionalSend,
    {
        while let Some((entry, responder)) = entries.try_next().await? {
            self.applied = Some(entry.log_id());
            if let EntryPayload::Membership(membership) = entry.payload {
                self.membership = StoredMembership::new(self.applied, membership);
            }
            if let Some(responder) = responder {
                responder.send(());
            }
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> Self {
        self.clone()
    }

    async fn install_snapshot(
        &mut self,
        _meta: &SnapshotMetaOf<Types>,
        _snapshot: (),
    ) -> Result<(), io::Error> {
        Err(no_snapshots())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<SnapshotOf<Types, ()>>, io::Error> {
        Ok(None)
    }
}

/// Calls the nodes' functions.
#[derive(Clone, Default)]
struct Router(Arc<Mutex<BTreeMap<u64, Node>>>);

struct Way(Node);

impl RaftNetworkFactory<Types> for Router {
    type Network = Way;

    async fn new_client(&mut self, target: u64, _node: &EmptyNode) -> Way {
        Way(self.0.lock().unwrap_or_else(PoisonError::into_inner)[&target].clone())
    }
}

fn unreachable(error: impl std::error::Error + 'static) -> RPCError<Types> {
    RPCError::Unreachable(Unreachable::new(&error))
}

impl RaftNetworkV2<Types> for Way {
    type SnapshotData = ();

    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<Types>,
        _option: RPCOption,
    ) -> Result<AppendEntriesResponse<Types>, RPCError<Types>> {
        self.0.append_entries(rpc).await.map_err(unreachable)
    }

    async fn vote(
        &mut self,
        rpc: VoteRequest<Types>,
        _option: RPCOption,
    ) -> Result<VoteResponse<Types>, RPCError<Types>> {
        self.0.vote(rpc).await.map_err(unreachable)
    }

    async fn full_snapshot(
        &mut self,
        _vote: VoteOf<Types>,
        _snapshot: SnapshotOf<Types, ()>,
        _cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<Types>, StreamingError<Types>> {
        Err(StreamingError::Unreachable(Unreachable::new(&AnyError::new(&no_snapshots()))))
    }
}

/// Writes a second, with everything on one thread.
pub(crate) fn on_one_thread(cell: Cell, duration: Duration) -> f64 {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    measure(&runtime, cell, duration)
}

/// Writes a second on two threads, as its own benchmark does on a machine with two cores.
pub(crate) fn on_two_threads(cell: Cell, duration: Duration) -> f64 {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    measure(&runtime, cell, duration)
}

fn measure(runtime: &Runtime, cell: Cell, duration: Duration) -> f64 {
    let leader = runtime.block_on(start());
    // Spawned, so that on several threads no client runs on the one that only waits.
    let rate =
        runtime.block_on(async move { tokio::spawn(write(leader, cell, duration)).await.expect("clients") });
    rate
}

async fn start() -> Node {
    let config = Config {
        election_timeout_min: 500,
        election_timeout_max: 1_000,
        max_payload_entries: 4_096,
        snapshot_policy: openraft::SnapshotPolicy::Never,
        ..Config::default()
    };
    let config = Arc::new(config.validate().expect("a proper configuration"));
    let router = Router::default();
    let ids: BTreeSet<u64> = (1..=3).collect();
    for &id in &ids {
        let node = Node::new(id, config.clone(), router.clone(), Log::default(), Machine::default());
        let node = node.await.expect("a node");
        router.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id, node);
    }
    let leader = router.0.lock().unwrap_or_else(PoisonError::into_inner)[&1].clone();
    leader.initialize(ids).await.expect("a group");
    leader.wait(Some(Duration::from_secs(10))).current_leader(1, "elected").await.expect("a leader");
    leader
}

async fn write(leader: Node, cell: Cell, duration: Duration) -> f64 {
    let began = Instant::now();
    let until = began + duration;
    let clients: Vec<_> = (0..cell.clients)
        .map(|_| {
            let (leader, payload) = (leader.clone(), vec![b'v'; cell.payload]);
            tokio::spawn(async move {
                let mut written = 0_u64;
                while Instant::now() < until {
                    match leader.client_write(Write(Bytes::copy_from_slice(&payload))).await {
                        Ok(_) => written += 1,
                        // On a machine that is busy otherwise its lease may run out; it leads again soon.
                        Err(RaftError::APIError(ClientWriteError::ForwardToLeader(_))) => {
                            tokio::time::sleep(PAUSE).await;
                        }
                        Err(error) => panic!("a write was refused: {error}"),
                    }
                }
                written
            })
        })
        .collect();
    let mut written = 0;
    for client in clients {
        written += client.await.expect("a client");
    }
    let rate = written as f64 / began.elapsed().as_secs_f64();
    leader.shutdown().await.expect("an end");
    rate
}
