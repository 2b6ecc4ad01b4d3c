//! What the demo knows of its nodes: it asks each for its status and metrics, and keeps the last few answers.

use std::collections::VecDeque;
use std::thread;
use std::time::{Duration, Instant};

use synod_gateway::Status;
use ureq::Agent;

use super::percentile::Puts;
use crate::client::{Endpoint, Path, Request, attempt, local_agent};
use crate::processes::Place;

/// How long an answer may take before a node counts as silent.
const PATIENCE: Duration = Duration::from_millis(800);
/// Over how many answers rates are taken.
const WINDOW: usize = 4;

/// One answer.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) at: Instant,
    pub(super) status: Status,
    pub(super) puts: Puts,
}

/// The last answers of one node's process, the newest last.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    samples: VecDeque<Sample>,
}

impl History {
    /// Notes what came of asking: no answer, or another process than before, ends the history.
    pub(super) fn note(&mut self, answer: Option<Sample>) {
        let Some(sample) = answer else { return self.samples.clear() };
        if self.samples.back().is_some_and(|last| last.status.pid != sample.status.pid) {
            self.samples.clear();
        }
        self.samples.push_back(sample);
        if self.samples.len() > WINDOW {
            self.samples.pop_front();
        }
    }

    /// How the node stands, if it answers.
    pub(super) fn status(&self) -> Option<&Status> {
        self.samples.back().map(|sample| &sample.status)
    }

    /// Puts a second, and the seconds that 99 in 100 of them took at most.
    pub(super) fn puts(&self) -> Option<(f64, Option<f64>)> {
        let (first, last) = (self.samples.front()?, self.samples.back()?);
        let seconds = last.at.duration_since(first.at).as_secs_f64();
        let puts = last.puts.count().saturating_sub(first.puts.count());
        (seconds > 0.0).then(|| (puts as f64 / seconds, last.puts.quantile_since(&first.puts, 0.99)))
    }
}

/// Asks nodes.
pub(super) struct Sampler {
    agent: Agent,
}

impl Sampler {
    /// A sampler.
    pub(super) fn new() -> Self {
        Self { agent: local_agent(PATIENCE) }
    }

    /// Asks every node at once; `None` for those that do not answer.
    pub(super) fn ask(&self, places: &[Place]) -> Vec<Option<Sample>> {
        thread::scope(|scope| {
            let asked: Vec<_> = places.iter().map(|place| scope.spawn(|| self.ask_one(place))).collect();
            asked.into_iter().map(|thread| thread.join().expect("asking does not panic")).collect()
        })
    }

    fn ask_one(&self, place: &Place) -> Option<Sample> {
        let endpoint = Endpoint::plain(place.http);
        let ask = |path| attempt(&self.agent, &endpoint, &Request::read(Path::new(path)), &[]).ok();
        let status = ask("/status").filter(|answer| answer.status == 200)?;
        let status: Status = serde_json::from_slice(&status.body).ok()?;
        // Another process may have taken the port.
        if status.node != place.name {
            return None;
        }
        let puts = ask("/metrics").map(|answer| Puts::parse(&answer.text())).unwrap_or_default();
        Some(Sample { at: Instant::now(), status, puts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use synod_gateway::Role;

    fn sample(origin: Instant, second: u64, pid: u32, puts: u64) -> Sample {
        let status = Status {
            node: "node-1".into(),
            cluster: "demo".into(),
            pid,
            role: Role::Leader,
            leader: Some("node-1".into()),
            term: 1,
            commit_index: 1,
            applied_index: 1,
            members: Vec::new(),
            set_aside: Vec::new(),
            uptime_ms: 1,
            links: Vec::new(),
        };
        let text = format!(
            "synod_http_put_seconds_bucket{{le=\"0.002\"}} {puts}\nsynod_http_put_seconds_bucket{{le=\"+Inf\"}} {puts}\n"
        );
        Sample { at: origin + Duration::from_secs(second), status, puts: Puts::parse(&text) }
    }

    #[test]
    fn rates_are_those_of_one_process_over_the_window() {
        let origin = Instant::now();
        let mut history = History::default();
        for second in 0..10 {
            history.note(Some(sample(origin, second, 1, second * 50)));
        }
        assert_eq!(history.puts(), Some((50.0, Some(0.002))));
        history.note(Some(sample(origin, 10, 2, 3)));
        assert_eq!(history.puts(), None);
        history.note(Some(sample(origin, 11, 2, 3)));
        assert_eq!(history.puts(), Some((0.0, None)));
        history.note(None);
        assert!(history.status().is_none());
    }
}
