//! The directories of nodes that do not run: a backup of one, and the directories of a new cluster made of a backup.
//!
//! A directory is made beside its place and put there when it is whole and durable, so that an interruption leaves either nothing or all
//! of it.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use synod_transport::PeerName;

use crate::address::node_id;
use crate::node::config::NodeConfig;
use crate::node::production::entropy;
use crate::services::StateMachine;
use crate::services::offline::{self, AtRest, OfflineFault, state_at_rest};
use crate::storage::{
    BackupFault, BackupHeader, BackupReader, DamagedLog, Disk, LogOptions, OpenError, OpenStore, RealDisk,
    Store, ThreadWorker, write_backup,
};
use crate::telemetry::Metrics;

/// Why a node's directory gave no backup, or did not come to hold one.
#[derive(Debug, thiserror::Error)]
pub enum RestingFault {
    /// There is no node's data.
    #[error("{}: there is no data of a node", directory.display())]
    Absent {
        /// Where.
        directory: PathBuf,
    },
    /// Something is there already; nothing was changed.
    #[error("{}: it is not empty, and a restore replaces nothing", directory.display())]
    Occupied {
        /// What would be replaced.
        directory: PathBuf,
    },
    /// The data cannot be opened: it is damaged, of a later version, or in use by a node that runs.
    #[error("{}: {source}", directory.display())]
    Open {
        /// Where.
        directory: PathBuf,
        /// What was wrong.
        source: OpenError,
    },
    /// The state cannot be read or written.
    #[error("{}: {source}", directory.display())]
    State {
        /// Where.
        directory: PathBuf,
        /// What was wrong.
        source: OfflineFault,
    },
    /// The backup cannot be written.
    #[error(transparent)]
    Backup(#[from] BackupFault),
    /// The operating system refused an operation.
    #[error("{}: cannot {deed} it: {source}", path.display())]
    Io {
        /// What was to be done.
        deed: &'static str,
        /// To what.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

/// A directory that is whole and not yet in its place. Dropped before it is kept, it leaves nothing.
#[derive(Debug)]
pub struct Restored {
    place: PathBuf,
    beside: PathBuf,
}

impl NodeConfig {
    /// Writes the state of a service that this node, which does not run, has in its directory to a file that must not be relied on before
    /// this has returned; gives what the backup says of itself, and its length. `initial` is the service's state before its first command.
    ///
    /// # Errors
    /// [`RestingFault`]; the node's data is as it was.
    pub async fn back_up<S: StateMachine>(
        &self,
        service: &str,
        initial: S,
        file: &Path,
    ) -> Result<(BackupHeader, u64), RestingFault> {
        let directory = &self.directory;
        if !directory.join("log").is_dir() {
            return Err(RestingFault::Absent { directory: directory.clone() });
        }
        let store = open(directory).await?;
        let at_rest = state_at_rest(&store, service, initial, Default::default()).await;
        let written =
            at_rest.map_err(|source| self.state(source)).and_then(|AtRest { machine, meta, state }| {
                let header = BackupHeader {
                    cluster: self.cluster.clone(),
                    service: service.to_owned(),
                    node: self.node.to_string(),
                    program: env!("CARGO_PKG_VERSION").to_owned(),
                    members: self.peers.keys().chain([&self.node]).map(PeerName::to_string).collect(),
                    machine,
                    index: meta.index,
                    term: meta.term,
                    time: meta.time,
                };
                let parent = parent(file);
                let disk = RealDisk::new(parent).map_err(refused("use", parent))?;
                let name = file.strip_prefix(parent).unwrap_or(file);
                let length = write_backup(&disk, name, &header, meta, |out| state.write_to(out))?;
                Ok((header, length))
            });
        // What was only read need not be closed in order.
        let _ = store.close().await;
        written
    }

    /// Makes a directory by which this node starts as a member of a new group with the backup's state: this node and its peers vote.
    ///
    /// # Errors
    /// [`RestingFault`]; nothing is left.
    pub async fn restore<R: Read + Send + 'static>(
        &self,
        backup: BackupReader<R>,
    ) -> Result<Restored, RestingFault> {
        let restored = Restored::beside(&self.directory)?;
        let voters = self.peers.keys().chain([&self.node]).map(node_id).collect();
        let store = open(&restored.beside).await?;
        let put = offline::restore(&store, voters, backup).await.map_err(|source| self.state(source));
        let closed = store.close().await.map_err(|fault| self.state(fault.into()));
        put.and(closed)?;
        Ok(restored)
    }

    fn state(&self, source: OfflineFault) -> RestingFault {
        RestingFault::State { directory: self.directory.clone(), source }
    }
}

impl Restored {
    /// Room for a directory that is to be at `place`, where nothing is. What an interrupted attempt has left goes.
    fn beside(place: &Path) -> Result<Self, RestingFault> {
        vacant(place)?;
        let mut name = place.file_name().unwrap_or_default().to_owned();
        name.push(".restoring");
        let beside = place.with_file_name(name);
        match fs::remove_dir_all(&beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(refused("remove", &beside)(error));
            }
            Ok(()) | Err(_) => {}
        }
        Ok(Self { place: place.to_owned(), beside })
    }

    /// Puts the directory in its place, durably.
    ///
    /// # Errors
    /// [`RestingFault`]; nothing is in its place then.
    pub fn keep(self) -> Result<(), RestingFault> {
        vacant(&self.place)?;
        // An empty directory gives way.
        fs::rename(&self.beside, &self.place).map_err(refused("make", &self.place))?;
        let parent = parent(&self.place);
        File::open(parent).and_then(|parent| parent.sync_all()).map_err(refused("sync", parent))
    }
}

impl Drop for Restored {
    fn drop(&mut self) {
        // It was kept, or never made.
        let _ = fs::remove_dir_all(&self.beside);
    }
}

fn vacant(place: &Path) -> Result<(), RestingFault> {
    match fs::read_dir(place).map(|mut entries| entries.next().is_none()) {
        Ok(true) => Ok(()),
        Ok(false) => Err(RestingFault::Occupied { directory: place.to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(refused("read", place)(error)),
    }
}

async fn open(directory: &Path) -> Result<Store, RestingFault> {
    let worker = |name: &str| ThreadWorker::start(name).map_err(refused("start a thread for", directory));
    let disk: Arc<dyn Disk> = Arc::new(RealDisk::new(directory).map_err(refused("use", directory))?);
    let request = OpenStore {
        disk,
        log_worker: Arc::new(worker("log")?),
        snapshot_worker: Arc::new(worker("snapshots")?),
        options: LogOptions::default(),
        damaged: DamagedLog::Refuse,
        seed: entropy().map_err(refused("name the log of", directory))?,
        metrics: Metrics::default(),
    };
    let opened = Store::opened(request).await;
    let (store, _) =
        opened.map_err(|source| RestingFault::Open { directory: directory.to_owned(), source })?;
    Ok(store)
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn refused(deed: &'static str, path: &Path) -> impl FnOnce(io::Error) -> RestingFault {
    let path = path.to_owned();
    move |source| RestingFault::Io { deed, path, source }
}
