//! `synod status`

use std::thread;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use synod_gateway::{Role, Status};
use ureq::Agent;

use crate::client::{Connection, Endpoint, Path, Request, attempt};
use crate::failure::Failure;
use crate::output::{Form, print, print_json};
use crate::table::{Align, Table, printable};

/// Shows how every node stands: those addressed, and those of which they know where their HTTP is.
///
/// Fails when a member does not answer or no leader is known.
#[derive(Args, Debug)]
pub(crate) struct StatusCommand {
    #[command(flatten)]
    connection: Connection,
}

/// What one address answered.
#[derive(Clone, Debug, Serialize)]
struct Answered {
    address: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl StatusCommand {
    /// Does it.
    ///
    /// # Errors
    /// When nobody answers, a member does not, or no leader is known.
    pub(crate) fn run(self, form: Form) -> Result<(), Failure> {
        let agent = self.connection.agent()?;
        let mut answers = ask_all(&agent, &self.connection.addr.0);
        let others = unasked(&answers);
        answers.extend(ask_all(&agent, &others));
        match form {
            Form::People => print(text(&answers))?,
            Form::Programs => print_json(&answers)?,
        }
        match complaint(&answers) {
            None => Ok(()),
            Some(complaint) => Err(Failure::new(complaint)),
        }
    }
}

fn ask_all(agent: &Agent, endpoints: &[Endpoint]) -> Vec<Answered> {
    thread::scope(|scope| {
        let asked: Vec<_> = endpoints.iter().map(|endpoint| scope.spawn(|| ask(agent, endpoint))).collect();
        asked.into_iter().map(|thread| thread.join().expect("asking does not panic")).collect()
    })
}

fn ask(agent: &Agent, endpoint: &Endpoint) -> Answered {
    let status = attempt(agent, endpoint, &Request::read(Path::new("/status")), &[])
        .map_err(|none| none.reason)
        .and_then(|answer| match answer.status {
            200 => serde_json::from_slice::<Status>(&answer.body).map_err(|error| error.to_string()),
            status => Err(format!("status {status}: {}", answer.error())),
        });
    let address = endpoint.to_string();
    match status {
        Ok(status) => Answered { address, status: Some(status), error: None },
        Err(error) => Answered { address, status: None, error: Some(error) },
    }
}

/// Where members listen that nobody asked yet.
fn unasked(answers: &[Answered]) -> Vec<Endpoint> {
    let known =
        |peer: &str| answers.iter().flat_map(|answer| &answer.status).any(|status| status.node == peer);
    let links = answers.iter().flat_map(|answer| &answer.status).flat_map(|status| &status.links);
    let mut others: Vec<(&str, &str)> = links
        .filter(|link| !known(&link.peer))
        .filter_map(|link| Some((link.peer.as_str(), link.http.as_deref()?)))
        .collect();
    others.sort_unstable();
    others.dedup_by_key(|(peer, _)| *peer);
    let asked = |http: &str| answers.iter().any(|answer| answer.address == http);
    others.into_iter().filter(|(_, http)| !asked(http)).filter_map(|(_, http)| http.parse().ok()).collect()
}

fn text(answers: &[Answered]) -> String {
    let mut table = Table::new(&[
        ("node", Align::Left),
        ("address", Align::Left),
        ("pid", Align::Right),
        ("role", Align::Left),
        ("leader", Align::Left),
        ("term", Align::Right),
        ("commit", Align::Right),
        ("applied", Align::Right),
        ("links", Align::Right),
        ("up", Align::Right),
    ]);
    let mut silences = String::new();
    for Answered { address, status, error } in answers {
        let Some(status) = status else {
            let mut row = vec!["?".to_owned(), address.clone(), "-".to_owned(), "silent".to_owned()];
            row.resize(10, "-".to_owned());
            table.row(row);
            let error = error.as_deref().unwrap_or("no answer");
            silences.push_str(&format!("{address}: {}\n", printable(error)));
            continue;
        };
        table.row(vec![
            status.node.clone(),
            address.clone(),
            status.pid.to_string(),
            part(status, answers).to_string(),
            status.leader.clone().unwrap_or_else(|| "?".to_owned()),
            status.term.to_string(),
            status.commit_index.to_string(),
            status.applied_index.to_string(),
            format!("{}/{}", status.connected(), status.links.len()),
            format!("{:?}", Duration::from_secs(status.uptime_ms / 1000)),
        ]);
    }
    table.render() + &silences
}

/// The part a node plays: one that was removed may not have been told, but the leader knows.
fn part(status: &Status, answers: &[Answered]) -> Role {
    let leaders =
        answers.iter().flat_map(|answer| &answer.status).filter(|status| status.role == Role::Leader);
    let newest = leaders.max_by_key(|leader| leader.term);
    match newest.is_none_or(|leader| leader.node == status.node || leader.members.contains(&status.node)) {
        true => status.role,
        false => Role::Outsider,
    }
}

/// What is wrong with the cluster, as far as was asked.
fn complaint(answers: &[Answered]) -> Option<String> {
    let silent: Vec<&str> = answers
        .iter()
        .filter(|answer| answer.status.is_none())
        .map(|answer| answer.address.as_str())
        .collect();
    if !silent.is_empty() {
        return Some(format!("no status from {}", silent.join(", ")));
    }
    let mut standing = answers.iter().flat_map(|answer| &answer.status);
    standing.find(|status| status.leader.is_none()).map(|status| format!("{} knows no leader", status.node))
}

#[cfg(test)]
mod tests {
    use super::*;
    use synod_gateway::Link;

    fn answered(node: &str, leader: Option<&str>, links: &[(&str, Option<&str>)]) -> Answered {
        let link = |(peer, http): &(&str, Option<&str>)| Link {
            peer: (*peer).to_owned(),
            connected: true,
            round_trip_us: Some(40),
            queued_bytes: 0,
            http: http.map(str::to_owned),
        };
        let status = Status {
            node: node.into(),
            cluster: "shop".into(),
            pid: 41,
            role: Role::Follower,
            leader: leader.map(str::to_owned),
            term: 2,
            commit_index: 9,
            applied_index: 8,
            members: vec![node.into()],
            set_aside: Vec::new(),
            uptime_ms: 61_500,
            links: links.iter().map(link).collect(),
        };
        Answered { address: "127.0.0.1:8080".into(), status: Some(status), error: None }
    }

    #[test]
    fn members_are_asked_where_they_are_known_to_listen() {
        let links = [("node-2", Some("127.0.0.1:8081")), ("node-3", None)];
        let others = unasked(&[answered("node-1", Some("node-2"), &links)]);
        assert_eq!(others, ["127.0.0.1:8081".parse().unwrap()]);
        let all = [answered("node-1", None, &links), answered("node-2", None, &[])];
        assert!(unasked(&all).is_empty());
    }

    #[test]
    fn who_was_removed_is_an_outsider_also_when_nobody_told_it() {
        let (mut leader, removed) = (answered("node-1", Some("node-1"), &[]), answered("node-2", None, &[]));
        let of = |answers: &[Answered]| part(answers[1].status.as_ref().unwrap(), answers);
        assert_eq!(of(&[leader.clone(), removed.clone()]), Role::Follower, "nobody leads who would know");
        let status = leader.status.as_mut().unwrap();
        status.role = Role::Leader;
        assert_eq!(of(&[leader.clone(), removed.clone()]), Role::Outsider);
        leader.status.as_mut().unwrap().members.push("node-2".into());
        assert_eq!(of(&[leader, removed]), Role::Follower);
    }

    #[test]
    fn the_table_has_a_row_for_each_and_complaints_name_who() {
        let silent = Answered { address: "127.0.0.1:9".into(), status: None, error: Some("refused".into()) };
        let good = answered("node-1", Some("node-1"), &[("node-2", None)]);
        let text = text(&[good.clone(), silent.clone()]);
        assert!(
            text.lines().nth(1).unwrap().starts_with("node-1  127.0.0.1:8080   41  follower  node-1"),
            "{text}"
        );
        assert!(text.lines().nth(2).unwrap().contains("silent"), "{text}");
        assert_eq!(text.lines().nth(3), Some("127.0.0.1:9: refused"), "{text}");
        assert_eq!(complaint(std::slice::from_ref(&good)), None);
        assert_eq!(complaint(&[good.clone(), silent]).unwrap(), "no status from 127.0.0.1:9");
        assert_eq!(complaint(&[good, answered("node-3", None, &[])]).unwrap(), "node-3 knows no leader");
    }
}
