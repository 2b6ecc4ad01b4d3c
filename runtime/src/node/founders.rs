//! Who founds the group of the replicated map that a node of the command line serves.
//!
//! Not who its members are later, which the group itself decides.

use synod_transport::PeerName;

/// Who founds the group of the replicated map; everybody, when nobody is named. The others among the peers wait to be taken in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Founders {
    /// Those who hold the data and vote.
    pub voters: Vec<PeerName>,
    /// Those who vote and keep terms and positions only.
    pub witnesses: Vec<PeerName>,
}

impl Founders {
    /// The founders among everybody there is.
    ///
    /// # Errors
    /// Which of `voters` and `witnesses` is at fault, and why.
    pub(super) fn new(
        voters: &[String],
        witnesses: &[String],
        everybody: &[PeerName],
    ) -> Result<Self, (&'static str, String)> {
        let known = |list: &'static str, names: &[String]| {
            let one = |name: &String| {
                let found = everybody.iter().find(|known| known.as_str() == name).cloned();
                found.ok_or_else(|| (list, format!("{name} is neither this node nor one of peers")))
            };
            names.iter().map(one).collect::<Result<Vec<PeerName>, _>>()
        };
        if let Some(both) = witnesses.iter().find(|witness| voters.contains(witness)) {
            return Err(("witnesses", format!("{both} is one of members.voters")));
        }
        if voters.is_empty() && !witnesses.is_empty() {
            return Err(("voters", "is missing beside members.witnesses".into()));
        }
        Ok(Self { voters: known("voters", voters)?, witnesses: known("witnesses", witnesses)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn founders_are_known_and_in_one_list() {
        let everybody: Vec<_> = ["a", "b", "c"].iter().map(|name| PeerName::new(name).unwrap()).collect();
        let founders = |voters: &[&str], witnesses: &[&str]| {
            Founders::new(&names(voters), &names(witnesses), &everybody).map_err(|(list, _)| list)
        };
        assert_eq!(founders(&[], &[]), Ok(Founders::default()));
        let some = founders(&["a", "b"], &["c"]).unwrap();
        assert_eq!((some.voters.len(), some.witnesses.len()), (2, 1));
        assert_eq!(founders(&["a", "z"], &[]), Err("voters"));
        assert_eq!(founders(&["a"], &["a"]), Err("witnesses"));
        assert_eq!(founders(&[], &["a"]), Err("voters"));
    }
}
