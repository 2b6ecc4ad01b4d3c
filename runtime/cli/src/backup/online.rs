//! Taking a backup from whichever running node gives one.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path as FilePath;
use std::thread;
use std::time::{Duration, Instant};

use synod::storage::{BackupFault, BackupHeader, BackupReader};
use ureq::Agent;
use ureq::http;

use super::copy::{bar, reading};
use super::target::Target;
use crate::client::{Connection, Endpoint};
use crate::failure::Failure;

/// How long to go on asking without a node that gives anything, unless the options say otherwise.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(200);
/// How long a node may take to write its snapshot before it answers, in milliseconds: as long as nodes let requests take.
const NODE_TIMEOUT_MS: &str = "60000";

/// Why one node gave no backup.
enum End {
    /// Another one, or the same one later, may.
    Passing(String),
    /// No other attempt can do better.
    Final(Failure),
}

/// Asks the nodes in turn until one has given a whole backup; gives what it says of itself, and its length.
///
/// # Errors
/// When none did in time, or one refused.
pub(super) fn take(connection: &Connection, target: &Target) -> Result<(BackupHeader, u64), Failure> {
    let agent = connection.watcher()?;
    let patience = connection.timeout.unwrap_or(PATIENCE);
    let mut deadline = Instant::now() + patience;
    let mut furthest = 0;
    for endpoint in connection.addr.0.iter().cycle() {
        let begun = target.begin()?;
        match take_from(&agent, endpoint, &begun, target.part()) {
            Ok(header) => return Ok((header, written(&begun, target.part())?)),
            Err(End::Final(failure)) => return Err(failure),
            Err(End::Passing(reason)) => {
                let came = written(&begun, target.part())?;
                if came > 0 {
                    eprintln!("synod: {endpoint}: {reason}; asking the next node");
                }
                // A node that always breaks off at the same place is not asked for ever.
                if came > furthest {
                    furthest = came;
                    deadline = Instant::now() + patience;
                }
                if Instant::now() + PAUSE >= deadline {
                    return Err(Failure::new(format!(
                        "no node gave a backup within {patience:?}, the last attempt at {endpoint} said: {reason}"
                    )));
                }
                thread::sleep(PAUSE);
            }
        }
    }
    Err(Failure::new("no address to ask"))
}

fn take_from(agent: &Agent, endpoint: &Endpoint, file: &File, part: &FilePath) -> Result<BackupHeader, End> {
    let request = http::Request::get(endpoint.url("/backup")).header("Synod-Timeout-Ms", NODE_TIMEOUT_MS);
    let request = request
        .body(())
        .map_err(|error| End::Final(Failure::new(format!("bad address {endpoint}: {error}"))))?;
    let mut answer = agent.run(request).map_err(|error| End::Passing(error.to_string()))?;
    let status = answer.status().as_u16();
    if status != 200 {
        let body = answer.body_mut().read_to_string().unwrap_or_default();
        let said = serde_json::from_str::<serde_json::Value>(&body).ok();
        let said = said.as_ref().and_then(|json| json["error"].as_str()).unwrap_or(body.trim());
        return Err(match status {
            429 | 503 | 504 => End::Passing(format!("{status} {said}")),
            _ => End::Final(Failure::new(format!("{endpoint} refused with status {status}: {said}"))),
        });
    }
    let bar = bar(answer.body().content_length(), "taking the backup");
    let mut unwritten = None;
    let copied = Copied { source: answer.into_body().into_reader(), file, unwritten: &mut unwritten };
    let taken = BackupReader::open(reading(copied, &bar), part).and_then(BackupReader::verify);
    bar.finish_and_clear();
    match (taken, unwritten) {
        (_, Some(error)) => Err(End::Final(Failure::at(part, "write it", error))),
        (Ok(header), None) => Ok(header),
        // Damaged on the way or at that node: another one may do better.
        (Err(BackupFault::Read { source, .. }), None) => Err(End::Passing(source.to_string())),
        (Err(fault @ BackupFault::Version { .. }), None) => Err(End::Final(Failure::new(fault.to_string()))),
        (Err(fault), None) => Err(End::Passing(fault.to_string())),
    }
}

fn written(file: &File, part: &FilePath) -> Result<u64, Failure> {
    Ok(file.metadata().map_err(|error| Failure::at(part, "measure it", error))?.len())
}

/// What is read is in the file as well.
struct Copied<'a, R> {
    source: R,
    file: &'a File,
    unwritten: &'a mut Option<io::Error>,
}

impl<R: Read> Read for Copied<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        if let Err(error) = (&mut &*self.file).write_all(&buffer[..read]) {
            *self.unwritten = Some(error);
            return Err(io::Error::other("the file was not written"));
        }
        Ok(read)
    }
}
