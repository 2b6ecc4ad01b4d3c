//! Our side of durable writes: what `synod bench kv` measures, from the program that users run.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::durable::{Load, Plan};
use crate::progress::Progress;

/// One line of what the program prints.
#[derive(Deserialize)]
struct Figure {
    name: String,
    median: f64,
}

/// One turn: each number of clients over QUIC, then over HTTP.
///
/// # Errors
/// When the program fails, or says something else.
pub(crate) fn measure(program: &Path, plan: &Plan, progress: &Progress) -> Result<Vec<Load>, Box<dyn Error>> {
    let clients: Vec<String> = plan.clients.iter().map(ToString::to_string).collect();
    let mut command = Command::new(program);
    command
        .args(["bench", "kv", "--json", "--kills", "0", "--starts", "0", "--http-at", "leader"])
        .args(["--clients", &clients.join(","), "--seconds", &plan.seconds.as_secs().to_string()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if let Some(directory) = &plan.directory {
        command.arg("--dir").arg(directory);
    }
    progress.begin("synod starts");
    let figures = figures_of(command, progress)?;
    let mut loads = Vec::new();
    for (contestant, way) in [("synod, native", "native"), ("synod, HTTP", "http")] {
        for &clients in &plan.clients {
            let figure = |suffix: &str| {
                let name = format!("kv_put_{way}_{clients}{suffix}");
                figures.get(&name).copied().ok_or_else(|| format!("synod does not say {name}"))
            };
            let (rate, p50, p99) = (figure("")?, figure("_p50")?, figure("_p99")?);
            loads.push(Load { contestant, clients, rate, p50, p99 });
        }
    }
    Ok(loads)
}

/// Runs the program to its end, and takes its figures as they come.
fn figures_of(mut command: Command, progress: &Progress) -> Result<BTreeMap<String, f64>, Box<dyn Error>> {
    let mut child = command.spawn().map_err(|error| format!("cannot run {command:?}: {error}"))?;
    let (stdout, mut stderr) = (child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
    // Beside, so that neither pipe fills up while the other is read.
    let words = std::thread::spawn(move || {
        let mut words = String::new();
        stderr.read_to_string(&mut words).map(|_| words)
    });
    let mut figures = BTreeMap::new();
    for line in BufReader::new(stdout).lines() {
        let Figure { name, median } = serde_json::from_str(&line?)?;
        if name.ends_with("_p99") {
            progress.finish();
            progress.begin(&format!("synod, after {}", name.trim_end_matches("_p99")));
        }
        figures.insert(name, median);
    }
    let status = child.wait()?;
    if !status.success() {
        let words = words.join().expect("a thread that only reads")?;
        let last = words.lines().last().unwrap_or("it said nothing");
        return Err(format!("{command:?} ended with {status}: {last}").into());
    }
    Ok(figures)
}
