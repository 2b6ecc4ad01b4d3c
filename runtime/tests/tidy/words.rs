//! Words a room may not say: what touches the world in `protocols`, and state that belongs to no value anywhere.
//!
//! Words are identifiers; comments and strings may say what they like. Tests inside `src` are judged as well: a test of a
//! machine has no more business with a clock than the machine.

use crate::house::{Breach, House, Member, Source};
use crate::tokens::{Word, words};

const PURE: &str = "synod-protocols";

/// What a machine never names, and why.
const BANNED: [(&str, &str); 7] = [
    ("tokio", "a machine has no runtime"),
    ("Instant", "time is an argument"),
    ("SystemTime", "time is an argument"),
    ("HashMap", "iteration order differs from run to run; use BTreeMap"),
    ("HashSet", "iteration order differs from run to run; use BTreeSet"),
    ("rand", "chance is a seed; use prng::Prng"),
    ("getrandom", "chance is a seed; use prng::Prng"),
];

/// Modules of the standard library a machine never names, and why.
const BANNED_OF_STD: [(&str, &str); 3] = [
    ("fs", "a machine has no disk"),
    ("net", "a machine has no socket"),
    ("thread", "a machine has no thread"),
];

/// The one file that may keep something per thread, once.
const SCOPE: &str = "runtime/src/scope.rs";
/// The one file that may name an allocator, once.
const PROGRAM: &str = "runtime/cli/src/main.rs";

/// Judges every source of every member.
pub(crate) fn judge(house: &House, found: &mut Vec<Breach>) {
    for member in &house.members {
        for source in &member.sources {
            // What cannot be read as tokens was not parsed either.
            let Ok(stream) = source.text.parse() else { continue };
            let words = words(stream);
            judge_globals(source, &words, found);
            if member.name == PURE {
                judge_purity(member, source, &words, found);
            }
        }
    }
}

fn judge_purity(member: &Member, source: &Source, words: &[Word], found: &mut Vec<Breach>) {
    for word in words {
        let of_std = matches!(word.of.as_deref(), Some("std" | "core" | "alloc"));
        let std_reason = BANNED_OF_STD.iter().filter(|_| of_std).find(|(name, _)| word.name == *name);
        let reason = BANNED.iter().find(|(name, _)| word.name == *name).or(std_reason);
        if let Some((name, reason)) = reason {
            let what = format!("{} names {name}: {reason}", member.name);
            found.push(Breach::new(&source.path, word.line, "word", what));
        }
    }
}

fn judge_globals(source: &Source, words: &[Word], found: &mut Vec<Breach>) {
    let allowed = if source.path == SCOPE { 1 } else { 0 };
    let named = |name: &str| words.iter().filter(|word| word.name == name).collect::<Vec<_>>();
    let (statics, locals) = (named("static"), named("thread_local"));
    let allocators = if source.path == PROGRAM { named("global_allocator").len() } else { 0 };
    for word in statics.iter().skip(allowed.min(locals.len()) + allocators.min(1)) {
        found.push(Breach::new(&source.path, word.line, "static", "a node is a value: no static"));
    }
    for word in locals.iter().skip(allowed) {
        let what = format!("the one thread-local stands in {SCOPE}");
        found.push(Breach::new(&source.path, word.line, "static", what));
    }
    for word in named("lazy_static") {
        found.push(Breach::new(&source.path, word.line, "static", "a node is a value: no lazy_static"));
    }
}

#[cfg(test)]
mod proof {
    use crate::house::House;
    use crate::tree::Tree;

    fn lines(folder: &str, package: &str, file: &str, text: &str) -> Vec<String> {
        let tree = Tree::of(&[
            ("Cargo.toml", &format!("[workspace]\nmembers = [\"{folder}\"]")),
            (&format!("{folder}/Cargo.toml"), &format!("[package]\nname = \"{package}\"")),
            (&format!("{folder}/src/{file}"), text),
        ]);
        let (house, mut found) = House::enter(&tree);
        super::judge(&house, &mut found);
        found.iter().map(ToString::to_string).collect()
    }

    fn pure(text: &str) -> Vec<String> {
        lines("protocols", "synod-protocols", "lib.rs", text)
    }

    #[test]
    fn every_banned_word_is_heard_in_code_macros_and_grouped_uses() {
        for bad in [
            "use tokio::time;",
            "use std::fs;",
            "use std::{net, fmt};",
            "use std::{thread::{spawn}, fmt};",
            "use std::{collections::{BTreeMap, HashMap}};",
            "fn f() { std::thread::yield_now() }",
            "type T = std::time::Instant;",
            "fn f() -> Vec<SystemTime> { vec![] }",
            "fn f() { println!(\"{:?}\", HashSet::new()) }",
            "macro_rules! m { () => { rand::random() } }",
            "fn f() { getrandom::fill(&mut []) }",
        ] {
            assert_eq!(pure(bad).len(), 1, "{bad}: {:?}", pure(bad));
        }
        let text = "//! A.\n\nuse std::time::Instant;";
        assert_eq!(
            pure(text),
            ["protocols/src/lib.rs:3: word: synod-protocols names Instant: time is an argument"]
        );
    }

    #[test]
    fn comments_strings_and_other_crates_may_say_them() {
        let text =
            "//! No tokio, no HashMap.\n// std::fs\n/// Instant.\nfn f() { g(\"rand\", self.fs, net::x) }";
        assert!(pure(text).is_empty(), "{:?}", pure(text));
        assert!(lines("runtime", "synod", "lib.rs", "use std::time::Instant;").is_empty());
    }

    #[test]
    fn a_static_is_found_wherever_it_hides_and_a_lifetime_is_none() {
        for bad in [
            "static A: u32 = 1;",
            "fn f() { static A: u32 = 1; }",
            "macro_rules! m { () => { static A: u32 = 1; } }",
            "mod tests { static A: u32 = 1; }",
            "lazy_static! { }",
        ] {
            assert_eq!(lines("runtime", "synod", "lib.rs", bad).len(), 1, "{bad}");
        }
        assert!(
            lines("runtime", "synod", "lib.rs", "fn f(a: &'static str) -> Box<dyn Any + 'static> {}")
                .is_empty()
        );
    }

    #[test]
    fn the_one_allocator_is_the_programs() {
        let once = "#[global_allocator] static A: B = B;";
        assert!(lines("runtime/cli", "synod-cli", "main.rs", once).is_empty());
        assert_eq!(lines("runtime/cli", "synod-cli", "main.rs", &format!("{once} {once}")).len(), 1);
        assert_eq!(lines("runtime/cli", "synod-cli", "main.rs", "static A: B = B;").len(), 1);
        assert_eq!(lines("runtime/cli", "synod-cli", "cli.rs", once).len(), 1);
    }

    #[test]
    fn the_one_thread_local_stands_in_scope() {
        let once = "thread_local! { static A: Cell<u32> = const { Cell::new(1) }; }";
        let twice = "thread_local! { static A: u32 = 1; static B: u32 = 1; }";
        assert!(lines("runtime", "synod", "scope.rs", once).is_empty());
        assert_eq!(lines("runtime", "synod", "scope.rs", twice).len(), 1);
        assert_eq!(lines("runtime", "synod", "scope.rs", &format!("{once}\n{once}")).len(), 2);
        assert_eq!(lines("runtime", "synod", "scope.rs", "static A: u32 = 1;").len(), 1);
        assert_eq!(lines("runtime", "synod", "lib.rs", once).len(), 2);
    }
}
