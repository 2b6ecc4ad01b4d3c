//! What a script does to messages, disks and processes, and what it hears of it.

use crate::sim::scenario::play::play;
use crate::sim::scenario::tests::parrot::Parrot;

/// Plays commands, one block; gives the output.
fn told(commands: &str) -> Vec<String> {
    let played = play::<Parrot>(&format!("{commands}\n----\n")).expect("a good script");
    assert_eq!(played.broken, None);
    played.differences.into_iter().flat_map(|difference| difference.found).collect()
}

#[test]
fn a_message_leaves_once_its_write_is_synced_and_moves_when_the_script_says_so() {
    let told = told("start 2\ndisk 1 hold\ntell 1 a\ndisk 1 sync\nmessages\nsettle\nmessages");
    let expected = [
        "n1 says a",
        "n1 writes word a",
        "n1 -> n2 Word a",
        "n1 answers tell: a",
        "n1 -> n2 Word a",
        "n1 => n2 Word a",
        "n2 says a",
    ];
    assert_eq!(told, expected);
}

#[test]
fn a_crash_loses_what_was_not_synced_and_keeps_what_it_is_told_to_keep() {
    let script =
        |keep: &str| format!("start 2\ndisk 1 hold\nsilent tell 1 a\ncrash 1 {keep}\nrestart 1\nword 1");
    assert_eq!(told(&script("")).last().map(String::as_str), Some("n1 knows \"\""));
    assert_eq!(told(&script("keep=all")).last().map(String::as_str), Some("n1 knows \"a\""));
    assert_eq!(told("start 2\nsilent tell 1 a\ncrash 1\nwipe 1\nrestart 1\nword 1")[1], "n1 knows \"\"");
}

#[test]
fn cut_paths_lose_held_messages_wait_and_copies_stay() {
    let lost = told("start 3\nisolate 3\nquiet tell 1 a\nsettle");
    assert_eq!(lost, ["n1 says a", "n1 answers tell: a", "n1 => n2 Word a", "n2 says a"]);
    assert_eq!(told("start 2\ncut 1->2\ntell 1 a")[1], "n1 -x n2 Word a (cut)");
    let held = told("start 2\nhold 1->2\nsilent tell 1 a\nsettle\nmessages\nrelease\nsettle");
    assert_eq!(held, ["n1 -> n2 Word a (held)", "n1 => n2 Word a", "n2 says a"]);
    let twice = told("start 2\nsilent tell 1 a\ndeliver copy 1->2\ncrash 2\ndeliver 1->2");
    assert_eq!(twice, ["n1 => n2 Word a", "n2 says a", "n1 -x n2 Word a (down)"]);
    let second = told("start 2\nsilent tell 1 a\nsilent tell 1 b\ndeliver 1->2 #2\nmessages");
    assert_eq!(second, ["n1 => n2 Word b", "n2 says b", "n1 -> n2 Word a"]);
    let reversed = told("start 2\nsilent tell 1 a\nsilent tell 1 b\ndeliver reversed all");
    assert_eq!(reversed[0], "n1 => n2 Word b");
}

#[test]
fn what_comes_to_a_paused_process_waits() {
    let waits = told("start 2\npause 2\nquiet tell 1 a\nsettle\nword 2\nresume 2\nsettle");
    let expected = ["n1 says a", "n1 answers tell: a", "n2 knows \"\"", "n1 => n2 Word a", "n2 says a"];
    assert_eq!(waits, expected);
}

#[test]
fn time_moves_messages_that_take_time() {
    let slow = told("start 2\ndelay 5ms\nsilent tell 1 a\nloud advance 4ms\nmessages\nloud advance 1ms");
    assert_eq!(slow, ["n1 -> n2 Word a", "n1 => n2 Word a", "n2 says a"]);
}

#[test]
fn a_broken_law_fails_the_script_even_when_its_output_is_expected() {
    let text = "start 2\n----\nok\n\nquiet tell 1 lie\n----\nn1 says lie\nBROKEN honesty by n1: says lie\nn1 answers tell: lie\n";
    let played = play::<Parrot>(text).expect("a good script");
    assert_eq!(played.differences, []);
    let (line, violation) = played.broken.clone().expect("the law is broken");
    assert_eq!((line, violation.invariant), (6, "honesty"));
    assert!(!played.is_good());
    assert_eq!(played.text, text);
}

#[test]
fn what_cannot_be_done_is_refused_with_the_line_it_stands_in() {
    for (text, line, reason) in [
        ("tell 1 a\n----\n", 1, "no nodes were started: the first command is start"),
        ("start 2\nstart 2\n----\n", 2, "the nodes were started before"),
        ("start 2\nrestart 1\n----\n", 2, "node 1 is up: crash it first"),
        ("start 2\ncrash 1\ntell 1 a\n----\n", 3, "node 1 is down"),
        ("start 2\npause 1\ntell 1 a\n----\n", 3, "node 1 is paused: resume it first"),
        ("start 2\nsilent tell 1 a\npause 2\ndeliver all\n----\n", 4, "node 2 is paused: resume it first"),
        ("start 2\n----\n\nword 3\n----\n", 4, "there is no node 3"),
        (
            "start 2\ndisk 1 burn\n----\n",
            2,
            "\"burn\" is no order to a disk (hold, go, sync, fail, fill or free)",
        ),
        ("start 2\ntell 1\n----\n", 2, "a word is missing"),
        ("start 2\ntell 1 a b\n----\n", 2, "\"b\" is not understood here"),
    ] {
        let fault = play::<Parrot>(text).map(|played| played.text).expect_err("a bad script");
        assert_eq!((fault.line, fault.reason.to_string().as_str()), (line, reason), "{text}");
    }
}
