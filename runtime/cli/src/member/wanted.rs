//! The members that shall be, from those that are and what is asked for.

use synod_gateway::Roster;

use crate::failure::Failure;

/// What a node that is added shall do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Voter,
    Witness,
    Learner,
}

/// The roster with `name` in it, in the given part. A member may change from learner to voter and back.
pub(super) fn with(mut roster: Roster, name: &str, part: Part) -> Roster {
    take_out(&mut roster, name);
    let list = match part {
        Part::Voter => &mut roster.voters,
        Part::Witness => &mut roster.witnesses,
        Part::Learner => &mut roster.learners,
    };
    list.push(name.to_owned());
    list.sort_unstable();
    roster
}

/// The roster without `name`.
///
/// # Errors
/// It is no member.
pub(super) fn without(mut roster: Roster, name: &str) -> Result<Roster, Failure> {
    if take_out(&mut roster, name) { Ok(roster) } else { Err(no_member(name, &roster)) }
}

/// The same members, with the disk of `name` given up for the one it has.
///
/// # Errors
/// It is no member.
pub(super) fn replacing(mut roster: Roster, name: &str) -> Result<Roster, Failure> {
    let lists = [&roster.voters, &roster.witnesses, &roster.learners];
    if !lists.iter().any(|list| list.iter().any(|member| member == name)) {
        return Err(no_member(name, &roster));
    }
    roster.replace = vec![name.to_owned()];
    Ok(roster)
}

fn take_out(roster: &mut Roster, name: &str) -> bool {
    let mut found = false;
    for list in [&mut roster.voters, &mut roster.witnesses, &mut roster.learners] {
        let before = list.len();
        list.retain(|member| member != name);
        found |= list.len() < before;
    }
    found
}

fn no_member(name: &str, roster: &Roster) -> Failure {
    let members = [&roster.voters[..], &roster.witnesses[..], &roster.learners[..]].concat();
    Failure::new(format!("{name} is no member; the members are {}", members.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roster() -> Roster {
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        Roster { voters: names(&["a", "b"]), learners: names(&["c"]), ..Roster::default() }
    }

    #[test]
    fn who_is_added_stands_in_one_list_only() {
        let promoted = with(roster(), "c", Part::Voter);
        assert_eq!((promoted.voters.len(), promoted.learners.len()), (3, 0));
        let demoted = with(roster(), "a", Part::Learner);
        assert_eq!((demoted.voters.len(), demoted.learners), (1, vec!["a".to_owned(), "c".to_owned()]));
    }

    #[test]
    fn who_is_no_member_is_neither_removed_nor_replaced() {
        assert_eq!(without(roster(), "b").unwrap().voters, ["a"]);
        assert!(without(roster(), "z").unwrap_err().to_string().contains("z is no member"));
        assert_eq!(replacing(roster(), "c").unwrap().replace, ["c"]);
        assert!(replacing(roster(), "z").is_err());
    }
}
