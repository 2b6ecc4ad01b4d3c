//! A client of the run: asks one thing after the other, of any node, until it is told to stop.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use synod::protocols::prng::Prng;

use super::http::{Reads, Speaker};
use super::question::{Question, Told};
use super::recorder::Recorder;
use super::schedule::shuffle;
use crate::client::Endpoint;

/// How long a client thinks before it asks again.
const THINKS: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(30));

/// What all clients share.
pub(super) struct Work<'a> {
    pub(super) endpoints: &'a [Endpoint],
    pub(super) keys: &'a [String],
    pub(super) clients: u64,
    pub(super) reads: Reads,
    pub(super) recorder: &'a Recorder,
    pub(super) stop: &'a AtomicBool,
    pub(super) written: &'a AtomicU64,
    pub(super) seed: u64,
}

impl Work<'_> {
    /// Asks until it is told to stop, as the client of this number.
    pub(super) fn run(&self, number: u64) {
        let mut prng = Prng::fork(self.seed, 0xC11E_0000 + number);
        let speaker = Speaker::new(self.reads);
        let mut seen: BTreeMap<&str, u64> = BTreeMap::new();
        let mut process = number;
        while !self.stop.load(Ordering::Relaxed) {
            let key = prng.pick(self.keys).expect("there are keys").as_str();
            let before = seen.get(key).copied();
            // Zero is nobody's.
            let fresh = || self.written.fetch_add(1, Ordering::Relaxed) + 1;
            let question = Question::draw(&mut prng, before, fresh);
            let told = self.ask(&speaker, &mut prng, process, key, question);
            match question.seen(&told, before) {
                Some(value) => seen.insert(key, value),
                None => seen.remove(key),
            };
            if matches!(told, Told::Unknown(_)) {
                // What a process does not know of is open for ever, so it is another one from here on.
                process += self.clients;
            }
            thread::sleep(prng.duration(THINKS.0, THINKS.1));
        }
    }

    fn ask(&self, speaker: &Speaker, prng: &mut Prng, process: u64, key: &str, question: Question) -> Told {
        let mut nodes = self.endpoints.to_vec();
        shuffle(&mut nodes, prng);
        // Half of the clients' questions are asked again elsewhere when nobody knows what came of them.
        nodes.truncate(prng.between(1, 2) as usize);
        let mark = format!("{:016x}{:016x}", self.seed, prng.next_u64());
        let asked = self.recorder.ask(process, key, question);
        let told = speaker.ask(&nodes, key, question, &mark);
        self.recorder.end(asked, &told);
        told
    }

    /// Reads every key at every node once, as processes that come after all others.
    pub(super) fn read_all(&self) {
        let speaker = Speaker::new(self.reads);
        for node in self.endpoints {
            for key in self.keys {
                let asked = self.recorder.ask(u64::MAX / 2, key, Question::Read);
                let told = speaker.ask(std::slice::from_ref(node), key, Question::Read, "");
                self.recorder.end(asked, &told);
            }
        }
    }
}
