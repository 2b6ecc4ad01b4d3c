//! `synod kv import`

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;

use super::pool;
use super::rows::{Row, RowFile};
use super::words::refused;
use crate::client::{Client, Connection, Path, Patience, Request};
use crate::failure::Failure;
use crate::output::{Form, print, print_json};

/// How long a row is tried, unless the options say otherwise: long enough for a leader's death and another one's.
const ROW_PATIENCE: Duration = Duration::from_secs(60);
/// How many failed rows are named to people.
const NAMED: usize = 20;

/// Writes every row of a file: the key is the first field, the value the whole row.
///
/// A row is read first and written only when the map has another value, so that a second import changes nothing. Every write
/// bears an idempotency key and is repeated until a node acknowledges it. When no node answers for as long as a row may take,
/// the import ends.
#[derive(Args, Debug)]
pub(crate) struct Import {
    #[command(flatten)]
    rows: RowFile,
    /// How many rows are in flight at a time.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: u16,
}

/// What became of one row.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    /// Written, and acknowledged by the cluster.
    Acknowledged,
    /// The map had it already.
    Unchanged,
    /// Not acknowledged.
    Failed(FailedRow),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct FailedRow {
    line: usize,
    key: String,
    reason: String,
}

/// What became of all rows.
#[derive(Debug, Default, Serialize)]
struct Report {
    rows: usize,
    acknowledged: usize,
    unchanged: usize,
    failed: usize,
    seconds: f64,
    failures: Vec<FailedRow>,
}

impl Import {
    pub(super) fn run(self, connection: &Connection, form: Form) -> Result<(), Failure> {
        let rows = self.rows.read()?;
        let client = Client::new(connection)?;
        let patience = Patience(connection.timeout.unwrap_or(ROW_PATIENCE));
        let begun = Instant::now();
        let gone = AtomicBool::new(false);
        let fates = pool::each(&rows, usize::from(self.jobs), "importing", |row| {
            import_unless(&gone, &client, row, patience)
        });
        let report = Report::of(fates, begun.elapsed());
        match form {
            Form::People => print(report.text())?,
            Form::Programs => print_json(&report)?,
        }
        if report.failed == 0 {
            return Ok(());
        }
        let (failed, file) = (report.failed, self.rows.file.display());
        Err(Failure::new(format!("{failed} of {} rows of {file} were not acknowledged", report.rows)))
    }
}

/// As [`import`], unless nobody answered for as long as a row is tried: then the rest is not tried either.
fn import_unless(gone: &AtomicBool, client: &Client, row: &Row, patience: Patience) -> Fate {
    if gone.load(Ordering::Relaxed) {
        let reason = format!("not tried: nobody answered for {:?}", patience.0);
        return Fate::Failed(FailedRow { line: row.line, key: row.key.clone(), reason });
    }
    import(client, row, patience).unwrap_or_else(|reason| {
        gone.store(true, Ordering::Relaxed);
        Fate::Failed(FailedRow { line: row.line, key: row.key.clone(), reason })
    })
}

/// What becomes of a row; an error when no node answered in time.
fn import(client: &Client, row: &Row, patience: Patience) -> Result<Fate, String> {
    let failed = |reason: String| Fate::Failed(FailedRow { line: row.line, key: row.key.clone(), reason });
    let path = Path::of_key(&row.key);
    let present =
        client.call(&Request::read(path.clone()), patience).map_err(|silence| silence.to_string())?;
    match present.status {
        200 if present.body == row.value => return Ok(Fate::Unchanged),
        200 | 404 => {}
        _ => return Ok(failed(refused(&row.key, &present).to_string())),
    }
    let put = Request::put(path, client.idempotency_key(), row.value.clone());
    let answer = client.call(&put, patience).map_err(|silence| silence.to_string())?;
    Ok(match answer.status {
        200 | 201 => Fate::Acknowledged,
        _ => failed(refused(&row.key, &answer).to_string()),
    })
}

impl Report {
    fn of(fates: Vec<Fate>, took: Duration) -> Self {
        let mut report = Self { rows: fates.len(), seconds: took.as_secs_f64(), ..Self::default() };
        for fate in fates {
            match fate {
                Fate::Acknowledged => report.acknowledged += 1,
                Fate::Unchanged => report.unchanged += 1,
                Fate::Failed(row) => report.failures.push(row),
            }
        }
        report.failures.sort_by_key(|row| row.line);
        report.failed = report.failures.len();
        report
    }

    fn text(&self) -> String {
        let Self { rows, acknowledged, unchanged, failed, seconds, .. } = self;
        let rate = *rows as f64 / seconds.max(1e-9);
        let mut text = format!(
            "{acknowledged} acknowledged, {unchanged} unchanged, {failed} failed of {rows} rows in {seconds:.1} s ({rate:.0} rows/s)\n"
        );
        for row in self.failures.iter().take(NAMED) {
            text.push_str(&format!("line {}, key {:?}: {}\n", row.line, row.key, row.reason));
        }
        if self.failures.len() > NAMED {
            text.push_str(&format!("and {} more\n", self.failures.len() - NAMED));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_counts_and_names_in_the_order_of_the_file() {
        let failed = |line| Fate::Failed(FailedRow { line, key: format!("k{line}"), reason: "gone".into() });
        let fates = vec![Fate::Acknowledged, failed(9), Fate::Unchanged, failed(3), Fate::Acknowledged];
        let report = Report::of(fates, Duration::from_secs(2));
        let text = report.text();
        assert_eq!(
            text.lines().next().unwrap(),
            "2 acknowledged, 1 unchanged, 2 failed of 5 rows in 2.0 s (2 rows/s)"
        );
        assert_eq!(text.lines().nth(1).unwrap(), "line 3, key \"k3\": gone");
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!((&json["acknowledged"], &json["failures"][1]["line"]), (&2.into(), &9.into()));
    }
}
