//! HTTPS with a certificate from files, and files that are none.

use std::fs;
use std::path::Path;
use std::time::Duration;

use actix_web::web::block;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use super::memory::Memory;
use crate::config::{Config, Credential};
use crate::server::{Gateway, GatewayError};

fn credential(directory: &Path) -> (Credential, String) {
    let issued = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let files = Credential { certificate: directory.join("http.pem"), key: directory.join("http-key.pem") };
    fs::write(&files.certificate, issued.cert.pem()).unwrap();
    fs::write(&files.key, issued.signing_key.serialize_pem()).unwrap();
    (files, issued.cert.pem())
}

async fn start(credential: Credential) -> Result<Gateway, GatewayError> {
    Gateway::start(Config { credential: Some(credential), ..Config::loopback(0) }, Memory::new()).await
}

#[expect(clippy::disallowed_methods, reason = "the client waits on a thread of its own, as clients do")]
#[actix_web::test]
async fn https_is_served_to_those_who_trust_the_certificate_and_to_nobody_in_clear_text() {
    let directory = tempfile::tempdir().unwrap();
    let (files, pem) = credential(directory.path());
    let gateway = start(files).await.unwrap();
    let port = gateway.address().port();
    let ask = move |scheme: &str, trusted: &[u8]| {
        let roots = RootCerts::new_with_certs(&[Certificate::from_pem(trusted).unwrap()]);
        let config = ureq::Agent::config_builder()
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .timeout_global(Some(Duration::from_secs(20)))
            .proxy(None);
        config.build().new_agent().get(format!("{scheme}://localhost:{port}/healthz")).call()
    };
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap().cert.pem();
    let answers = block(move || {
        [ask("https", pem.as_bytes()), ask("https", other.as_bytes()), ask("http", pem.as_bytes())]
            .map(|answer| answer.is_ok())
    });
    assert_eq!(answers.await.unwrap(), [true, false, false]);
    gateway.stop().await;
}

#[actix_web::test]
async fn a_file_that_is_no_credential_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let (files, _) = credential(directory.path());
    fs::write(directory.path().join("text"), "no certificate").unwrap();
    let cases = [
        Credential { certificate: directory.path().join("text"), ..files.clone() },
        Credential { key: directory.path().join("text"), ..files.clone() },
        Credential { certificate: directory.path().join("absent"), ..files },
    ];
    for (case, name) in cases.into_iter().zip(["text", "text", "absent"]) {
        let refusal = start(case).await.err().expect("it is no credential").to_string();
        assert!(refusal.contains(name), "{refusal}");
    }
}
