//! Runs every sample as its users do: for real, in virtual time, and with arguments it does not understand.

use std::io::Read;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

const FAMILY: &str = env!("CARGO_BIN_EXE_family");
const HELLO: &str = env!("CARGO_BIN_EXE_hello");
const COUNTER: &str = env!("CARGO_BIN_EXE_counter");
const ORDERS: &str = env!("CARGO_BIN_EXE_orders");
const OWN_PROTOCOL: &str = env!("CARGO_BIN_EXE_own_protocol");
/// Far longer than any sample takes on a machine that does other things besides.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a run left behind.
struct Run {
    status: ExitStatus,
    out: String,
    err: String,
}

impl Run {
    /// Runs a sample to its end, and ends one that does not come to it.
    fn of(program: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (out, err) = (all_of(child.stdout.take().unwrap()), all_of(child.stderr.take().unwrap()));
        let Ok(out) = out.recv_timeout(PATIENCE) else {
            child.kill().unwrap();
            panic!("{program} {arguments:?} did not end within {PATIENCE:?}: {}", err.recv().unwrap());
        };
        Self { status: child.wait().unwrap(), out, err: err.recv().unwrap() }
    }

    /// The lines that a run wrote that went well.
    fn lines(&self) -> Vec<&str> {
        assert!(self.status.success(), "{}: {}\n{}", self.status, self.err, self.out);
        assert_eq!(self.err, "", "a sample that goes well has nothing to complain of");
        self.out.lines().collect()
    }
}

/// Everything that comes out of a pipe until it is closed.
fn all_of(mut pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut text = String::new();
        pipe.read_to_string(&mut text).unwrap();
        sender.send(text).unwrap();
    });
    receiver
}

/// Runs a sample in virtual time: equal seeds tell the same story to the last event, another seed has other events.
/// Gives the story without the line of the hashes.
fn simulated(program: &str) -> String {
    let run = |seed| {
        let run = Run::of(program, &["--sim", "--seed", seed]);
        let mut lines = run.lines();
        let last = lines.pop().unwrap().to_owned();
        let (words, hashes) = last.rsplit_once("hashes ").unwrap();
        assert!(words.starts_with(&format!("seed {seed}: ")), "{last}");
        let hashes: Vec<String> = hashes.split(' ').map(str::to_owned).collect();
        let is_hash = |hash: &String| hash.len() == 16 && hash.chars().all(|c| c.is_ascii_hexdigit());
        assert!(hashes.len() == 2 && hashes.iter().all(is_hash), "{last}");
        (lines.join("\n"), words.to_owned(), hashes)
    };
    let (one, again, other) = (run("7"), run("7"), run("8"));
    assert_eq!(one, again);
    let differ = one.2.iter().zip(&other.2).all(|(one, other)| one != other);
    assert!(differ, "another seed is another run: {:?}", one.2);
    one.0
}

const SHARED: &str = "\
a hundred among 4 is 25 each
a hundred among 0: panicked, unknown
a hundred among 5 is 20 each
the master's end: bonded";

#[test]
fn the_family_gets_over_a_panic_and_not_over_its_landlord() {
    assert_eq!(Run::of(FAMILY, &[]).lines().join("\n"), SHARED);
}

#[test]
fn the_family_does_the_same_in_virtual_time() {
    // One node sends no packets, so that another seed need not be another run.
    let (one, again) =
        (Run::of(FAMILY, &["--sim", "--seed", "7"]), Run::of(FAMILY, &["--sim", "--seed", "7"]));
    assert_eq!(one.out, again.out);
    let lines = one.lines();
    assert_eq!(lines[..lines.len() - 1].join("\n"), SHARED);
}

#[test]
fn hello_goes_from_one_process_to_another() {
    let run = Run::of(HELLO, &[]);
    let lines = run.lines();
    let process = |line: &str| line.split(' ').nth(1).unwrap().parse::<u32>().unwrap();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].contains(" hosts the actor `greeter` at 127.0.0.1:"), "{lines:?}");
    assert!(lines[1].ends_with(" was told: Hello, guest! You are guest number 1."), "{lines:?}");
    assert_ne!(process(lines[0]), process(lines[1]));
}

#[test]
fn hello_is_the_same_in_virtual_time() {
    assert_eq!(simulated(HELLO), "the guest was told: Hello, guest! You are guest number 1.");
}

/// Every increment is counted once, and every node reads the same, before, without and after the leader.
fn assert_counted(lines: &[&str]) {
    let totals = |word: &str| -> Vec<u64> {
        let number = |line: &&str| {
            let rest = line.split_once(word)?.1;
            rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
        };
        lines.iter().filter_map(number).collect()
    };
    assert_eq!(totals("the total is "), [10, 20, 30, 40, 50, 60, 70, 80], "{lines:#?}");
    assert_eq!(totals(" reads "), [30, 30, 30, 50, 50, 80, 80, 80], "{lines:#?}");
    assert_eq!(lines.iter().filter(|line| line.contains(", the leader, is gone")).count(), 1, "{lines:#?}");
}

#[test]
fn the_counter_survives_its_leader() {
    assert_counted(&Run::of(COUNTER, &[]).lines());
}

#[test]
fn the_counter_survives_its_leader_in_virtual_time() {
    assert_counted(&simulated(COUNTER).lines().collect::<Vec<_>>());
}

const REGISTERED: &str = "\
n1: Raise(10) -> 10
n2: Raise(7) -> 10
n3: Read -> 10
n1 is gone
n2: Raise(12) -> 12
n1 is back
n1: Read -> 12
all are gone
all are back
n2: Read -> 12";

#[test]
fn the_register_keeps_what_a_majority_kept() {
    assert_eq!(Run::of(OWN_PROTOCOL, &[]).lines().join("\n"), REGISTERED);
}

#[test]
fn the_register_keeps_what_a_majority_kept_in_virtual_time() {
    assert_eq!(simulated(OWN_PROTOCOL), REGISTERED);
}

const ORDERED: &str = "\
order 1: tea
order 2: cups
the shop is gone
the office serves tea, cups
the office serves a kettle
nothing is left to be done
sold: everything";

#[test]
fn orders_outlive_the_shop() {
    assert_eq!(Run::of(ORDERS, &[]).lines().join("\n"), ORDERED);
}

#[test]
fn orders_outlive_the_shop_in_virtual_time() {
    assert_eq!(simulated(ORDERS), ORDERED);
}

#[test]
fn a_wrong_argument_is_one_sentence() {
    for program in [FAMILY, HELLO, COUNTER, ORDERS, OWN_PROTOCOL] {
        for (arguments, named) in
            [(&["--seed", "7"][..], "\"--seed 7\""), (&["--sim", "--seed", "seven"][..], "\"seven\"")]
        {
            let run = Run::of(program, arguments);
            assert_eq!(run.status.code(), Some(1));
            assert_eq!(run.out, "");
            assert!(run.err.contains(named) && run.err.lines().count() == 1, "{}", run.err);
        }
    }
}

/// The guide shows code that exists: each excerpt stands in a sample, line for line.
#[test]
fn the_guide_quotes_the_samples() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
    let files = [
        "bin/family.rs",
        "bin/hello.rs",
        "bin/stock_new.rs",
        "bin/counter.rs",
        "bin/orders.rs",
        "counter.rs",
        "bin/own_protocol.rs",
        "register.rs",
        "ground.rs",
        "stage.rs",
    ];
    let samples = files.map(|file| read(&format!("src/{file}")));
    let guide = read("../runtime/docs/guide.md");
    let excerpts = guide.split("```rust\n").skip(1).map(|rest| rest.split_once("```").unwrap().0);
    let mut found = 0;
    for excerpt in excerpts.flat_map(|block| block.split("// …\n")) {
        assert!(samples.iter().any(|sample| sample.contains(excerpt)), "in no sample:\n{excerpt}");
        found += 1;
    }
    assert!(found > 10, "{found}");
}
