//! A node's surroundings as values: a disk that takes virtual time, links that are queues, one thread.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use synod_protocols::log::{Body, Entries};
use synod_protocols::{LogIndex, NodeId, Protocol, SessionId, Timestamp};
use synod_transport::{BulkReceiver, BulkSender, LinkError};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::toy::{Message, Toy, ToyConfig};
use crate::address::{MachineId, ProtocolId};
use crate::cluster::{Courier, Inbox, Spoken};
use crate::driver::frame;
use crate::driver::{
    Context, Driver, DriverHandle, DriverMeters, Effected, Frozen, Host, Limits, Thaw, Thawed, Throttle,
};
use crate::env::{Clock, Spawner};
use crate::storage::{DamagedLog, LogOptions, OpenStore, SimDisk, Store, Worker};
use crate::telemetry::Metrics;
use crate::wire::Form;

/// How long each job of a disk takes.
pub(crate) const JOB: Duration = Duration::from_millis(10);

/// Runs a test on one thread under a clock that jumps to the next timer.
pub(crate) fn run(test: impl Future<Output = ()>) {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime")
    };
    actix_rt::System::with_tokio_rt(runtime).block_on(test);
}

pub(crate) struct TokioClock(pub(crate) Instant);

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.elapsed().as_nanos() as u64 + 1)
    }

    fn wall(&self) -> Duration {
        self.0.elapsed()
    }
}

/// One place: this thread.
pub(crate) struct Here;

impl Spawner for Here {
    fn places(&self) -> usize {
        1
    }

    fn start_at(&self, _place: usize, start: Box<dyn FnOnce() + Send>) {
        actix_rt::spawn(async move { start() });
    }

    fn worker(&self, _name: &str) -> io::Result<Arc<dyn Worker>> {
        Ok(slow_worker())
    }
}

/// Each job takes [`JOB`].
pub(crate) fn slow_worker() -> Arc<dyn Worker> {
    struct Slow(mpsc::UnboundedSender<Box<dyn FnOnce() + Send>>);
    impl Worker for Slow {
        fn submit(&self, job: Box<dyn FnOnce() + Send>) {
            // The task lives as long as the test.
            let _ = self.0.send(job);
        }
    }
    let (jobs, mut queue) = mpsc::unbounded_channel::<Box<dyn FnOnce() + Send>>();
    actix_rt::spawn(async move {
        while let Some(job) = queue.recv().await {
            tokio::time::sleep(JOB).await;
            job();
        }
    });
    Arc::new(Slow(jobs))
}

pub(crate) async fn store(disk: &SimDisk) -> Store {
    store_with(disk, slow_worker()).await
}

pub(crate) async fn store_with(disk: &SimDisk, snapshot_worker: Arc<dyn Worker>) -> Store {
    let request = OpenStore {
        disk: Arc::new(disk.clone()),
        log_worker: slow_worker(),
        snapshot_worker,
        options: LogOptions::sim(),
        damaged: DamagedLog::Refuse,
        seed: 1,
        metrics: Metrics::default(),
    };
    Store::opened(request).await.expect("the disk opens").0
}

/// One frame.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) at: Instant,
    pub(crate) to: NodeId,
    pub(crate) messages: Vec<(MachineId, Message)>,
}

/// Keeps what is sent, and lets the test play the peers.
#[derive(Default)]
pub(crate) struct Post {
    pub(crate) frames: Mutex<Vec<Sent>>,
    pub(crate) inbox: Mutex<Option<Arc<dyn Inbox>>>,
    /// The inbox of the driver at the other end of bulk streams.
    pub(crate) far: Mutex<Option<Arc<dyn Inbox>>>,
    pub(crate) largest: Mutex<Option<usize>>,
    /// Who sends, unless it is node 1.
    pub(crate) own: Mutex<Option<NodeId>>,
    /// After how many pieces the next stream breaks.
    pub(crate) breaks_after: Mutex<Option<usize>>,
    /// The sizes of the pieces sent in streams.
    pub(crate) pieces: Arc<Mutex<Vec<usize>>>,
}

impl Post {
    pub(crate) fn inbox(&self) -> Arc<dyn Inbox> {
        self.inbox.lock().unwrap().clone().expect("a driver has subscribed")
    }

    pub(crate) fn take(&self) -> Vec<Sent> {
        std::mem::take(&mut self.frames.lock().unwrap())
    }
}

impl Courier for Post {
    fn send(
        &self,
        to: NodeId,
        protocol: ProtocolId,
        body: &mut dyn FnMut(Form, &mut BytesMut),
    ) -> Result<(), LinkError> {
        assert_eq!(protocol, ProtocolId::of(Toy::NAME));
        let mut bytes = BytesMut::new();
        body(Form::Named, &mut bytes);
        let (size, mut bytes) = (bytes.len(), bytes.freeze());
        if let Some(limit) = *self.largest.lock().unwrap()
            && size > limit
        {
            return Err(LinkError::TooLarge { size, limit });
        }
        let mut messages = Vec::new();
        while let Some(part) = frame::next(&mut bytes) {
            let (machine, message) = part.expect("whole frames are sent");
            messages.push((machine, frame::message::<Toy>(&message).expect("messages are encoded")));
        }
        self.frames.lock().unwrap().push(Sent { at: Instant::now(), to, messages });
        Ok(())
    }

    fn open_bulk(
        &self,
        _to: NodeId,
        _protocol: ProtocolId,
        header: Bytes,
    ) -> BoxFuture<'static, Result<Box<dyn BulkSender>, LinkError>> {
        let far = self.far.lock().unwrap().clone();
        let own = self.own.lock().unwrap().unwrap_or(NodeId(1));
        let (left, pieces) = (self.breaks_after.lock().unwrap().take(), Arc::clone(&self.pieces));
        Box::pin(async move {
            let far = far.ok_or(LinkError::Closed)?;
            let pipe = Arc::new(Mutex::new(Pipe { left, pieces, ..Pipe::default() }));
            far.bulk(own, SessionId(1), header, Box::new(End(Arc::clone(&pipe))));
            Ok(Box::new(End(pipe)) as Box<dyn BulkSender>)
        })
    }

    fn subscribe(&self, _protocol: Spoken, inbox: Arc<dyn Inbox>) {
        *self.inbox.lock().unwrap() = Some(inbox);
    }
}

/// A stream in memory.
#[derive(Default)]
struct Pipe {
    chunks: VecDeque<Bytes>,
    finished: bool,
    left: Option<usize>,
    pieces: Arc<Mutex<Vec<usize>>>,
}

struct End(Arc<Mutex<Pipe>>);

impl BulkSender for End {
    fn write(&mut self, chunk: Bytes) -> BoxFuture<'_, Result<(), LinkError>> {
        let mut pipe = self.0.lock().unwrap();
        if pipe.left == Some(0) {
            return Box::pin(std::future::ready(Err(LinkError::Closed)));
        }
        pipe.left = pipe.left.map(|left| left - 1);
        pipe.pieces.lock().unwrap().push(chunk.len());
        pipe.chunks.push_back(chunk);
        Box::pin(std::future::ready(Ok(())))
    }

    fn finish(&mut self) -> BoxFuture<'_, Result<(), LinkError>> {
        self.0.lock().unwrap().finished = true;
        Box::pin(std::future::ready(Ok(())))
    }
}

impl BulkReceiver for End {
    fn read(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, LinkError>> {
        Box::pin(async move {
            loop {
                {
                    let mut pipe = self.0.lock().unwrap();
                    if let Some(chunk) = pipe.chunks.pop_front() {
                        return Ok(Some(chunk));
                    }
                    if pipe.finished {
                        return Ok(None);
                    }
                    if pipe.left == Some(0) {
                        return Err(LinkError::Closed);
                    }
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
    }
}

/// Adds up what is applied.
#[derive(Clone, Default)]
pub(crate) struct Sum(pub(crate) Arc<Mutex<(u64, Vec<u64>)>>);

impl Host<Toy> for Sum {
    fn apply(&mut self, entries: Entries) -> Effected {
        let mut sum = self.0.lock().unwrap();
        let mut results = Vec::new();
        for entry in &entries {
            let Body::Command { payload, .. } = &entry.body else { continue };
            sum.0 += u64::from_le_bytes(payload[..].try_into().unwrap());
            results.push((entry.index, Bytes::copy_from_slice(&sum.0.to_le_bytes())));
        }
        Effected { results, wake: None }
    }

    fn snapshot(&mut self) -> Frozen {
        let sum = self.0.lock().unwrap().0;
        Frozen::new(move |writer| writer.write_all(&sum.to_le_bytes()))
    }

    fn thaw(&self) -> Thaw {
        let sum = Arc::clone(&self.0);
        Thaw::new(move |_, reader| {
            let mut bytes = [0; 8];
            reader.read_exact(&mut bytes)?;
            Ok(Thawed::new(move || sum.lock().unwrap().0 = u64::from_le_bytes(bytes)))
        })
    }

    fn event(&mut self, event: &u64) {
        self.0.lock().unwrap().1.push(*event);
    }
}

/// A driver and its surroundings.
pub(crate) struct Node {
    pub(crate) post: Arc<Post>,
    pub(crate) driver: DriverHandle<Toy>,
    pub(crate) metrics: Metrics,
    pub(crate) disk: SimDisk,
    pub(crate) store: Store,
}

impl Node {
    pub(crate) async fn new() -> Self {
        Self::on(SimDisk::default(), Limits::default()).await
    }

    pub(crate) async fn on(disk: SimDisk, limits: Limits) -> Self {
        let store = store(&disk).await;
        Self::keeping(disk, store, limits)
    }

    pub(crate) fn keeping(disk: SimDisk, store: Store, limits: Limits) -> Self {
        let (metrics, post) = (Metrics::default(), Arc::new(Post::default()));
        let context = Context {
            seed: 7,
            clock: Arc::new(TokioClock(Instant::now())),
            spawner: Arc::new(Here),
            place: 0,
            courier: post.clone(),
            store: store.clone(),
            meters: DriverMeters::new(&metrics),
            limits,
            throttle: Throttle::default(),
            vigil: None,
        };
        Self { post, driver: Driver::start(context), metrics, disk, store }
    }

    pub(crate) async fn machine(&self, name: &str) -> (MachineId, Sum) {
        let sum = Sum::default();
        let host = sum.clone();
        let config = ToyConfig { peers: vec![NodeId(2), NodeId(3)] };
        let machine = self.driver.create(name, config, move || Box::new(host)).await.expect("it is created");
        (machine, sum)
    }

    /// The value of a counter of this driver.
    pub(crate) fn count(&self, name: &str) -> u64 {
        let text = self.metrics.render();
        let line = text.lines().filter(|line| line.starts_with(&format!("synod_driver_{name}")));
        line.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
    }
}

/// The index up to which a machine's log was compacted, and its entries, as the next process finds them.
pub(crate) async fn found(disk: &SimDisk, machine: MachineId) -> (Option<LogIndex>, Vec<LogIndex>) {
    let store = store(disk).await;
    let recovered = store.recover(machine).expect("it is whole");
    let from = recovered.after.next();
    let read = store.entries(machine, from, recovered.last, usize::MAX).await.expect("it is whole");
    let entries = read.iter().map(|(index, _)| *index).collect();
    (recovered.snapshot.map(|meta| meta.index), entries)
}
