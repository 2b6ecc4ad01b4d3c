//! The options of `synod member`, and what each asks of the cluster.

use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use synod_gateway::{Leads, Members, MembersChanged, Roster};
use ureq::Agent;
use ureq::http::Method;

use super::wanted::{self, Part};
use crate::client::{Connection, NoAnswer, Path, Request, attempt};
use crate::failure::Failure;
use crate::output::{Form, print, print_json};
use crate::table::{Align, Table};

/// How long one node is asked before the next one is.
const TURN: Duration = Duration::from_secs(10);
/// How long a change may take unless it is said.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(200);

/// Shows the members of the map's group, leads the group to others, or hands leadership over.
///
/// A change is made by joint consensus: whoever is new catches up first, and the group goes on meanwhile. Asking again does no harm. A
/// node that is to be a member has to run, and has to know the others as its peers, as they have to know it.
#[derive(Args, Debug)]
pub(crate) struct MemberCommand {
    #[command(subcommand)]
    deed: Deed,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Subcommand, Debug)]
enum Deed {
    /// Shows who the members are, and where the group is on its way to.
    List,
    /// Makes a node a voter, or what is said instead.
    Add {
        /// The node's name.
        node: String,
        /// Let it hold the data without a vote.
        #[arg(long, conflicts_with = "witness")]
        learner: bool,
        /// Let it vote and keep terms and positions only. It has to be configured as a witness.
        #[arg(long)]
        witness: bool,
    },
    /// Takes a node out, the leader too.
    Remove {
        /// The node's name.
        node: String,
    },
    /// Takes a node in anew that has lost its disk and speaks from another one: the word of the lost one does not count any more.
    Replace {
        /// The node's name.
        node: String,
    },
    /// Hands leadership to a voter, or to the one that is furthest along.
    Transfer {
        /// The node's name.
        node: Option<String>,
    },
    /// Says who the members shall be, all of them.
    Set {
        /// Those who hold the data and vote.
        #[arg(long, value_delimiter = ',', required = true)]
        voters: Vec<String>,
        /// Those who vote and keep terms and positions only.
        #[arg(long, value_delimiter = ',')]
        witnesses: Vec<String>,
        /// Those who hold the data and have no vote.
        #[arg(long, value_delimiter = ',')]
        learners: Vec<String>,
    },
}

impl MemberCommand {
    /// Does it.
    ///
    /// # Errors
    /// One sentence on what was refused, or how far it came in time.
    pub(crate) fn run(self, form: Form) -> Result<(), Failure> {
        let agent = self.connection.watcher()?;
        let until = Instant::now() + self.connection.timeout.unwrap_or(PATIENCE);
        let members = Request::read(Path::new("/members"));
        let present = || self.ask::<Members>(&agent, &members, Repeat::Always, until);
        let wanted = match &self.deed {
            Deed::List => return show(&present()?, form),
            Deed::Transfer { node } => return self.transfer(&agent, node.as_deref(), until, form),
            Deed::Add { node, learner, witness } => {
                let part = match (learner, witness) {
                    (true, _) => Part::Learner,
                    (false, true) => Part::Witness,
                    (false, false) => Part::Voter,
                };
                wanted::with(present()?.members, node, part)
            }
            Deed::Remove { node } => wanted::without(present()?.members, node)?,
            Deed::Replace { node } => wanted::replacing(present()?.members, node)?,
            Deed::Set { voters, witnesses, learners } => Roster {
                voters: voters.clone(),
                witnesses: witnesses.clone(),
                learners: learners.clone(),
                replace: Vec::new(),
            },
        };
        let body = serde_json::to_vec(&wanted).map_err(|error| Failure::new(error.to_string()))?;
        let path = Path::new("/members").with("timeout_ms", TURN.as_millis());
        let change = Request { method: Method::PUT, path, idempotency_key: None, body };
        let MembersChanged { index } = self.ask(&agent, &change, Repeat::Always, until)?;
        match form {
            Form::People => print(format!("done at index {index}\n{}", table(&present()?))),
            Form::Programs => print_json(&MembersChanged { index }),
        }
    }

    /// Hands leadership over. A refusal for now may pass; a transfer of which it is not known what became is not repeated, for a leader
    /// takes no writes while it hands over.
    fn transfer(&self, agent: &Agent, node: Option<&str>, until: Instant, form: Form) -> Result<(), Failure> {
        let path = Path::new("/leader").with("timeout_ms", TURN.as_millis());
        let path = match node {
            Some(node) => path.with("to", node),
            None => path,
        };
        let request = Request { method: Method::PUT, path, idempotency_key: None, body: Vec::new() };
        let Leads { leader } = self.ask(agent, &request, Repeat::UnlessInDoubt, until)?;
        match form {
            Form::People => print(format!("{leader} leads\n")),
            Form::Programs => print_json(&Leads { leader }),
        }
    }

    /// Asks one node after another until one answers for good.
    fn ask<T: serde::de::DeserializeOwned>(
        &self,
        agent: &Agent,
        request: &Request,
        repeat: Repeat,
        until: Instant,
    ) -> Result<T, Failure> {
        let mut last = String::from("nobody was asked");
        for endpoint in self.connection.addr.0.iter().cycle() {
            match attempt(agent, endpoint, request, &[]) {
                Ok(answer) if answer.status == 200 => {
                    return serde_json::from_slice(&answer.body).map_err(|error| {
                        Failure::new(format!("{endpoint} answered what cannot be read: {error}"))
                    });
                }
                Ok(answer) if answer.status == 503 && repeat.is_worth(!answer.not_executed()) => {
                    last = format!("{endpoint}: {}", answer.error());
                }
                Ok(answer) => return Err(Failure::new(format!("{endpoint}: {}", answer.error()))),
                Err(NoAnswer { reason, sent }) if repeat.is_worth(sent) => {
                    last = format!("{endpoint}: {reason}");
                }
                Err(NoAnswer { reason, .. }) => {
                    return Err(Failure::new(format!("{endpoint}: {reason}; it may yet be done")));
                }
            }
            if Instant::now() + PAUSE >= until {
                break;
            }
            std::thread::sleep(PAUSE);
        }
        Err(Failure::new(format!("not done in time, and it may yet be done; the last answer was: {last}")))
    }
}

/// Which requests that were not served are made again.
#[derive(Clone, Copy, Debug)]
enum Repeat {
    /// All of them: asking again does no harm.
    Always,
    /// Those that surely did nothing.
    UnlessInDoubt,
}

impl Repeat {
    /// Whether to ask again after a failure that leaves what was done `in_doubt`, or does not.
    fn is_worth(self, in_doubt: bool) -> bool {
        match self {
            Self::Always => true,
            Self::UnlessInDoubt => !in_doubt,
        }
    }
}

fn show(members: &Members, form: Form) -> Result<(), Failure> {
    match form {
        Form::People => print(table(members)),
        Form::Programs => print_json(members),
    }
}

fn table(members: &Members) -> String {
    let mut table = Table::new(&[("member", Align::Left), ("duty", Align::Left), ("goes to", Align::Left)]);
    let Members { members: present, leaving, goal, .. } = members;
    let lists = [(&present.voters, "voter"), (&present.witnesses, "witness"), (&present.learners, "learner")];
    for (names, duty) in lists {
        for name in names {
            table.row(vec![name.clone(), duty.to_owned(), heading(name, duty, goal.as_ref())]);
        }
    }
    for name in leaving.iter().filter(|name| !lists.iter().any(|(names, _)| names.contains(name))) {
        table.row(vec![name.clone(), "leaving".to_owned(), "-".to_owned()]);
    }
    format!("{}in force since index {}\n", table.render(), members.index)
}

/// What a member is to become, if it is not to stay what it is.
fn heading(name: &String, duty: &str, goal: Option<&Roster>) -> String {
    let Some(goal) = goal else { return "-".to_owned() };
    let lists = [(&goal.voters, "voter"), (&goal.witnesses, "witness"), (&goal.learners, "learner")];
    let next = lists.iter().find(|(names, _)| names.contains(name)).map_or("out", |(_, duty)| duty);
    if next == duty { "-".to_owned() } else { next.to_owned() }
}
