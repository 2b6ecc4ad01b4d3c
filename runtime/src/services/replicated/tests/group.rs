//! Three members on a network in memory, each with its actors, its disk and its driver, on one thread in virtual time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use synod_protocols::log::SessionTag;
use synod_protocols::raft::{Config, Raft, Role};
use synod_protocols::session::SessionLimits;
use synod_protocols::{ClientId, Incarnation, LogIndex, NodeId, Outcome};
use synod_transport::memory::{self, Calm, MemoryTransport, Process};
use synod_transport::{Address, Peer, PeerName, Role as PeerRole, Transport};
use tokio::task::{JoinHandle, LocalSet};
use tokio::time::{Instant, sleep};

use crate::actor::{ActorSystem, DeadLetterHook, Limits as ActorLimits, Settings};
use crate::address::node_id;
use crate::driver::{Context, Driver, DriverHandle, DriverMeters, Limits};
use crate::env::{Clock, Env, Network, NetworkError, Open, Spawner};
use crate::services::kv::{
    Call, Consistency, DeleteOutcome, EventKind, Expect, Kv, KvCause, KvLimits, Map, Put, PutOutcome, Range,
};
use crate::services::replicated::{OpenTo, RemoteForward, Replicated, Start, serve};
use crate::storage::{LogOptions, OpenStore, SimDisk, Store, Worker};
use crate::telemetry::Metrics;
