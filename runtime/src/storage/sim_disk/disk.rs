//! The simulated disk itself and its switches.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use synod_protocols::prng::Prng;

use crate::storage::disk::{Disk, DiskFile};
use crate::storage::sim_disk::content::Content;
use crate::storage::sim_disk::faults::{DiskCosts, DiskFaults};
use crate::storage::sim_disk::names::Names;

/// A disk in memory. Clones share it and belong to the same process; what the next process gets comes from
/// [`SimDisk::restart`] or [`SimDisk::crash`], after which this process's handles and files fail.
#[derive(Clone, Debug, Default)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
    process: u64,
}

#[derive(Debug, Default)]
struct State {
    process: u64,
    names: Names,
    files: BTreeMap<u64, Content>,
    last_file: u64,
    /// How many handles a file has: it lives on without a name while it has any.
    handles: BTreeMap<u64, u64>,
    capacity: Option<u64>,
    writes_fail: bool,
    /// Files of which no byte can be read.
    unreadable: BTreeSet<u64>,
    sync_fails: bool,
    misdirect: Option<u64>,
    drop_write: bool,
    stop_after: Option<u64>,
    faults: DiskFaults,
    costs: DiskCosts,
}

impl SimDisk {
    /// Takes the power away: of what was not synced the seed decides, for each write, whether it is lost, kept or torn at
    /// sectors, and for each directory, which of the last changes are undone. Gives the disk to the next process.
    #[must_use]
    pub fn crash(&self, seed: u64) -> Self {
        let mut state = self.state();
        let State { names, files, faults, .. } = &mut *state;
        let mut prng = Prng::fork(seed, 0xD15C);
        faults.crashes += 1;
        names.crash(&mut prng, faults);
        files.retain(|id, _| names.uses(*id));
        for content in files.values_mut() {
            content.crash(&mut prng, faults);
        }
        self.next_process(state)
    }

    /// Ends the process and leaves the power on: everything written is still there, durable or not. Gives the disk to the next
    /// process.
    #[must_use]
    pub fn restart(&self) -> Self {
        self.next_process(self.state())
    }

    /// Lets the next sync of a file fail; what it was to make durable stays visible and is lost by the next power loss.
    pub fn fail_next_sync(&self) {
        self.state().sync_fails = true;
    }

    /// Lets every write fail from here on.
    pub fn fail_writes(&self) {
        self.state().writes_fail = true;
    }

    /// Lets writes succeed again.
    pub fn heal_writes(&self) {
        self.state().writes_fail = false;
    }

    /// Limits the sum of the lengths of all files; `None` lifts the limit.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.state().capacity = bytes;
    }

    /// Flips the bits of `mask` at `offset` of a file; false when there is no such byte.
    pub fn flip(&self, path: &Path, offset: u64, mask: u8) -> bool {
        let mut state = self.state();
        let Some(id) = state.names.find(path) else { return false };
        let flipped = state.files.get_mut(&id).is_some_and(|content| content.flip(offset, mask));
        state.faults.bytes_flipped += u64::from(flipped);
        flipped
    }

    /// Lets no byte of a file be read any more; false when there is no such file.
    pub fn fail_reads(&self, path: &Path) -> bool {
        let mut state = self.state();
        let found = state.names.find(path);
        state.unreadable.extend(found);
        found.is_some()
    }

    /// Lets the next write go to `offset` of its file instead, and be acknowledged.
    pub fn misdirect_next_write(&self, offset: u64) {
        self.state().misdirect = Some(offset);
    }

    /// Lets the next write go nowhere, and be acknowledged.
    pub fn drop_next_write(&self) {
        self.state().drop_write = true;
    }

    /// Lets every changing operation after the next `operations` fail without effect, until the next process.
    pub fn stop_after(&self, operations: u64) {
        let mut state = self.state();
        state.stop_after = Some(state.costs.operations + operations);
    }

    /// Faults injected so far.
    #[must_use]
    pub fn faults(&self) -> DiskFaults {
        self.state().faults
    }

    /// Operations so far.
    #[must_use]
    pub fn costs(&self) -> DiskCosts {
        self.state().costs
    }

    /// The sum of the lengths of all files that have a name.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.state().used()
    }

    fn next_process(&self, mut state: MutexGuard<'_, State>) -> Self {
        state.process += 1;
        state.stop_after = None;
        Self { state: Arc::clone(&self.state), process: state.process }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn alive(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.state();
        if state.process == self.process { Ok(state) } else { Err(io::Error::other("the process has ended")) }
    }

    /// As [`Self::alive`], for an operation that changes something.
    fn changing(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.alive()?;
        if state.stop_after.is_some_and(|last| state.costs.operations >= last) {
            return Err(io::Error::other("the disk has stopped"));
        }
        state.costs.operations += 1;
        Ok(state)
    }
}

impl State {
    fn used(&self) -> u64 {
        self.files.iter().filter(|(id, _)| self.names.uses(**id)).map(|(_, content)| content.length()).sum()
    }

    fn make_room(&mut self, id: u64, length: u64) -> io::Result<()> {
        let grown = length.saturating_sub(self.files.get(&id).map_or(0, Content::length));
        if grown > 0 && self.capacity.is_some_and(|capacity| self.used() + grown > capacity) {
            self.faults.space_refused += 1;
            return Err(ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn forget_unused(&mut self) {
        let Self { names, handles, files, .. } = self;
        files.retain(|id, _| names.uses(*id) || handles.contains_key(id));
    }

    fn content(&mut self, id: u64) -> &mut Content {
        self.files.entry(id).or_default()
    }
}

impl Disk for SimDisk {
    fn open(&self, path: &Path, create: bool) -> io::Result<Box<dyn DiskFile>> {
        let found = self.alive()?.names.find(path);
        let id = match found {
            Some(id) => id,
            None if create => {
                let mut state = self.changing()?;
                if !state.names.has_directory(path.parent().unwrap_or(Path::new(""))) {
                    return Err(ErrorKind::NotFound.into());
                }
                state.last_file += 1;
                let id = state.last_file;
                state.names.create(path, id);
                state.files.insert(id, Content::default());
                id
            }
            None => return Err(ErrorKind::NotFound.into()),
        };
        *self.state().handles.entry(id).or_default() += 1;
        Ok(Box::new(SimFile { disk: self.clone(), id }))
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        Ok(self.alive()?.names.list(directory))
    }

    fn create_directory(&self, directory: &Path) -> io::Result<()> {
        self.changing()?.names.create_directory(directory);
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.changing()?;
        if state.names.rename(from, to) { Ok(()) } else { Err(ErrorKind::NotFound.into()) }
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.changing()?;
        state.names.find(path).ok_or(ErrorKind::NotFound)?;
        state.names.remove(path);
        Ok(())
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        let mut state = self.changing()?;
        state.costs.directory_syncs += 1;
        state.names.sync(directory);
        state.forget_unused();
        Ok(())
    }

    fn lock(&self) -> io::Result<()> {
        // Processes follow one another: the earlier one's handles have failed before the next one has any.
        self.alive().map(drop)
    }

    fn unlock(&self) {}
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    id: u64,
}

impl Drop for SimFile {
    fn drop(&mut self) {
        let mut state = self.disk.state();
        if let Some(handles) = state.handles.get_mut(&self.id) {
            *handles -= 1;
            if *handles == 0 {
                state.handles.remove(&self.id);
                state.forget_unused();
            }
        }
    }
}

impl DiskFile for SimFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut state = self.disk.alive()?;
        state.costs.reads += 1;
        if state.unreadable.contains(&self.id) {
            state.faults.reads_failed += 1;
            return Err(io::Error::other("the disk failed to read"));
        }
        Ok(state.content(self.id).read(offset, buffer))
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.disk.changing()?;
        if state.writes_fail {
            state.faults.writes_failed += 1;
            return Err(io::Error::other("the disk failed to write"));
        }
        state.costs.writes += 1;
        state.costs.bytes += bytes.len() as u64;
        if std::mem::take(&mut state.drop_write) {
            state.faults.writes_dropped += 1;
            return Ok(());
        }
        let misdirected = state.misdirect.take();
        state.faults.writes_misdirected += u64::from(misdirected.is_some());
        let offset = misdirected.unwrap_or(offset);
        state.make_room(self.id, offset + bytes.len() as u64)?;
        state.content(self.id).write(offset, bytes);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.changing()?;
        state.costs.syncs += 1;
        if std::mem::take(&mut state.sync_fails) {
            state.faults.syncs_failed += 1;
            state.content(self.id).fail_sync();
            return Err(io::Error::other("the disk failed to sync"));
        }
        state.content(self.id).sync();
        Ok(())
    }

    fn reserve(&self, length: u64) -> io::Result<()> {
        let mut state = self.disk.changing()?;
        state.make_room(self.id, length)?;
        let length = length.max(state.content(self.id).length());
        state.content(self.id).set_length(length);
        Ok(())
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        let mut state = self.disk.changing()?;
        state.make_room(self.id, length)?;
        state.content(self.id).set_length(length);
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.disk.alive()?.content(self.id).length())
    }
}
