//! Inside `protocols` a column never imports a column: what two of them share moves down to a shared word.
//!
//! The simulator knows no column; of a column, only its invariants, simulations and scenarios know the simulator.

use crate::house::{Breach, Member};
use crate::imports::Edge;

const CRATE: &str = "synod-protocols";

/// What every column may lean on. A folder or file that is none of these, nor the simulator, is a column.
const SHARED: [&str; 9] =
    ["types", "prng", "timer", "roll", "protocol", "quorum", "log", "causality", "session"];

const SIMULATOR: &str = "sim";

/// Rooms of a column that may know the simulator.
const SIMULATED: [&str; 3] = ["invariants", "simulation", "scenario"];

#[derive(Debug, PartialEq, Eq)]
enum Room<'a> {
    /// `lib.rs`, which names them all.
    Map,
    Shared(&'a str),
    Simulator,
    Column(&'a str),
}

/// Judges the imports between the rooms of the protocols.
pub(crate) fn judge(member: &Member, edges: &[Edge], found: &mut Vec<Breach>) {
    if member.name != CRATE {
        return;
    }
    for edge in edges {
        let (from, to) = (room(member, &edge.from), room(member, &edge.to));
        let what = match (&from, &to) {
            (Room::Map, _) | (_, Room::Map) | (_, Room::Shared(_)) => continue,
            (Room::Simulator, Room::Simulator) => continue,
            (Room::Column(_), Room::Simulator) if is_simulated(&edge.from) => continue,
            (Room::Column(own), Room::Column(other)) if own == other => continue,
            (Room::Column(own), Room::Column(other)) => {
                format!("column {own} imports column {other} ({}): move what they share down", edge.to)
            }
            (Room::Column(own), Room::Simulator) => {
                format!(
                    "column {own} imports the simulator outside its invariants, simulations and scenarios"
                )
            }
            (Room::Shared(word), Room::Column(other)) => format!("shared word {word} imports column {other}"),
            (Room::Shared(word), Room::Simulator) => format!("shared word {word} imports the simulator"),
            (Room::Simulator, Room::Column(other)) => format!("the simulator imports column {other}"),
        };
        found.push(Breach::new(&edge.from, edge.line, "column", what));
    }
}

fn room<'a>(member: &Member, path: &'a str) -> Room<'a> {
    let inside = &path[member.folder.len() + "/src/".len()..];
    let name = inside.split('/').next().unwrap_or(inside).trim_end_matches(".rs");
    match name {
        "lib" => Room::Map,
        SIMULATOR => Room::Simulator,
        name if SHARED.contains(&name) => Room::Shared(name),
        name => Room::Column(name),
    }
}

fn is_simulated(path: &str) -> bool {
    path.split('/').any(|part| SIMULATED.contains(&part.trim_end_matches(".rs")))
}

#[cfg(test)]
mod proof {
    use crate::breaches;
    use crate::tree::Tree;

    fn lines(sources: &[(&str, &str)]) -> Vec<String> {
        let paths: Vec<String> = sources.iter().map(|(path, _)| format!("protocols/src/{path}")).collect();
        let mut files = vec![
            ("Cargo.toml", "[workspace]\nmembers = [\"protocols\"]"),
            ("protocols/Cargo.toml", "[package]\nname = \"synod-protocols\""),
        ];
        files.extend(paths.iter().zip(sources).map(|(path, (_, text))| (path.as_str(), *text)));
        breaches(&Tree::of(&files)).iter().map(ToString::to_string).collect()
    }

    const MAP: (&str, &str) = (
        "lib.rs",
        "//! Map.\npub mod raft;\npub mod paxos;\npub mod quorum;\npub mod sim;\npub use paxos::Ballot;",
    );
    const PAXOS: (&str, &str) = ("paxos.rs", "//! Paxos.\npub struct Ballot;");
    const QUORUM: (&str, &str) = ("quorum.rs", "//! Quorum.\npub struct Majority;");
    const SIM: (&str, &str) = ("sim.rs", "//! Sim.\npub trait Invariant {}");

    #[test]
    fn a_column_may_not_import_its_neighbour_not_even_through_the_map() {
        for (raft, line) in [
            ("//! Raft.\nuse crate::paxos::Ballot;", 2),
            ("//! Raft.\nuse crate::quorum::Majority;\nuse crate::Ballot;", 3),
            ("//! Raft.\n\nfn f() { g(crate::paxos::Ballot) }", 3),
        ] {
            let found = lines(&[MAP, PAXOS, QUORUM, SIM, ("raft.rs", raft)]);
            let wanted = format!("protocols/src/raft.rs:{line}: column: column raft imports column paxos");
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].starts_with(&wanted), "{found:?}");
        }
    }

    #[test]
    fn a_shared_word_and_the_simulator_know_no_column() {
        let quorum = ("quorum.rs", "//! Quorum.\nuse crate::raft::Raft;");
        let sim = ("sim.rs", "//! Sim.\nuse crate::raft;");
        let raft = ("raft.rs", "//! Raft.\npub struct Raft;");
        let found = lines(&[MAP, PAXOS, quorum, sim, raft]);
        let wanted = [
            "protocols/src/quorum.rs:2: column: shared word quorum imports column raft",
            "protocols/src/sim.rs:2: column: the simulator imports column raft",
        ];
        assert_eq!(found, wanted);
    }

    #[test]
    fn only_invariants_and_simulations_of_a_column_know_the_simulator() {
        let map = ("raft/mod.rs", "//! Raft.\nmod machine;\nmod invariants;");
        let machine = ("raft/machine.rs", "//! Machine.\nuse crate::sim::Invariant;");
        let invariants = ("raft/invariants/mod.rs", "//! Invariants.\nmod election_safety;");
        let safety = ("raft/invariants/election_safety.rs", "//! Safety.\nuse crate::sim::Invariant;");
        let found = lines(&[MAP, PAXOS, QUORUM, SIM, map, machine, invariants, safety]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("protocols/src/raft/machine.rs:2: column: "), "{found:?}");
    }
}
