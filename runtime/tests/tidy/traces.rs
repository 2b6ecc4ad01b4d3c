//! No file tells on which machine, from which registry or with what it was made; it must read the same everywhere.
//!
//! `Cargo.lock` is written by cargo and may. The words are put together here so that this file passes its own law.

use crate::house::Breach;
use crate::tree::Tree;

const EXEMPT: &str = "Cargo.lock";

/// Hosts of package registries.
const REGISTRIES: [&str; 10] = [
    concat!("crates", ".io"),
    concat!("npmjs", "."),
    concat!("pypi", ".org"),
    concat!("pythonhosted", ".org"),
    concat!("rubygems", ".org"),
    concat!("proxy.golang", ".org"),
    concat!("docker", ".io"),
    concat!("ghcr", ".io"),
    concat!("quay", ".io"),
    concat!("deb.debian", ".org"),
];

/// What the host in an address is called when it is somebody's own registry.
const MIRRORS: [&str; 4] = ["registry", "artifactory", "nexus", "mirror"];

/// Folders of a machine that another machine has not.
const FOLDERS: [&str; 4] =
    [concat!("/", "work/"), concat!("/", "root/"), concat!("/", "home/"), concat!("/", "Users/")];

/// Tools that leave their name in what they touch.
const MAKERS: [&str; 10] = [
    concat!("clau", "de"),
    concat!("anthro", "pic"),
    concat!("ope", "nai"),
    concat!("cha", "tgpt"),
    concat!("g", "pt"),
    concat!("co", "pilot"),
    concat!("l", "lm"),
    concat!("a", "i"),
    concat!("assist", "ant"),
    concat!("co-authored", "-by"),
];

/// Judges every line of every file.
pub(crate) fn judge(tree: &Tree, found: &mut Vec<Breach>) {
    for (path, text) in &tree.files {
        if path.rsplit('/').next() == Some(EXEMPT) {
            continue;
        }
        for (index, line) in text.lines().enumerate() {
            if let Some(what) = verdict(line) {
                found.push(Breach::new(path, index + 1, "trace", what));
            }
        }
    }
}

fn verdict(line: &str) -> Option<String> {
    let lower = line.to_ascii_lowercase();
    if let Some(host) = REGISTRIES.iter().find(|host| stands_alone(&lower, host, is_of_a_name)) {
        return Some(format!("names the registry {host}"));
    }
    if let Some(host) = hosts(&lower).find(|host| MIRRORS.iter().any(|mirror| host.contains(mirror))) {
        return Some(format!("names the registry {host}"));
    }
    if let Some(folder) = FOLDERS.iter().find(|folder| stands_alone(line, folder, is_of_a_path)) {
        return Some(format!("names a folder of one machine, {folder}"));
    }
    let maker = MAKERS.iter().find(|maker| {
        stands_alone(&lower, maker, is_of_a_name)
            && lower.split(|c| !is_of_a_word(c)).any(|word| word == **maker)
    });
    maker.map(|maker| format!("tells what it was made with, {maker}"))
}

/// Whether `word` is in `line` with nothing before it that would make it a part of something longer.
fn stands_alone(line: &str, word: &str, belongs: fn(char) -> bool) -> bool {
    line.match_indices(word).any(|(at, _)| !line[..at].ends_with(belongs))
}

fn is_of_a_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '-'
}

fn is_of_a_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-'
}

/// A folder is only one of the root's if its slash is the first of the path.
fn is_of_a_path(c: char) -> bool {
    c.is_alphanumeric() || "._-~/}$*".contains(c)
}

/// The hosts of the addresses in a line.
fn hosts(line: &str) -> impl Iterator<Item = &str> {
    line.split("://")
        .skip(1)
        .map(|rest| rest.split(|c: char| !(is_of_a_name(c) || c == '.')).next().unwrap_or(""))
}

#[cfg(test)]
mod proof {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        let mut found = Vec::new();
        judge(&Tree::of(&[("a/notes.md", text), ("Cargo.lock", text)]), &mut found);
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_trace_is_found() {
        for list in [&REGISTRIES[..], &FOLDERS[..], &MAKERS[..]] {
            for word in list {
                let found = lines(&format!("first\nsee {word} there"));
                assert_eq!(found.len(), 1, "{word}");
                assert!(found[0].starts_with("a/notes.md:2: trace: "), "{found:?}");
            }
        }
        assert_eq!(lines(concat!("url = \"https://my-regis", "try.example/index\"")).len(), 1);
        assert_eq!(lines(concat!("sparse+https://static.crates", ".io/x")).len(), 1);
        assert_eq!(lines(concat!("(\"/", "home/me\")")).len(), 1);
    }

    #[test]
    fn what_only_looks_like_a_trace_is_left_alone() {
        for good in [
            "a registry of names, registry.register(name)",
            "../work/x and $HOME/work/x and https://example.com/home/x",
            "rain, air, email, mail, fallible, Coqui",
            "https://example.com/the-registry",
        ] {
            assert!(lines(good).is_empty(), "{good}: {:?}", lines(good));
        }
    }
}
