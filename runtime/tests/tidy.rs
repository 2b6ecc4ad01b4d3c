//! The laws of the house, as a test: which crate may know which, which file may import which, what a file may hold.
//!
//! Not a style guide and not a linter: rustfmt and clippy (with the bans in each crate's `clippy.toml`) judge the lines,
//! this judges the rooms. Every breach is one line `file:line: rule: what`, all of them reported at once. Beside each rule
//! stands the proof that it fires, on a small bad tree in memory.

#[path = "tidy/arrows.rs"]
mod arrows;
#[path = "tidy/circles.rs"]
mod circles;
#[path = "tidy/columns.rs"]
mod columns;
#[path = "tidy/house.rs"]
mod house;
#[path = "tidy/imports.rs"]
mod imports;
#[path = "tidy/minima.rs"]
mod minima;
#[path = "tidy/modules.rs"]
mod modules;
#[path = "tidy/mutants.rs"]
mod mutants;
#[path = "tidy/rooms.rs"]
mod rooms;
#[path = "tidy/shape.rs"]
mod shape;
#[path = "tidy/tokens.rs"]
mod tokens;
#[path = "tidy/traces.rs"]
mod traces;
#[path = "tidy/tree.rs"]
mod tree;
#[path = "tidy/words.rs"]
mod words;

use std::path::Path;

use house::{Breach, House};
use tree::Tree;

/// Every breach of every law in a tree.
fn breaches(tree: &Tree) -> Vec<Breach> {
    let (house, mut found) = House::enter(tree);
    arrows::judge(&house, &mut found);
    rooms::judge(tree, &house, &mut found);
    shape::judge(&house, &mut found);
    words::judge(&house, &mut found);
    traces::judge(tree, &mut found);
    minima::judge(tree, &mut found);
    mutants::judge(tree, &mut found);
    for member in &house.members {
        let modules = modules::Modules::of(member, &mut found);
        let edges = imports::edges(member, &modules);
        columns::judge(member, &edges, &mut found);
        circles::judge(&edges, &mut found);
    }
    found.sort();
    found.dedup();
    found
}

#[test]
fn the_house_obeys_its_laws() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the runtime stands in the workspace");
    let tree = Tree::read(root).expect("the workspace can be read");
    let (house, _) = House::enter(&tree);
    for law in arrows::LAWS {
        let seen = house.members.iter().any(|m| m.name == law.package && !m.sources.is_empty());
        assert!(seen, "{} has a law but no sources were found: is this the workspace?", law.package);
    }
    let found = breaches(&tree);
    let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert!(lines.is_empty(), "{} breaches of the laws of the house\n{}", lines.len(), lines.join("\n"));
}
