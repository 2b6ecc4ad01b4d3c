//! `synod kv verify`

use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;
use ureq::Agent;

use super::pool;
use super::rows::{Row, RowFile};
use super::words::{Consistency, shown};
use crate::client::{Connection, Endpoint, Path, Request, attempt};
use crate::failure::Failure;
use crate::output::{Form, print, print_json};
use crate::table::{Align, Table};

const PAUSE: Duration = Duration::from_millis(100);

/// Compares every row of a file with what each of the addressed nodes returns, byte for byte.
///
/// Every node is asked for itself. One that has not caught up gets time to do so.
#[derive(Args, Debug)]
pub(crate) struct Verify {
    #[command(flatten)]
    rows: RowFile,
    /// What the reads may miss; with stale, each node shows what it has itself.
    #[arg(long, default_value = "stale")]
    consistency: Consistency,
    /// How many seconds a node may take to return a row as it should.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = crate::client::seconds)]
    settle: Duration,
    /// How many rows are in flight at a time.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: u16,
}

#[derive(Debug, Serialize)]
struct Verdict {
    node: String,
    rows: usize,
    equal: usize,
    different: Vec<Difference>,
}

#[derive(Debug, Serialize)]
struct Difference {
    line: usize,
    key: String,
    found: String,
}

impl Verify {
    pub(super) fn run(self, connection: &Connection, form: Form) -> Result<(), Failure> {
        let rows = self.rows.read()?;
        let agent = connection.agent()?;
        let nodes = connection.addr.0.iter();
        let verdicts: Vec<Verdict> = nodes.map(|node| self.verdict(&agent, node, &rows)).collect();
        match form {
            Form::People => print(text(&verdicts))?,
            Form::Programs => print_json(&verdicts)?,
        }
        let different: usize = verdicts.iter().map(|verdict| verdict.different.len()).sum();
        if different == 0 {
            return Ok(());
        }
        Err(Failure::new(format!("{different} rows differ from {}", self.rows.file.display())))
    }

    fn verdict(&self, agent: &Agent, node: &Endpoint, rows: &[Row]) -> Verdict {
        let deadline = Instant::now() + self.settle;
        let compare = |row: &Row| self.difference(agent, node, row, deadline);
        let mut different: Vec<Difference> =
            pool::each(rows, usize::from(self.jobs), "verifying", compare).into_iter().flatten().collect();
        different.sort_by_key(|difference| difference.line);
        Verdict { node: node.to_string(), rows: rows.len(), equal: rows.len() - different.len(), different }
    }

    fn difference(&self, agent: &Agent, node: &Endpoint, row: &Row, deadline: Instant) -> Option<Difference> {
        let request = Request::read(self.consistency.on(Path::of_key(&row.key)));
        loop {
            let found = match attempt(agent, node, &request, &[]) {
                Ok(answer) if answer.status == 200 && answer.body == row.value => return None,
                Ok(answer) if answer.status == 200 => shown(&answer.body),
                Ok(answer) => format!("status {}", answer.status),
                Err(none) => none.reason,
            };
            if Instant::now() >= deadline {
                return Some(Difference { line: row.line, key: row.key.clone(), found });
            }
            thread::sleep(PAUSE);
        }
    }
}

fn text(verdicts: &[Verdict]) -> String {
    let mut table = Table::new(&[
        ("node", Align::Left),
        ("rows", Align::Right),
        ("equal", Align::Right),
        ("different", Align::Right),
    ]);
    for verdict in verdicts {
        let numbers = [verdict.rows, verdict.equal, verdict.different.len()].map(|number| number.to_string());
        table.row([vec![verdict.node.clone()], numbers.to_vec()].concat());
    }
    let mut text = table.render();
    for verdict in verdicts {
        for Difference { line, key, found } in verdict.different.iter().take(10) {
            text.push_str(&format!("{} line {line}, key {key:?}: {found}\n", verdict.node));
        }
    }
    text
}
