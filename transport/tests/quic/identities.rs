//! Who is let in: each fault of a certificate is refused with its own error, at both ends, and nothing of such a peer is heard.

use std::time::{Duration, SystemTime};

use synod_transport::quic::acceptable;
use synod_transport::{Address, Identity, Role, TransportError, Validity};

use crate::members::{authority, credential, member, name, run, start};
use crate::recorder::Node;
use crate::stranger::stranger;

const DAY: Duration = Duration::from_secs(86_400);

fn seed(at: &Node) -> Address {
    Address { endpoint: at.transport.local_address().to_string(), name: None }
}

/// The sound node and the faulty one dial each other; each time the sound one knows the reason and the other that it was refused.
async fn is_refused_both_ways(sound: Node, faulty: Node, expected: TransportError) {
    let kind = |error: &TransportError| matches!(error, TransportError::RefusedByPeer(_));
    faulty.transport.connect(seed(&sound));
    sound.recorder.refused("the typed reason, when dialled", |error| *error == expected).await;
    faulty.recorder.refused("a refusal, when dialling", kind).await;
    faulty.transport.forget(&seed(&sound));

    let before = sound.recorder.heard().len();
    sound.transport.connect(seed(&faulty));
    sound
        .recorder
        .until("the typed reason, when dialling", |heard| {
            let endpoint = seed(&faulty).endpoint;
            heard[before..].iter().find_map(|event| match event {
                crate::recorder::Heard::Refused(refusal) if refusal.endpoint == endpoint => {
                    assert_eq!(refusal.error, expected);
                    Some(())
                }
                _ => None,
            })
        })
        .await;
    for node in [&sound, &faulty] {
        assert!(node.recorder.is_untouched(), "{:#?}", node.recorder.heard());
        assert_eq!((node.metrics)().links_opened, 0);
    }
    let kinds = (sound.metrics)().refusals;
    assert!(kinds.values().sum::<u64>() >= 2, "{kinds:?}");
}

#[test]
fn another_authority_of_the_same_cluster_name() {
    run(async {
        let (ours, theirs) = (authority(), authority());
        let mut foreign = credential(&theirs, "b");
        // It trusts us, so that it is us who refuse.
        foreign.authority_pem = ours.certificate_pem().to_owned();
        let foreign = Identity::from_credential(&foreign).expect("an identity");
        is_refused_both_ways(member(&ours, "a"), start(foreign), TransportError::WrongAuthority).await;
    });
}

#[test]
fn a_certificate_that_has_expired() {
    run(async {
        let authority = authority();
        let now = SystemTime::now();
        let validity = Validity { not_before: now - 3 * DAY, not_after: now - DAY };
        let expired = authority.issue(&name("b"), Role::Member, validity).expect("issued");
        let expired = Identity::from_credential(&expired).expect("an identity");
        is_refused_both_ways(member(&authority, "a"), start(expired), TransportError::Expired).await;
    });
}

#[test]
fn a_certificate_that_is_not_valid_yet() {
    run(async {
        let authority = authority();
        let now = SystemTime::now();
        let validity = Validity { not_before: now + DAY, not_after: now + 3 * DAY };
        let early = authority.issue(&name("b"), Role::Member, validity).expect("issued");
        let early = Identity::from_credential(&early).expect("an identity");
        is_refused_both_ways(member(&authority, "a"), start(early), TransportError::NotYetValid).await;
    });
}

#[test]
fn a_certificate_for_another_cluster() {
    run(async {
        let authority = authority();
        let foreign =
            authority.issue_in("bank", &name("b"), Role::Member, Validity::days(1)).expect("issued");
        let foreign = Identity::from_credential(&foreign).expect("an identity");
        let (a, b) = (member(&authority, "a"), start(foreign));
        a.transport.connect(seed(&b));
        let wrong = |expected: &str, found: &str| TransportError::WrongCluster {
            expected: expected.to_owned(),
            found: found.to_owned(),
        };
        let (ours, theirs) = (wrong("shop", "bank"), wrong("bank", "shop"));
        a.recorder.refused("the wrong cluster", |error| *error == ours).await;
        b.transport.connect(seed(&a));
        b.recorder.refused("the wrong cluster", |error| *error == theirs).await;
        assert!(a.recorder.is_untouched() && b.recorder.is_untouched());
    });
}

#[test]
fn a_certificate_for_another_node_than_the_one_dialled() {
    run(async {
        let authority = authority();
        let (a, b) = (member(&authority, "a"), member(&authority, "b"));
        a.transport.connect(Address { name: Some(name("c")), ..seed(&b) });
        let wrong = TransportError::WrongNode { expected: name("c"), found: name("b") };
        let refusal = a.recorder.refused("the wrong node", |error| *error == wrong).await;
        assert_eq!(refusal.expected, Some(name("c")));
        b.recorder.refused("a refusal", |error| matches!(error, TransportError::RefusedByPeer(_))).await;
        assert!(a.recorder.is_untouched() && b.recorder.is_untouched());
    });
}

#[test]
fn no_certificate_at_all() {
    run(async {
        let a = member(&authority(), "a");
        let endpoint = stranger(None);
        let connecting = endpoint.connect(a.transport.local_address(), "shop.synod").expect("dialled");
        // The dialer believes it is connected until the refusal arrives (RFC 8446 §4.4.2.4).
        if let Ok(connection) = connecting.await {
            connection.closed().await;
        }
        a.recorder.refused("no certificate", |error| *error == TransportError::NoCertificate).await;
        assert!(a.recorder.is_untouched());
        assert_eq!((a.metrics)().refusals["no_certificate"], 1);
    });
}

#[test]
fn insecure_processes_accept_each_other_and_nobody_else() {
    run(async {
        let insecure =
            |node: &str| Identity::insecure("shop", &name(node), Role::Member).expect("an identity");
        let (a, b) = (start(insecure("a")), start(insecure("b")));
        a.transport.connect(seed(&b));
        assert_eq!(a.recorder.link(0).await.peer().name, name("b"));

        let c = member(&authority(), "c");
        a.transport.connect(seed(&c));
        a.recorder.refused("a real identity", |error| *error == TransportError::WrongAuthority).await;
        c.transport.connect(seed(&a));
        c.recorder.refused("an insecure identity", |error| *error == TransportError::WrongAuthority).await;
        assert!(c.recorder.is_untouched());
    });
}

#[test]
fn an_identity_that_all_would_refuse_is_known_before_it_is_shown() {
    let (ours, theirs) = (authority(), authority());
    let of = |credential| acceptable(&Identity::from_credential(&credential).expect("an identity"));
    assert_eq!(of(credential(&ours, "a")), Ok(()));
    let mut foreign = credential(&theirs, "a");
    foreign.authority_pem = ours.certificate_pem().to_owned();
    assert_eq!(of(foreign), Err(TransportError::WrongAuthority));
    let now = SystemTime::now();
    for (not_before, not_after, reason) in [
        (now - 2 * DAY, now - DAY, TransportError::Expired),
        (now + DAY, now + 2 * DAY, TransportError::NotYetValid),
    ] {
        let late =
            ours.issue(&name("a"), Role::Member, Validity { not_before, not_after }).expect("a credential");
        assert_eq!(of(late), Err(reason));
    }
}
