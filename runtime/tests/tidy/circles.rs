//! No file imports in a circle with another of its crate. `mod.rs`, `lib.rs` and `main.rs` are no nodes: they are maps.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::house::Breach;
use crate::imports::Edge;

/// Reports every import that is part of a circle, with the shortest way back.
pub(crate) fn judge(edges: &[Edge], found: &mut Vec<Breach>) {
    let edges: Vec<&Edge> = edges.iter().filter(|edge| is_node(&edge.from) && is_node(&edge.to)).collect();
    let mut graph: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for edge in &edges {
        graph.entry(&edge.from).or_default().insert(&edge.to);
    }
    for edge in edges {
        if let Some(way) = shortest(&graph, &edge.to, &edge.from) {
            let what = format!("imports {}, which leads back: {}", edge.to, way.join(" -> "));
            found.push(Breach::new(&edge.from, edge.line, "circle", what));
        }
    }
}

fn is_node(path: &str) -> bool {
    !matches!(path.rsplit('/').next(), Some("mod.rs" | "lib.rs" | "main.rs"))
}

fn shortest<'a>(
    graph: &BTreeMap<&'a str, BTreeSet<&'a str>>,
    from: &'a str,
    to: &str,
) -> Option<Vec<&'a str>> {
    let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
    let mut queue = VecDeque::from([from]);
    while let Some(at) = queue.pop_front() {
        if at == to {
            let mut way = vec![at];
            while let Some(before) =
                way.last().filter(|file| **file != from).and_then(|file| came_from.get(file))
            {
                way.push(before);
            }
            way.reverse();
            return Some(way);
        }
        for next in graph.get(at).into_iter().flatten() {
            if *next != from && !came_from.contains_key(next) {
                came_from.insert(next, at);
                queue.push_back(next);
            }
        }
    }
    None
}

#[cfg(test)]
mod proof {
    use crate::breaches;
    use crate::tree::Tree;

    fn lines(sources: &[(&str, &str)]) -> Vec<String> {
        let paths: Vec<String> = sources.iter().map(|(path, _)| format!("runtime/src/{path}")).collect();
        let mut files = vec![
            ("Cargo.toml", "[workspace]\nmembers = [\"runtime\"]"),
            ("runtime/Cargo.toml", "[package]\nname = \"synod\""),
            ("runtime/src/lib.rs", "//! Map.\nmod room;"),
            ("runtime/src/room/mod.rs", "//! Room.\nmod a;\nmod b;\nmod c;\npub use a::A;\npub use c::C;"),
        ];
        files.extend(paths.iter().zip(sources).map(|(path, (_, text))| (path.as_str(), *text)));
        breaches(&Tree::of(&files)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_circle_of_two_and_of_three_is_found_even_through_a_re_export() {
        let b = ("room/b.rs", "//! B.\nuse super::c;\npub struct B;");
        let found = lines(&[
            ("room/a.rs", "//! A.\nuse super::b::B;\npub struct A;"),
            b,
            ("room/c.rs", "//! C.\n\nuse crate::room::A;\npub struct C;"),
        ]);
        let wanted = [
            "runtime/src/room/a.rs:2: circle: imports runtime/src/room/b.rs, which leads back: \
             runtime/src/room/b.rs -> runtime/src/room/c.rs -> runtime/src/room/a.rs",
            "runtime/src/room/b.rs:2: circle: imports runtime/src/room/c.rs, which leads back: \
             runtime/src/room/c.rs -> runtime/src/room/a.rs -> runtime/src/room/b.rs",
            "runtime/src/room/c.rs:3: circle: imports runtime/src/room/a.rs, which leads back: \
             runtime/src/room/a.rs -> runtime/src/room/b.rs -> runtime/src/room/c.rs",
        ];
        assert_eq!(found, wanted);
        let found = lines(&[
            ("room/a.rs", "//! A.\nuse super::b::B;\npub struct A;"),
            ("room/b.rs", "//! B.\nuse super::a::A;\npub struct B;"),
            ("room/c.rs", "//! C.\npub struct C;"),
        ]);
        assert_eq!(found.len(), 2, "{found:?}");
    }

    #[test]
    fn maps_and_tests_make_no_circle() {
        let found = lines(&[
            ("room/a.rs", "//! A.\nuse super::b::B;\npub struct A;"),
            ("room/b.rs", "//! B.\npub struct B;\n#[cfg(test)]\nmod tests {\n    use crate::room::A;\n}"),
            ("room/c.rs", "//! C.\nuse crate::room;\npub struct C;"),
        ]);
        assert!(found.is_empty(), "{found:?}");
    }
}
