//! The directory tree of a simulated disk: which names are durable, which are visible, and the changes between the two.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use synod_protocols::prng::Prng;

use crate::storage::sim_disk::faults::DiskFaults;

#[derive(Clone, Debug)]
enum Change {
    Create(PathBuf, u64),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
}

/// Which name stands for which file.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    durable: BTreeMap<PathBuf, u64>,
    visible: BTreeMap<PathBuf, u64>,
    directories: BTreeSet<PathBuf>,
    /// The changes of a directory in order: a journal keeps a prefix of them.
    unsynced: BTreeMap<PathBuf, Vec<Change>>,
}

impl Names {
    pub(super) fn find(&self, path: &Path) -> Option<u64> {
        self.visible.get(path).copied()
    }

    pub(super) fn has_directory(&self, path: &Path) -> bool {
        path.as_os_str().is_empty() || self.directories.contains(path)
    }

    pub(super) fn list(&self, directory: &Path) -> Vec<PathBuf> {
        let files = self.visible.keys().chain(&self.directories);
        let inside = files.filter(|path| path.parent() == Some(directory));
        let mut names: Vec<_> = inside.filter_map(|path| path.file_name()).map(PathBuf::from).collect();
        names.sort();
        names
    }

    /// Directories are durable at once: a lost one would only hide what the loss of its files' names hides too.
    pub(super) fn create_directory(&mut self, directory: &Path) {
        self.directories
            .extend(directory.ancestors().filter(|path| !path.as_os_str().is_empty()).map(PathBuf::from));
    }

    pub(super) fn create(&mut self, path: &Path, id: u64) {
        self.change(path, Change::Create(path.to_owned(), id));
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) {
        self.change(to, Change::Rename(from.to_owned(), to.to_owned()));
    }

    pub(super) fn remove(&mut self, path: &Path) {
        self.change(path, Change::Remove(path.to_owned()));
    }

    pub(super) fn sync(&mut self, directory: &Path) {
        for change in self.unsynced.remove(directory).unwrap_or_default() {
            apply(&mut self.durable, &change);
        }
    }

    pub(super) fn crash(&mut self, prng: &mut Prng, faults: &mut DiskFaults) {
        for changes in std::mem::take(&mut self.unsynced).into_values() {
            let kept = prng.between(0, changes.len() as u64) as usize;
            faults.names_lost += (changes.len() - kept) as u64;
            for change in &changes[..kept] {
                apply(&mut self.durable, change);
            }
        }
        self.visible.clone_from(&self.durable);
    }

    /// Whether a name stands for the file, or will again if the changes are lost.
    pub(super) fn uses(&self, id: u64) -> bool {
        self.visible.values().chain(self.durable.values()).any(|&used| used == id)
    }

    fn change(&mut self, path: &Path, change: Change) {
        apply(&mut self.visible, &change);
        let directory = path.parent().unwrap_or(Path::new("")).to_owned();
        self.unsynced.entry(directory).or_default().push(change);
    }
}

fn apply(names: &mut BTreeMap<PathBuf, u64>, change: &Change) {
    match change {
        Change::Create(path, id) => {
            names.insert(path.clone(), *id);
        }
        Change::Rename(from, to) => {
            if let Some(id) = names.remove(from) {
                names.insert(to.clone(), id);
            }
        }
        Change::Remove(path) => {
            names.remove(path);
        }
    }
}
