//! Authorities and certificates, on disk and off.

use std::fs;
use std::time::{Duration, SystemTime};

use super::{AUTHORITY_FILE, AUTHORITY_KEY_FILE, Authority, Certificate, Identity, IdentityError, Validity};
use crate::peer::{PeerName, Role};

fn name(name: &str) -> PeerName {
    PeerName::new(name).expect("a name")
}

#[test]
fn an_authority_read_from_disk_issues_what_the_first_one_signs() {
    let directory = tempfile::tempdir().expect("a directory");
    let created = Authority::create("shop", Validity::days(10)).expect("an authority");
    created.save(directory.path()).expect("saved");
    let loaded = Authority::load(directory.path()).expect("loaded");
    assert_eq!(loaded.cluster(), "shop");
    assert_eq!(loaded.certificate_pem(), created.certificate_pem());

    loaded
        .issue(&name("node-1"), Role::Member, Validity::days(1))
        .expect("issued")
        .save(directory.path())
        .expect("saved");
    let file = |file: &str| directory.path().join(file);
    let identity = Identity::load(&file("node-1.pem"), &file("node-1-key.pem"), &file(AUTHORITY_FILE))
        .expect("an identity");
    assert_eq!(
        (identity.name().as_str(), identity.role(), identity.cluster()),
        ("node-1", Role::Member, "shop")
    );
    assert_eq!(identity.certificate().issuer, "CN=synod authority of shop");
}

#[cfg(unix)]
#[test]
fn keys_are_readable_by_their_owner_only_and_never_overwritten() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().expect("a directory");
    let authority = Authority::create("shop", Validity::days(10)).expect("an authority");
    authority.save(directory.path()).expect("saved");
    let key = directory.path().join(AUTHORITY_KEY_FILE);
    assert_eq!(fs::metadata(&key).expect("there").permissions().mode() & 0o777, 0o600);
    let before = fs::read_to_string(&key).expect("readable");
    let error = Authority::create("shop", Validity::days(10)).expect("another").save(directory.path());
    assert!(matches!(error, Err(IdentityError::Exists { path }) if path == key));
    assert_eq!(fs::read_to_string(&key).expect("readable"), before);
}

#[test]
fn inspection_tells_what_was_issued() {
    let authority = Authority::create("shop", Validity::days(10)).expect("an authority");
    let not_before = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let validity = Validity { not_before, not_after: not_before + Duration::from_secs(60) };
    let credential = authority.issue(&name("bob"), Role::Client, validity).expect("issued");
    let found = Certificate::inspect(&credential.certificate_pem, "text").expect("readable");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].dns_names, ["bob.client.shop.synod"]);
    assert_eq!(found[0].subject, Some(credential.subject.clone()));
    assert_eq!((found[0].not_before, found[0].not_after), (validity.not_before, validity.not_after));
    assert_eq!((found[0].fingerprint.len(), found[0].authority_of.as_deref()), (64, None));
    let own = &Certificate::inspect(authority.certificate_pem(), "text").expect("readable")[0];
    assert_eq!((own.authority_of.as_deref(), own.subject.as_ref()), (Some("shop"), None));
    assert_ne!(own.fingerprint, found[0].fingerprint);
}

#[test]
fn errors_name_the_file_and_the_reason() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = |file: &str| directory.path().join(file);
    let missing = Authority::load(directory.path()).expect_err("nothing there");
    assert!(missing.to_string().contains("ca.pem"), "{missing}");

    let authority = Authority::create("shop", Validity::days(10)).expect("an authority");
    authority.save(directory.path()).expect("saved");
    for node in ["a", "b"] {
        authority
            .issue(&name(node), Role::Member, Validity::days(1))
            .expect("issued")
            .save(directory.path())
            .expect("saved");
    }
    let load = |certificate: &str, key: &str, ca: &str| {
        Identity::load(&path(certificate), &path(key), &path(ca)).expect_err("unusable")
    };
    assert!(matches!(load("a.pem", "b-key.pem", "ca.pem"), IdentityError::KeyMismatch { .. }));
    assert!(matches!(load("ca.pem", "ca-key.pem", "ca.pem"), IdentityError::Name { .. }));
    fs::write(path("empty.pem"), "").expect("written");
    fs::write(path("noise.pem"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        .expect("written");
    for (certificate, key, ca, file) in [
        ("empty.pem", "a-key.pem", "ca.pem", "empty.pem"),
        ("noise.pem", "a-key.pem", "ca.pem", "noise.pem"),
        ("a.pem", "a.pem", "ca.pem", "a.pem"),
        ("a.pem", "a-key.pem", "empty.pem", "empty.pem"),
    ] {
        let error = load(certificate, key, ca);
        assert!(
            matches!(&error, IdentityError::Malformed { origin, .. } if origin.ends_with(file)),
            "{error}"
        );
    }
}

#[test]
fn what_cannot_be_named_or_lived_is_not_issued() {
    assert!(matches!(Authority::create("two.labels", Validity::days(1)), Err(IdentityError::Cluster(_))));
    let now = SystemTime::now();
    let backwards = Validity { not_before: now, not_after: now - Duration::from_secs(1) };
    assert!(matches!(Authority::create("shop", backwards), Err(IdentityError::Validity)));
}

#[test]
fn a_brief_identity_is_a_members_of_its_authoritys_cluster() {
    let authority = Authority::create("shop", Validity::days(1)).unwrap();
    let identity = Identity::brief(&authority, "a").unwrap();
    assert_eq!((identity.name().as_str(), identity.role(), identity.cluster()), ("a", Role::Member, "shop"));
    assert!(matches!(Identity::brief(&authority, "A b"), Err(IdentityError::Peer(name)) if name == "A b"));
}
