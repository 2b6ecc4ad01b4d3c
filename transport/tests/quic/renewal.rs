//! Certificates that are exchanged and authorities that are rolled while links are up and frames on their way.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use synod_transport::{
    Address, Authority, Certificate, Credential, Identity, Lane, RenewError, Revoked, Role, TransportError,
    Validity,
};

use crate::members::{authority, credential, member, name, run, start};
use crate::recorder::{Heard, Node, Recorder};

const DAY: Duration = Duration::from_secs(86_400);
const LANE: Lane = Lane::Control;
/// How many frames are on their way, each way, when something is exchanged.
const BURST: u64 = 200;

/// A member's identity that one authority has issued, and that trusts these.
fn identity(node: &str, issuer: &Authority, trusted: &[&Authority]) -> Identity {
    let mut issued = credential(issuer, node);
    issued.authority_pem = trusted.iter().map(|authority| authority.certificate_pem()).collect();
    Identity::from_credential(&issued).expect("an identity")
}

fn address(of: &Node) -> Address {
    Address { endpoint: of.transport.local_address().to_string(), name: None }
}

/// Frames in both directions between two nodes, numbered.
struct Traffic<'a> {
    ends: [&'a Node; 2],
    sent: u64,
}

impl Traffic<'_> {
    async fn send(&mut self) {
        let numbers = self.sent..self.sent + BURST;
        for end in self.ends {
            let link = end.recorder.link(0).await;
            for number in numbers.clone() {
                link.send(LANE, &mut |out| out.extend_from_slice(&number.to_le_bytes()))
                    .expect("there is room");
            }
        }
        self.sent = numbers.end;
    }

    /// All that was sent has arrived, once and in order, over the link that there was from the beginning.
    async fn has_arrived(&self) {
        let expected: Vec<Bytes> =
            (0..self.sent).map(|number| Bytes::copy_from_slice(&number.to_le_bytes())).collect();
        for end in self.ends {
            assert_eq!(end.recorder.frames(LANE, expected.len()).await, expected);
            let heard = end.recorder.heard();
            let lost = |event: &&Heard| matches!(event, Heard::Returned(..) | Heard::Disconnected(..));
            assert_eq!(heard.iter().find(lost), None);
        }
    }
}

#[test]
fn an_authority_is_rolled_under_traffic_and_no_frame_is_lost_or_repeated() {
    run(async {
        let (old, new) = (authority(), authority());
        let (a, b) = (start(identity("a", &old, &[&old])), start(identity("b", &old, &[&old])));
        a.transport.connect(address(&b));
        let mut traffic = Traffic { ends: [&a, &b], sent: 0 };
        // Trust both; show the certificate of the one that stays; trust it alone.
        let steps: [(&Authority, &[&Authority]); 3] =
            [(&old, &[&old, &new]), (&new, &[&old, &new]), (&new, &[&new])];
        for (issuer, trusted) in steps {
            for (end, own) in [(&a, "a"), (&b, "b")] {
                traffic.send().await;
                end.transport.renew(&identity(own, issuer, trusted)).expect("taken");
                traffic.send().await;
                traffic.has_arrived().await;
            }
        }
        // The connection stood on certificates of the old one until that was trusted no more.
        assert_eq!((a.metrics)().links_distrusted + (b.metrics)().links_distrusted, 1);
        for end in [&a, &b] {
            let counted = (end.metrics)();
            assert_eq!((counted.renewals, counted.links_opened, counted.bytes_returned), (3, 1, 0));
            assert!(counted.connections >= 2, "{counted:?}");
        }
        // Whoever has slept through it is refused at both ends.
        let late = start(identity("late", &old, &[&old, &new]));
        late.transport.connect(address(&a));
        a.recorder.refused("the old certificate", |error| *error == TransportError::WrongAuthority).await;
        a.transport.connect(address(&late));
        late.recorder.refused("a refusal", |error| matches!(error, TransportError::RefusedByPeer(_))).await;
        assert!(late.recorder.is_untouched());
        // Until it shows a certificate of the authority that stayed.
        late.transport.renew(&identity("late", &new, &[&new])).expect("taken");
        a.recorder.link(1).await;
    });
}

#[test]
fn what_everybody_would_refuse_is_not_taken_and_changes_nothing() {
    run(async {
        let (old, new) = (authority(), authority());
        let (a, b) = (member(&old, "a"), member(&old, "b"));
        a.transport.connect(address(&b));
        let mut traffic = Traffic { ends: [&a, &b], sent: 0 };
        traffic.send().await;

        let another = RenewError::Another { expected: "a.shop.synod".into(), found: "c.shop.synod".into() };
        assert_eq!(a.transport.renew(&identity("c", &old, &[&old])), Err(another));
        // The steps in the wrong order: its own certificate is of nobody whom it would trust.
        let wrong = RenewError::Unacceptable(TransportError::WrongAuthority);
        assert_eq!(a.transport.renew(&identity("a", &old, &[&new])), Err(wrong.clone()));
        assert_eq!(a.transport.renew(&identity("a", &new, &[&old])), Err(wrong));
        let now = SystemTime::now();
        let expired = Validity { not_before: now - 3 * DAY, not_after: now - DAY };
        let expired = old.issue(&name("a"), Role::Member, expired).expect("issued");
        let expired = Identity::from_credential(&expired).expect("an identity");
        assert_eq!(a.transport.renew(&expired), Err(RenewError::Unacceptable(TransportError::Expired)));
        traffic.send().await;
        traffic.has_arrived().await;
        let counted = (a.metrics)();
        assert_eq!((counted.renewals, counted.links_distrusted, counted.connections), (0, 0, 1));
    });
}

#[test]
fn a_peer_whose_authority_is_dropped_is_cut_off_and_what_it_was_owed_comes_back() {
    run(async {
        let (old, new) = (authority(), authority());
        let a = start(identity("a", &new, &[&old, &new]));
        let left_behind = start(identity("b", &old, &[&old, &new]));
        a.transport.connect(address(&left_behind));
        let link = a.recorder.link(0).await;
        a.transport.renew(&identity("a", &new, &[&new])).expect("taken");
        a.recorder.interrupted(1).await;
        link.send(LANE, &mut |out| out.extend_from_slice(b"owed"))
            .expect("the link waits for another connection");
        a.recorder.disconnected(link.session()).await;
        let back = Recorder::returned(&a.recorder.heard());
        assert_eq!(back.iter().map(|(body, _)| &body[..]).collect::<Vec<_>>(), [b"owed"]);
        assert!((a.metrics)().refusals["wrong_authority"] > 0);
    });
}

/// Who shows this certificate, and accepts none of those.
fn revoking(own: &Credential, shut_out: &[&Credential]) -> Identity {
    let fingerprint = |credential: &&Credential| {
        let read = Certificate::inspect(&credential.certificate_pem, "issued here").expect("a certificate");
        format!("{} # {}\n", read[0].fingerprint, read[0].serial)
    };
    let list: String = shut_out.iter().map(fingerprint).collect();
    let revoked = Revoked::parse(&list, "the list").expect("fingerprints");
    Identity::from_credential(own).expect("an identity").revoking(revoked)
}

#[test]
fn one_certificate_is_shut_out_at_run_time_and_nobody_else() {
    run(async {
        let authority = authority();
        let (own, stolen) = (credential(&authority, "a"), credential(&authority, "b"));
        let (a, b) = (start(revoking(&own, &[])), start(revoking(&stolen, &[])));
        let c = member(&authority, "c");
        a.transport.connect(address(&b));
        let shut_out = a.recorder.link(0).await;
        a.transport.connect(address(&c));
        let stays = a.recorder.link(1).await;

        a.transport.renew(&revoking(&own, &[&stolen])).expect("taken");
        a.recorder.interrupted(1).await;
        a.recorder.refused("what it shows when dialled", |error| *error == TransportError::Revoked).await;
        b.transport.connect(address(&a));
        b.recorder.refused("a refusal", |error| matches!(error, TransportError::RefusedByPeer(_))).await;
        a.recorder.disconnected(shut_out.session()).await;
        let counted = (a.metrics)();
        assert_eq!((counted.links_distrusted, counted.links_opened), (1, 2));
        assert!(counted.refusals["revoked"] > 0);
        assert_eq!(Recorder::living(&a.recorder.heard()), [stays.session()]);

        // The name is not shut out: another certificate lets its node in.
        b.transport.renew(&revoking(&credential(&authority, "b"), &[])).expect("taken");
        a.recorder.link(2).await;
        // Nobody shuts himself out.
        let itself = RenewError::Unacceptable(TransportError::Revoked);
        assert_eq!(a.transport.renew(&revoking(&own, &[&own])), Err(itself));
    });
}
