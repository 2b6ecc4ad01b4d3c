//! Transfers of leadership against real sockets.

use clap::Parser;

use super::MemberCommand;
use crate::output::Form;
use crate::scripted::{Asked, Deed, Scripted};

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    command: MemberCommand,
}

fn run(arguments: &[&str]) -> Result<(), String> {
    let line = Line::try_parse_from([&["member"], arguments].concat()).map_err(|error| error.to_string())?;
    line.command.run(Form::Programs).map_err(|failure| failure.to_string())
}

fn refusing(status: u16, error: &'static str, outcome: &'static str) -> Scripted {
    Scripted::start(move |_: &Asked| {
        let body = format!("{{\"error\":\"{error}\",\"outcome\":\"{outcome}\"}}");
        Deed::Answer(status, Vec::new(), body.into_bytes())
    })
}

#[test]
fn leadership_is_asked_for_by_name_or_for_anybody() {
    let node = Scripted::start(|_: &Asked| Deed::Answer(200, Vec::new(), br#"{"leader":"b"}"#.to_vec()));
    run(&["--addr", &node.address, "transfer", "b"]).unwrap();
    run(&["--addr", &node.address, "transfer"]).unwrap();
    let lines: Vec<_> = node.asked().into_iter().map(|asked| asked.line).collect();
    assert!(lines[0].starts_with("PUT /leader?") && lines[0].contains("to=b"), "{}", lines[0]);
    assert!(lines[1].starts_with("PUT /leader?") && !lines[1].contains("to="), "{}", lines[1]);
}

#[test]
fn who_cannot_lead_is_said_once_and_in_one_sentence() {
    let sentence = "d is a learner: only a voter can lead";
    let node = refusing(400, sentence, "not_executed");
    let refusal = run(&["--addr", &node.address, "transfer", "d"]).unwrap_err();
    assert!(refusal.ends_with(sentence) && refusal.lines().count() == 1, "{refusal}");
    assert_eq!(node.asked().len(), 1);
}

#[test]
fn a_transfer_is_asked_for_again_only_if_it_surely_did_nothing() {
    let doubtful = refusing(503, "leadership moves", "unknown");
    assert!(run(&["--addr", &doubtful.address, "transfer", "b"]).unwrap_err().contains("leadership moves"));
    assert_eq!(doubtful.asked().len(), 1);
    let passing = refusing(503, "no leader is known", "not_executed");
    let refusal = run(&["--addr", &passing.address, "--timeout", "0.9", "transfer", "b"]).unwrap_err();
    assert!(refusal.contains("no leader is known"), "{refusal}");
    assert!(passing.asked().len() > 1);
}
