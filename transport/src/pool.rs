//! Which of two links to the same name survives: the rule that both implementations follow.
//!
//! Not a table of links: it judges one newcomer against the link that is there.

use crate::contract::{CloseReason, TransportError};
use crate::peer::{Peer, Role};

/// What becomes of a newcomer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// There is no link to this name.
    Open,
    /// The link that is there ends for this reason, and the newcomer takes its place.
    Replace(CloseReason),
    /// The link that is there stays; the newcomer is one too many.
    Duplicate,
    /// The link that is there stays; the newcomer is refused.
    Refuse(TransportError),
}

/// Judges `newcomer` against `present`, the peer of the living link to the same name; `lost` tells whether the newcomer's end
/// says that it has lost that link.
///
/// Members come before clients, later incarnations before earlier ones. So a restarted process takes over at once, and of two
/// living processes with one name the later one keeps its link while the other is refused at every attempt, with the reason.
pub(crate) fn admit(present: Option<&Peer>, newcomer: &Peer, lost: bool) -> Admission {
    let Some(present) = present else { return Admission::Open };
    if present.role != newcomer.role {
        return match newcomer.role {
            Role::Member => Admission::Replace(CloseReason::Restarted),
            Role::Client => Admission::Refuse(TransportError::Handshake(format!(
                "{} is the name of a member that is connected",
                newcomer.name
            ))),
        };
    }
    match newcomer.incarnation.cmp(&present.incarnation) {
        std::cmp::Ordering::Greater => Admission::Replace(CloseReason::Restarted),
        std::cmp::Ordering::Equal if lost => Admission::Replace(CloseReason::Replaced),
        std::cmp::Ordering::Equal => Admission::Duplicate,
        std::cmp::Ordering::Less => Admission::Refuse(TransportError::Superseded {
            found: newcomer.incarnation,
            known: present.incarnation,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::PeerName;

    fn peer(role: Role, incarnation: u64) -> Peer {
        Peer { name: PeerName::new("a").expect("a name"), role, incarnation }
    }

    #[test]
    fn judges_by_role_then_incarnation_then_loss() {
        let member = |incarnation| peer(Role::Member, incarnation);
        let client = |incarnation| peer(Role::Client, incarnation);
        assert_eq!(admit(None, &member(1), false), Admission::Open);
        assert_eq!(admit(Some(&member(1)), &member(1), false), Admission::Duplicate);
        assert_eq!(admit(Some(&member(1)), &member(1), true), Admission::Replace(CloseReason::Replaced));
        assert_eq!(admit(Some(&member(1)), &member(2), false), Admission::Replace(CloseReason::Restarted));
        assert_eq!(
            admit(Some(&member(2)), &member(1), true),
            Admission::Refuse(TransportError::Superseded { found: 1, known: 2 })
        );
        assert!(matches!(admit(Some(&member(1)), &client(9), true), Admission::Refuse(_)));
        assert_eq!(admit(Some(&client(9)), &member(1), false), Admission::Replace(CloseReason::Restarted));
    }
}
