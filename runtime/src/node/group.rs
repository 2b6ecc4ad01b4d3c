//! Who a replicated service's group is made of when it starts for the first time, and who may come to be a member later.
//!
//! Not who its members are after that: the group itself decides, and its log says so.

/// The founders of a group, and everybody a member may ever be. The same on every node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    pub(super) voters: Vec<String>,
    pub(super) witnesses: Vec<String>,
    pub(super) others: Vec<String>,
}

impl Group {
    /// A group founded by these nodes, all of which hold the data and vote.
    pub fn of(members: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        Self { voters: names(members), ..Self::default() }
    }

    /// With these among the founders that vote and keep terms and positions only. A node is a witness wherever it is a member.
    #[must_use]
    pub fn witnesses(self, witnesses: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        Self { witnesses: names(witnesses), ..self }
    }

    /// With these nodes beside the founders, which wait to be taken in.
    #[must_use]
    pub fn others(self, others: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        Self { others: names(others), ..self }
    }

    /// Everybody.
    pub(super) fn everybody(&self) -> impl Iterator<Item = &String> {
        let also = self.witnesses.iter().filter(|witness| !self.voters.contains(witness));
        self.voters.iter().chain(also).chain(&self.others)
    }
}

fn names(names: impl IntoIterator<Item = impl AsRef<str>>) -> Vec<String> {
    names.into_iter().map(|name| name.as_ref().to_owned()).collect()
}
