//! The directory tree of a simulated disk: which names are durable, which are visible, and the changes between the two.
//!
//! A directory is known by a number, so that one that is renamed keeps what is in it, and what is still to become durable in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use synod_protocols::prng::Prng;

use crate::storage::sim_disk::faults::DiskFaults;

/// The tree's root.
const ROOT: u64 = 0;

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    File(u64),
    Directory(u64),
}

/// A name in a directory.
type Place = (u64, PathBuf);

#[derive(Clone, Debug)]
enum Change {
    Put(Place, Target),
    Rename(Place, Place),
    Remove(Place),
}

/// Which name stands for which file or directory.
#[derive(Clone, Debug, Default)]
struct Tree(BTreeMap<Place, Target>);

/// The names of a disk.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    durable: Tree,
    visible: Tree,
    last_directory: u64,
    /// The changes of a directory in order: a journal keeps a prefix of them.
    unsynced: BTreeMap<u64, Vec<Change>>,
}

impl Names {
    /// The file of a name.
    pub(super) fn find(&self, path: &Path) -> Option<u64> {
        match self.visible.target(path)? {
            Target::File(id) => Some(id),
            Target::Directory(_) => None,
        }
    }

    pub(super) fn has_directory(&self, path: &Path) -> bool {
        self.visible.directory(path).is_some()
    }

    pub(super) fn list(&self, directory: &Path) -> Vec<PathBuf> {
        let Some(id) = self.visible.directory(directory) else { return Vec::new() };
        self.visible
            .0
            .range((id, PathBuf::new())..(id + 1, PathBuf::new()))
            .map(|((_, name), _)| name.clone())
            .collect()
    }

    pub(super) fn create_directory(&mut self, directory: &Path) {
        let mut parent = ROOT;
        for name in directory {
            let place = (parent, PathBuf::from(name));
            parent = match self.visible.0.get(&place) {
                Some(Target::Directory(id)) => *id,
                Some(Target::File(_)) | None => {
                    self.last_directory += 1;
                    self.change(parent, Change::Put(place, Target::Directory(self.last_directory)));
                    self.last_directory
                }
            };
        }
    }

    pub(super) fn create(&mut self, path: &Path, id: u64) {
        if let Some(place) = self.visible.place(path) {
            self.change(place.0, Change::Put(place, Target::File(id)));
        }
    }

    /// Gives a file or directory another name; false when there is none, or a directory of that name has something in it.
    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> bool {
        let occupied = self.has_directory(to) && !self.list(to).is_empty();
        let (Some(from), Some(to)) = (self.visible.place(from), self.visible.place(to)) else { return false };
        let possible = self.visible.0.contains_key(&from) && !occupied;
        if possible {
            self.change(to.0, Change::Rename(from, to));
        }
        possible
    }

    pub(super) fn remove(&mut self, path: &Path) {
        if let Some(place) = self.visible.place(path) {
            self.change(place.0, Change::Remove(place));
        }
    }

    pub(super) fn sync(&mut self, directory: &Path) {
        let Some(id) = self.visible.directory(directory) else { return };
        for change in self.unsynced.remove(&id).unwrap_or_default() {
            self.durable.apply(&change);
        }
    }

    pub(super) fn crash(&mut self, prng: &mut Prng, faults: &mut DiskFaults) {
        for changes in std::mem::take(&mut self.unsynced).into_values() {
            let kept = prng.between(0, changes.len() as u64) as usize;
            faults.names_lost += (changes.len() - kept) as u64;
            for change in &changes[..kept] {
                self.durable.apply(change);
            }
        }
        self.visible.clone_from(&self.durable);
    }

    /// Whether a name stands for the file, or will again if the changes are lost.
    pub(super) fn uses(&self, id: u64) -> bool {
        self.visible.0.values().chain(self.durable.0.values()).any(|&used| used == Target::File(id))
    }

    fn change(&mut self, directory: u64, change: Change) {
        self.visible.apply(&change);
        self.unsynced.entry(directory).or_default().push(change);
    }
}

impl Tree {
    fn directory(&self, path: &Path) -> Option<u64> {
        path.iter().try_fold(ROOT, |parent, name| match self.0.get(&(parent, PathBuf::from(name)))? {
            Target::Directory(id) => Some(*id),
            Target::File(_) => None,
        })
    }

    fn place(&self, path: &Path) -> Option<Place> {
        Some((self.directory(path.parent()?)?, PathBuf::from(path.file_name()?)))
    }

    fn target(&self, path: &Path) -> Option<Target> {
        self.0.get(&self.place(path)?).copied()
    }

    fn apply(&mut self, change: &Change) {
        match change {
            Change::Put(place, target) => {
                self.0.insert(place.clone(), *target);
            }
            Change::Rename(from, to) => {
                if let Some(target) = self.0.remove(from) {
                    self.0.insert(to.clone(), target);
                }
            }
            Change::Remove(place) => {
                self.0.remove(place);
            }
        }
    }
}
