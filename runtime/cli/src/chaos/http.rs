//! A question put to nodes over HTTP, and what their answers mean for the one who asked.

use std::time::Duration;

use ureq::Agent;

use super::question::{Question, Told};
use crate::client::{Answer, Endpoint, NoAnswer, Path, Request, attempt, local_agent};

/// How long one node may take, and how much longer the client waits for its answer.
const NODE: Duration = Duration::from_millis(800);
const SLACK: Duration = Duration::from_millis(400);

/// What reads are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Reads {
    /// What was written last.
    Linearizable,
    /// What the node that is asked has applied: a run with these is expected to be judged not linearizable.
    Stale,
}

/// One client's connections.
pub(super) struct Speaker {
    agent: Agent,
    reads: Reads,
}

impl Speaker {
    /// A client without connections yet.
    pub(super) fn new(reads: Reads) -> Self {
        Self { agent: local_agent(NODE + SLACK), reads }
    }

    /// Asks one node after the other, at most all of these, until one says what came of it. A write bears the same mark at each.
    pub(super) fn ask(&self, nodes: &[Endpoint], key: &str, question: Question, mark: &str) -> Told {
        let request = self.request(key, question, mark);
        let headers = [("Synod-Timeout-Ms", NODE.as_millis().to_string())];
        let mut doubt = None;
        let mut refusal = String::new();
        for node in nodes {
            match heard(question, attempt(&self.agent, node, &request, &headers)) {
                // The refusal of a later attempt says nothing of an earlier one.
                Told::Nothing(why) => refusal = why,
                Told::Unknown(why) => doubt = Some(why),
                told @ (Told::Value(_) | Told::Done | Told::Swapped(_)) => return told,
            }
        }
        match doubt {
            // A read changes nothing, whatever became of it.
            Some(why) if question == Question::Read => Told::Nothing(why),
            Some(why) => Told::Unknown(why),
            None => Told::Nothing(refusal),
        }
    }

    fn request(&self, key: &str, question: Question, mark: &str) -> Request {
        let path = Path::of_key(key);
        match question {
            Question::Read => Request::read(match self.reads {
                Reads::Linearizable => path,
                Reads::Stale => path.with("consistency", "stale"),
            }),
            Question::Write(value) => Request::put(path, mark.to_owned(), value.to_string().into_bytes()),
            Question::CompareAndSet(expected, new) => {
                Request::put(path.with("expect", expected), mark.to_owned(), new.to_string().into_bytes())
            }
        }
    }
}

/// What one attempt means.
fn heard(question: Question, answer: Result<Answer, NoAnswer>) -> Told {
    let answer = match answer {
        Ok(answer) => answer,
        Err(NoAnswer { reason, sent: true }) => return Told::Unknown(reason),
        Err(NoAnswer { reason, sent: false }) => return Told::Nothing(reason),
    };
    match (question, answer.status) {
        (Question::Read, 200) => match answer.text().parse() {
            Ok(value) => Told::Value(Some(value)),
            // Nobody wrote that: let the judge find it.
            Err(_) => Told::Value(Some(u64::MAX)),
        },
        (Question::Read, 404) => Told::Value(None),
        (Question::Write(_), 200 | 201) => Told::Done,
        (Question::CompareAndSet(..), 200 | 201) => Told::Swapped(true),
        (Question::CompareAndSet(..), 409) => Told::Swapped(false),
        (_, status) if answer.not_executed() => Told::Nothing(format!("{status} {}", answer.error())),
        (_, status) => Told::Unknown(format!("{status} {}", answer.error())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Result<Answer, NoAnswer> {
        Ok(Answer { status, index: None, read_index: None, present: false, body: body.into() })
    }

    #[test]
    fn only_what_says_so_did_not_happen() {
        let write = Question::Write(1);
        let refused = r#"{"error":"busy","outcome":"not_executed"}"#;
        let unknown = r#"{"error":"late","outcome":"unknown"}"#;
        assert_eq!(heard(write, answer(503, refused)), Told::Nothing("503 busy".into()));
        assert_eq!(heard(write, answer(503, unknown)), Told::Unknown("503 late".into()));
        assert_eq!(heard(write, answer(502, "")), Told::Unknown("502 ".into()));
        let lost = |sent| Err(NoAnswer { reason: "gone".into(), sent });
        assert_eq!(heard(write, lost(true)), Told::Unknown("gone".into()));
        assert_eq!(heard(write, lost(false)), Told::Nothing("gone".into()));
    }

    #[test]
    fn answers_are_told_as_they_are() {
        assert_eq!(heard(Question::Read, answer(200, "17")), Told::Value(Some(17)));
        assert_eq!(heard(Question::Read, answer(404, "{}")), Told::Value(None));
        assert_eq!(heard(Question::Write(1), answer(201, "")), Told::Done);
        let swap = Question::CompareAndSet(1, 2);
        assert_eq!(heard(swap, answer(409, "3")), Told::Swapped(false));
        assert_eq!(heard(swap, answer(200, "")), Told::Swapped(true));
    }
}
