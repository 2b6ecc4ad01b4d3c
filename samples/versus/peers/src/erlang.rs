//! Erlang's distribution, measured by a module in Erlang that is compiled at the time: two nodes, each a process with one scheduler,
//! which was fastest where two of them share two cores. TCP without TLS, which is how it comes.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::line::Failure;

const MODULE: &str = include_str!("versus_peer.erl");

/// Measures one node from the other.
pub(crate) fn measure(each: Duration) -> Result<(), Failure> {
    let directory = tempfile::Builder::new().prefix("versus-erlang-").tempdir()?;
    let source = directory.path().join("versus_peer.erl");
    std::fs::write(&source, MODULE)?;
    let compiled = Command::new("erlc").arg("-o").arg(directory.path()).arg(&source).status();
    let compiled = compiled.map_err(|error| {
        format!("cannot run erlc ({error}): install Erlang (Debian: apt-get install erlang-base), or compare without it")
    })?;
    if !compiled.success() {
        return Err("the module for Erlang does not compile".into());
    }
    let cookie = format!("versus{}", std::process::id());
    let names = ["asker", "answerer"].map(|name| format!("{cookie}_{name}@127.0.0.1"));
    let node = |name: &str| {
        let mut command = Command::new("erl");
        command.args(["+S", "1:1", "-noshell", "-noinput", "-name", name, "-setcookie", &cookie, "-pa"]);
        command.arg(directory.path());
        command
    };
    let mut answerer = node(&names[1]).args(["-s", "versus_peer", "answer"]).stdout(Stdio::null()).spawn()?;
    let milliseconds = each.as_millis().to_string();
    let asker = node(&names[0])
        .args(["-run", "versus_peer", "measure", &names[1], &milliseconds])
        .stdout(Stdio::piped())
        .spawn()
        .and_then(|mut child| {
            for line in BufReader::new(child.stdout.take().expect("piped")).lines() {
                println!("{}", line?);
            }
            child.wait()
        });
    // One that has ended with the other one already is killed without an error.
    answerer.kill()?;
    answerer.wait()?;
    if asker?.success() { Ok(()) } else { Err("the Erlang node that measures failed".into()) }
}
