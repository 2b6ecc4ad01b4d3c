//! The table of cases in `runtime/docs/testing.md` is whole and true: every number has a row, and every row names scripts and
//! tests that are there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The numbers that were given out.
fn numbers() -> BTreeSet<u32> {
    (1..=27).chain(30..=48).chain(50..=56).collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate is in the workspace").to_path_buf()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What the table names in backticks for each number.
fn table() -> BTreeMap<u32, Vec<String>> {
    let text = read(&root().join("runtime/docs/testing.md"));
    let mut table = BTreeMap::new();
    for line in text.lines() {
        let Some(row) = line.strip_prefix("| RT-") else { continue };
        let cells: Vec<&str> = row.trim_end_matches('|').split(" | ").collect();
        let [number, _, places] = cells[..] else { panic!("not three cells: {line}") };
        let number: u32 = number.trim().parse().expect("a number after RT-");
        let places = places.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        assert!(table.insert(number, places).is_none(), "RT-{number} stands twice");
    }
    table
}

/// Whether a place is there: a script, or a file and a test in it.
fn exists(place: &str) -> bool {
    match place.split_once(": ") {
        None => root().join("protocols/tests/scenarios/raft").join(place).is_file(),
        Some((file, test)) => {
            let path = root().join(file);
            path.is_file() && read(&path).contains(&format!("fn {test}("))
        }
    }
}

#[test]
fn every_case_has_a_row_and_every_row_names_what_is_there() {
    let table = table();
    let rows: BTreeSet<u32> = table.keys().copied().collect();
    assert_eq!(rows, numbers());
    let gone: Vec<_> =
        table.iter().flat_map(|(number, places)| places.iter().map(move |place| (number, place))).collect();
    let gone: Vec<_> = gone.into_iter().filter(|(_, place)| !exists(place)).collect();
    assert!(gone.is_empty(), "the table names what is not there: {gone:#?}");
}

#[test]
fn every_script_that_bears_a_number_stands_in_its_row() {
    let table = table();
    let folder = root().join("protocols/tests/scenarios/raft");
    let entries = std::fs::read_dir(folder).expect("the folder of scripts can be read");
    let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    let numbered = names.filter_map(|name| {
        let number: u32 = name.strip_prefix("rt-")?.get(..2)?.parse().expect("a number after rt-");
        Some((number, name))
    });
    let missing: Vec<_> = numbered
        .filter(|(number, name)| !table.get(number).is_some_and(|places| places.contains(name)))
        .collect();
    assert!(missing.is_empty(), "not in the table of runtime/docs/testing.md: {missing:#?}");
}
