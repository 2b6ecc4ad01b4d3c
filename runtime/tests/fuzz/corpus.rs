//! The inputs that are kept: a folder for each target, a file for each input.
//!
//! What programs write is made by the program: `SYNOD_UPDATE=1` writes what is missing. What found a bug is put beside it by hand.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use crate::target::Target;

/// The target's inputs: what the program makes, and what is in the folder; in order.
pub(crate) fn inputs(target: &Target) -> Vec<Vec<u8>> {
    let mut inputs: Vec<Vec<u8>> = (target.seeds)().into_iter().map(|(_, bytes)| bytes).collect();
    let mut files: Vec<PathBuf> = fs::read_dir(folder(target))
        .expect("every target has a corpus; SYNOD_UPDATE=1 makes it")
        .map(|entry| entry.expect("readable").path())
        .collect();
    files.sort();
    inputs.extend(files.iter().map(|file| fs::read(file).expect("readable")));
    let mut seen = BTreeSet::new();
    inputs.retain(|input| seen.insert(input.clone()));
    inputs
}

/// Writes what the program makes and is not in the folder.
pub(crate) fn complete(target: &Target) {
    fs::create_dir_all(folder(target)).expect("writable");
    for (name, bytes) in (target.seeds)() {
        let file = folder(target).join(name);
        if !file.exists() {
            fs::write(file, bytes).expect("writable");
        }
    }
}

/// Keeps an input that broke something, outside of the sources; gives where.
pub(crate) fn keep(target: &Target, input: &[u8]) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("fuzz").join(target.name);
    fs::create_dir_all(&folder).expect("writable");
    let file = folder.join(format!("{:08x}-{}", crc32c::crc32c(input), input.len()));
    fs::write(&file, input).expect("writable");
    file
}

fn folder(target: &Target) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target.name)
}
