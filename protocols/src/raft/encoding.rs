//! The bytes of a configuration, as they stand in log entries, in snapshots and on disk.
//!
//! A version byte, then three lists: members, outgoing voters, goal. A list is a count of 32 bits, or all ones for "none", and per
//! member its id (8 bytes), duty (1) and disk (8; zero for "not known"); big end first. Version 1 was the bare ids of voters.

use std::collections::BTreeSet;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::raft::membership::{Duty, Member, Membership, check};
use crate::roll::Roll;
use crate::types::{NodeId, StoreId};

const VOTERS_ONLY: u8 = 1;
const VERSION: u8 = 2;
const NONE: u32 = u32::MAX;
const MEMBER_BYTES: usize = 17;

impl Membership {
    /// The bytes that stand for this configuration.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(16 + MEMBER_BYTES * self.members.len());
        bytes.put_u8(VERSION);
        for list in [Some(&self.members), self.outgoing.as_ref(), self.goal.as_ref()] {
            put_list(list, &mut bytes);
        }
        bytes.freeze()
    }

    /// Reads what [`Membership::encode`] wrote, of this version or an earlier one; `None` when it is something else.
    #[must_use]
    pub fn decode(mut bytes: &[u8]) -> Option<Self> {
        match bytes.try_get_u8().ok()? {
            VOTERS_ONLY => decode_voters(bytes),
            VERSION => {
                let members = take_list(&mut bytes)?.unwrap_or_default();
                let (outgoing, goal) = (take_list(&mut bytes)?, take_list(&mut bytes)?);
                let whole = bytes.is_empty()
                    && (members.is_empty() && outgoing.is_none() || check(&members).is_ok())
                    && outgoing.as_ref().is_none_or(|outgoing| agree(&members, outgoing))
                    && goal.as_ref().is_none_or(|goal| check(goal).is_ok());
                whole.then(|| Self::of(members, outgoing, goal))
            }
            _ => None,
        }
    }
}

fn put_list(list: Option<&Roll<NodeId, Member>>, bytes: &mut BytesMut) {
    let Some(list) = list else { return bytes.put_u32(NONE) };
    bytes.put_u32(u32::try_from(list.len()).unwrap_or(NONE - 1));
    for (node, member) in list {
        bytes.put_u64(node.0);
        bytes.put_u8(match member.duty {
            Duty::Voter => 0,
            Duty::Witness => 1,
            Duty::Learner => 2,
            Duty::JoiningWitness => 3,
        });
        bytes.put_u64(member.store.unwrap_or(StoreId::ZERO).0);
    }
}

#[expect(clippy::option_option, reason = "an unreadable list is not an absent one")]
fn take_list(bytes: &mut &[u8]) -> Option<Option<Roll<NodeId, Member>>> {
    let count = bytes.try_get_u32().ok()?;
    if count == NONE {
        return Some(None);
    }
    if usize::try_from(count).ok()?.checked_mul(MEMBER_BYTES)? > bytes.len() {
        return None;
    }
    let mut list = Roll::default();
    let mut before = None;
    for _ in 0..count {
        let node = NodeId(bytes.try_get_u64().ok()?);
        let duty = match bytes.try_get_u8().ok()? {
            0 => Duty::Voter,
            1 => Duty::Witness,
            2 => Duty::Learner,
            3 => Duty::JoiningWitness,
            _ => return None,
        };
        let store = Some(StoreId(bytes.try_get_u64().ok()?)).filter(|&store| store != StoreId::ZERO);
        if before.is_some_and(|before| before >= node) {
            return None;
        }
        before = Some(node);
        list.insert(node, Member { duty, store });
    }
    Some(Some(list))
}

fn decode_voters(ids: &[u8]) -> Option<Membership> {
    let (ids, rest) = ids.as_chunks::<8>();
    let voters: BTreeSet<NodeId> = ids.iter().map(|id| NodeId(u64::from_be_bytes(*id))).collect();
    let whole = rest.is_empty() && !voters.is_empty() && voters.len() == ids.len();
    whole.then(|| Membership::founding(&voters, &BTreeSet::new()))
}

/// Whether the outgoing set is one of voters, and names the same disk for everyone who stays.
fn agree(members: &Roll<NodeId, Member>, outgoing: &Roll<NodeId, Member>) -> bool {
    let same = |node: &NodeId, member: &Member| members.get(node).is_none_or(|it| it.store == member.store);
    check(outgoing).is_ok() && outgoing.iter().all(|(node, member)| member.votes() && same(node, member))
}
