//! `synod kv watch`

use std::io::{BufRead, BufReader};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use synod_gateway::{WatchEnd, WatchEvent};
use ureq::Agent;
use ureq::http;

use super::words::shown;
use crate::client::{Connection, Endpoint, Parser, Path, Patience, Sent};
use crate::failure::Failure;
use crate::output::{Form, print, print_json};

const PAUSE: Duration = Duration::from_millis(200);

/// Prints changes of a prefix as they happen, one a line. When a node goes, the next one is asked from where the last event was.
#[derive(Args, Debug)]
pub(crate) struct Watch {
    /// What the keys begin with; all keys without it.
    #[arg(default_value = "")]
    prefix: String,
    /// Begin with the changes of this log index instead of the next change.
    #[arg(long, value_name = "INDEX")]
    from: Option<u64>,
    /// Stop after this many changes.
    #[arg(long, value_name = "N")]
    count: Option<u64>,
}

/// How a connection to one node ended.
enum End {
    /// As many changes as wished for were printed.
    Enough,
    /// The connection is gone or another node does better.
    Broken(String),
}

impl Watch {
    pub(super) fn run(self, connection: &Connection, form: Form) -> Result<(), Failure> {
        let agent = connection.watcher()?;
        let Patience(patience) = Patience::of(connection);
        let mut progress = Progress { printed: 0, last: None, heard: Instant::now() };
        for endpoint in connection.addr.0.iter().cycle() {
            match self.follow(&agent, endpoint, &mut progress, form)? {
                End::Enough => break,
                End::Broken(reason) if progress.heard.elapsed() > patience => {
                    return Err(Failure::new(format!(
                        "no node to watch within {patience:?}; {endpoint}: {reason}"
                    )));
                }
                End::Broken(_) => thread::sleep(PAUSE),
            }
        }
        Ok(())
    }

    fn follow(
        &self,
        agent: &Agent,
        endpoint: &Endpoint,
        progress: &mut Progress,
        form: Form,
    ) -> Result<End, Failure> {
        let path = Path::new("/kv").with("watch", &self.prefix);
        let path = match (self.from, &progress.last) {
            (Some(from), None) => path.with("from", from),
            _ => path,
        };
        let mut request = http::Request::get(endpoint.url(path.as_str()));
        if let Some(last) = &progress.last {
            request = request.header("Last-Event-ID", last);
        }
        let request =
            request.body(()).map_err(|error| Failure::new(format!("bad address {endpoint}: {error}")))?;
        let mut answer = match agent.run(request) {
            Ok(answer) => answer,
            Err(error) => return Ok(End::Broken(error.to_string())),
        };
        match answer.status().as_u16() {
            200 => {}
            503 => return Ok(End::Broken("the node is not ready".to_owned())),
            status => {
                let body = answer.body_mut().read_to_string().unwrap_or_default();
                return Err(Failure::new(format!("refused with status {status}: {}", body.trim())));
            }
        }
        let mut parser = Parser::default();
        for line in BufReader::new(answer.into_body().into_reader()).lines() {
            let line = match line {
                Ok(line) => line,
                Err(error) => return Ok(End::Broken(error.to_string())),
            };
            progress.heard = Instant::now();
            let Some(sent) = parser.line(&line) else { continue };
            if sent.name.as_deref() == Some("end") {
                return ended(&sent);
            }
            progress.print(sent, form)?;
            if self.count.is_some_and(|count| progress.printed >= count) {
                return Ok(End::Enough);
            }
        }
        Ok(End::Broken("the node closed the connection".to_owned()))
    }
}

/// What has been printed.
struct Progress {
    printed: u64,
    last: Option<String>,
    heard: Instant,
}

impl Progress {
    fn print(&mut self, sent: Sent, form: Form) -> Result<(), Failure> {
        let strange = |error: String| Failure::new(format!("the node sent what is no event: {error}"));
        let event: WatchEvent =
            serde_json::from_str(&sent.data).map_err(|error| strange(error.to_string()))?;
        match form {
            Form::People => print(line(&event).map_err(strange)?)?,
            Form::Programs => print_json(&event)?,
        }
        self.printed += 1;
        self.last = sent.id.or(self.last.take());
        Ok(())
    }
}

fn ended(sent: &Sent) -> Result<End, Failure> {
    let end: WatchEnd = serde_json::from_str(&sent.data)
        .map_err(|error| Failure::new(format!("the node sent what is no event: {error}")))?;
    match end.oldest {
        Some(oldest) => Err(Failure::new(format!("{}; begin with --from {oldest} or later", end.error))),
        None => Ok(End::Broken(end.error)),
    }
}

fn line(event: &WatchEvent) -> Result<String, String> {
    let value = event.bytes().map_err(|error| error.to_string())?;
    let value = value.map_or(String::new(), |value| format!("  {}", shown(&value)));
    Ok(format!("{:>8}  {:<6}  {}{value}\n", event.index, event.kind, event.key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_a_line() {
        let event =
            WatchEvent { kind: "put".into(), key: "a".into(), value: Some("dGV4dA==".into()), index: 12 };
        assert_eq!(line(&event).unwrap(), "      12  put     a  text\n");
        let gone = WatchEvent { kind: "expire".into(), key: "a".into(), value: None, index: 13 };
        assert_eq!(line(&gone).unwrap(), "      13  expire  a\n");
    }

    #[test]
    fn a_lost_history_names_where_to_begin() {
        let end = "{\"reason\":\"compacted\",\"error\":\"gone\",\"oldest\":40}".to_owned();
        let failure = ended(&Sent { id: None, name: Some("end".into()), data: end }).err().unwrap();
        assert_eq!(failure.to_string(), "gone; begin with --from 40 or later");
    }
}
