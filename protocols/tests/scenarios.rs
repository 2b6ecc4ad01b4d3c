//! Every script under `tests/scenarios` gives the output that stands in it, and breaks no rule of its protocol.
//!
//! `SYNOD_UPDATE=1 cargo test -p synod-protocols --test scenarios` writes the output that came into the scripts instead; read
//! the difference before you keep it. `synod scenario` plays single files.

use std::path::{Path, PathBuf};

use synod_protocols::raft::Raft;
use synod_protocols::sim::scenario::play;

fn scripts(protocol: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios").join(protocol);
    let entries = std::fs::read_dir(&folder).expect("the folder of scripts can be read");
    let mut scripts: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    scripts.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    scripts.sort();
    assert!(!scripts.is_empty(), "{} holds no script", folder.display());
    scripts
}

#[test]
fn every_script_of_raft_gives_the_output_that_stands_in_it() {
    let update = std::env::var_os("SYNOD_UPDATE").is_some();
    let mut complaints = String::new();
    for path in scripts("raft") {
        let text = std::fs::read_to_string(&path).expect("a script can be read");
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match play::<Raft>(&text) {
            Err(fault) => complaints += &format!("{name}: {fault}\n"),
            Ok(played) => {
                for difference in played.differences.iter().filter(|_| !update) {
                    complaints += &format!("{name}:{}:\n{difference}\n", difference.line);
                }
                if let Some((line, violation)) = &played.broken {
                    complaints += &format!("{name}:{line}: {violation}\n");
                }
                if update && played.text != text {
                    std::fs::write(&path, &played.text).expect("a script can be written");
                }
            }
        }
    }
    assert!(complaints.is_empty(), "\n{complaints}");
}

#[test]
fn a_script_that_is_played_twice_tells_the_same_story() {
    for path in scripts("raft") {
        let text = std::fs::read_to_string(&path).expect("a script can be read");
        let play = || play::<Raft>(&text).map(|played| played.text);
        assert_eq!(play(), play(), "{}", path.display());
    }
}
