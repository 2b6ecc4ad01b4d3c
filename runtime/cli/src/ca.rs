//! `synod ca`: a cluster's certificate authority, on files.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, Subcommand};
use serde::Serialize;
use synod::transport::{
    AUTHORITY_FILE, AUTHORITY_KEY_FILE, Authority, Certificate, IdentityError, PeerName, Role, Validity,
};

use crate::failure::Failure;
use crate::output::{Form, print, print_json};
use crate::table::{Align, Table};

/// Makes a cluster's certificate authority, issues certificates, reads them.
#[derive(Args, Debug)]
pub(crate) struct CaCommand {
    #[command(subcommand)]
    deed: Deed,
}

#[derive(Subcommand, Debug)]
enum Deed {
    /// Makes an authority: ca.pem, which every node gets, and ca-key.pem, which stays here.
    Init {
        /// Where to write the two files. Nothing is overwritten.
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
        /// The cluster's name: 1 to 63 of a-z, 0-9 and inner hyphens.
        #[arg(long, value_name = "NAME")]
        cluster: String,
        /// For how many days.
        #[arg(long, default_value_t = 3650, value_parser = clap::value_parser!(u32).range(1..=36500))]
        days: u32,
    },
    /// Issues a certificate with a key of its own: NAME.pem and NAME-key.pem beside the authority's.
    Issue {
        /// Where the authority is.
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
        /// The node's or client's name: 1 to 63 of a-z, 0-9 and inner hyphens.
        #[arg(long, value_name = "NODE")]
        name: String,
        /// For an identity that calls the cluster and is no member.
        #[arg(long)]
        client: bool,
        /// For how many days.
        #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=36500))]
        days: u32,
        /// Where to write the files, if not beside the authority's.
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Writes the certificates of several authorities of one cluster to one file, for the time in which both are trusted.
    Bundle {
        /// The authorities' certificates.
        #[arg(required = true, value_name = "FILE")]
        authorities: Vec<PathBuf>,
        /// Where to write. Nothing is overwritten.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Prints what the certificates in a PEM file say.
    Inspect {
        /// The file.
        file: PathBuf,
    },
}

/// A certificate as programs see it.
#[derive(Debug, Serialize)]
struct Contents {
    name: String,
    role: &'static str,
    cluster: String,
    issuer: String,
    not_before: u64,
    not_after: u64,
    expired: bool,
    serial: String,
    sha256: String,
}

impl CaCommand {
    /// Does it.
    ///
    /// # Errors
    /// The sentence names the file and the reason.
    pub(crate) fn run(self, form: Form) -> Result<(), Failure> {
        match self.deed {
            Deed::Init { dir, cluster, days } => {
                Authority::create(&cluster, Validity::days(days))
                    .and_then(|authority| authority.save(&dir))?;
                written(&[dir.join(AUTHORITY_FILE), dir.join(AUTHORITY_KEY_FILE)], form)
            }
            Deed::Issue { dir, name, client, days, out } => {
                let peer = PeerName::new(&name).ok_or_else(|| {
                    Failure::new(format!(
                        "--name: {name:?} is no name: 1 to 63 of a-z, 0-9 and inner hyphens"
                    ))
                })?;
                let role = if client { Role::Client } else { Role::Member };
                let out = out.unwrap_or_else(|| dir.clone());
                Authority::load(&dir)?.issue(&peer, role, Validity::days(days))?.save(&out)?;
                written(&[out.join(format!("{name}.pem")), out.join(format!("{name}-key.pem"))], form)
            }
            Deed::Bundle { authorities, out } => {
                bundle(&authorities, &out)?;
                written(&[out], form)
            }
            Deed::Inspect { file } => {
                let pem = read(&file)?;
                let now = unix_seconds(SystemTime::now());
                let found = Certificate::inspect(&pem, &file.display().to_string())?;
                let contents: Vec<Contents> =
                    found.into_iter().map(|found| Contents::of(found, now)).collect();
                match form {
                    Form::People => print(contents.iter().map(Contents::text).collect::<Vec<_>>().join("\n")),
                    Form::Programs => print_json(&contents),
                }
            }
        }
    }
}

impl Contents {
    fn of(certificate: Certificate, now: u64) -> Self {
        let (name, role, cluster) = match (certificate.subject, certificate.authority_of) {
            (Some(subject), _) => {
                let role = match subject.role {
                    Role::Member => "member",
                    Role::Client => "client",
                };
                (subject.name.to_string(), role, subject.cluster)
            }
            (None, Some(cluster)) => (cluster.clone(), "authority", cluster),
            (None, None) => (certificate.dns_names.join(", "), "none of a synod cluster", String::new()),
        };
        let not_after = unix_seconds(certificate.not_after);
        Self {
            name,
            role,
            cluster,
            issuer: certificate.issuer,
            not_before: unix_seconds(certificate.not_before),
            not_after,
            expired: not_after < now,
            serial: certificate.serial,
            sha256: certificate.fingerprint,
        }
    }

    fn text(&self) -> String {
        let mut table = Table::new(&[("certificate", Align::Left), ("", Align::Left)]);
        let until = if self.expired { "expired" } else { "valid until" };
        for (name, value) in [
            ("name", self.name.clone()),
            ("role", self.role.to_owned()),
            ("cluster", self.cluster.clone()),
            ("issuer", self.issuer.clone()),
            ("valid from", date(self.not_before)),
            (until, date(self.not_after)),
            ("serial", self.serial.clone()),
            ("sha256", self.sha256.clone()),
        ] {
            table.row(vec![name.to_owned(), value]);
        }
        table.render()
    }
}

impl From<IdentityError> for Failure {
    fn from(error: IdentityError) -> Self {
        Self::new(error.to_string())
    }
}

/// Writes the certificates of authorities of one cluster to a file that was not there.
fn bundle(authorities: &[PathBuf], out: &Path) -> Result<(), Failure> {
    let (mut text, mut cluster) = (String::new(), None);
    for file in authorities {
        let pem = read(file)?;
        for certificate in Certificate::inspect(&pem, &file.display().to_string())? {
            let of = certificate.authority_of.ok_or_else(|| {
                Failure::new(format!("{} holds a certificate that is no authority's", file.display()))
            })?;
            let first = cluster.get_or_insert_with(|| of.clone());
            if *first != of {
                return Err(Failure::new(format!(
                    "{} is of the cluster {of:?}, the one before of {first:?}",
                    file.display()
                )));
            }
        }
        text.push_str(pem.trim_end());
        text.push('\n');
    }
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(out)
        .map_err(|error| Failure::at(out, "make it", error))?;
    file.write_all(text.as_bytes()).map_err(|error| Failure::at(out, "write it", error))
}

fn read(file: &Path) -> Result<String, Failure> {
    fs::read_to_string(file).map_err(|error| Failure::at(file, "read it", error))
}

fn written(files: &[PathBuf], form: Form) -> Result<(), Failure> {
    match form {
        Form::People => {
            print(files.iter().map(|file| format!("wrote {}\n", file.display())).collect::<String>())
        }
        Form::Programs => print_json(&serde_json::json!({ "written": files })),
    }
}

fn unix_seconds(instant: SystemTime) -> u64 {
    instant.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// The day and minute in UTC, by the civil calendar (Hinnant, "chrono-compatible low-level date algorithms", `civil_from_days`).
fn date(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02} UTC", second / 3600, second % 3600 / 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00 UTC"),
            (951_782_400, "2000-02-29 00:00 UTC"),
            (1_709_251_199, "2024-02-29 23:59 UTC"),
            (4_107_542_400, "2100-03-01 00:00 UTC"),
        ] {
            assert_eq!(date(seconds), text);
        }
    }

    #[test]
    fn an_authority_issues_what_inspect_reads() {
        let authority = Authority::create("shop", Validity::days(10)).unwrap();
        let name = PeerName::new("till-1").unwrap();
        let credential = authority.issue(&name, Role::Client, Validity::days(1)).unwrap();
        let found = Certificate::inspect(&credential.certificate_pem, "test").unwrap().remove(0);
        let expiry = unix_seconds(found.not_after);
        let contents = Contents::of(found.clone(), expiry);
        assert_eq!(
            (contents.name.as_str(), contents.role, contents.cluster.as_str()),
            ("till-1", "client", "shop")
        );
        assert!(!contents.expired && contents.text().contains("valid until"));
        assert!(Contents::of(found, expiry + 1).text().contains("expired"));
    }

    #[test]
    fn a_bundle_holds_authorities_of_one_cluster_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str| directory.path().join(name);
        for (sub, cluster) in [("old", "shop"), ("new", "shop"), ("other", "bank")] {
            Authority::create(cluster, Validity::days(1)).unwrap().save(&file(sub)).unwrap();
        }
        let name = PeerName::new("a").unwrap();
        let authority = Authority::load(&file("old")).unwrap();
        authority.issue(&name, Role::Member, Validity::days(1)).unwrap().save(&file("old")).unwrap();
        let out = file("both.pem");
        bundle(&[file("old/ca.pem"), file("new/ca.pem")], &out).unwrap();
        let found = Certificate::inspect(&read(&out).unwrap(), "test").unwrap();
        assert_eq!(found.iter().filter(|found| found.authority_of.as_deref() == Some("shop")).count(), 2);
        for (files, words) in [
            (["old/ca.pem", "other/ca.pem"], "bank"),
            (["old/ca.pem", "old/a.pem"], "no authority"),
            (["old/ca.pem", "new/ca.pem"], "both.pem"),
        ] {
            let refusal = bundle(&files.map(file), &out).unwrap_err().to_string();
            assert!(refusal.contains(words), "{refusal}");
        }
    }

    #[test]
    fn nothing_is_overwritten_and_the_file_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let init = || CaCommand {
            deed: Deed::Init { dir: directory.path().to_owned(), cluster: "shop".into(), days: 1 },
        };
        init().run(Form::Programs).unwrap();
        let refusal = init().run(Form::Programs).unwrap_err().to_string();
        assert!(refusal.contains("ca-key.pem") && refusal.contains("exists"), "{refusal}");
    }
}
