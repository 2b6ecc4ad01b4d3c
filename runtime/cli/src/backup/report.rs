//! What a backup is, for people and programs.

use std::path::Path;
use std::time::Duration;

use indicatif::HumanBytes;
use serde::Serialize;
use synod::storage::BackupHeader;

/// What is told of a backup.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    file: String,
    bytes: u64,
    #[serde(flatten)]
    header: Header,
}

/// A header as programs read it.
#[derive(Debug, Serialize)]
struct Header {
    cluster: String,
    service: String,
    node: String,
    members: Vec<String>,
    program: String,
    index: u64,
    term: u64,
    log_time_ns: u64,
}

impl Report {
    pub(super) fn new(file: &Path, header: BackupHeader, bytes: u64) -> Self {
        let BackupHeader { cluster, service, node, program, members, index, term, time, .. } = header;
        let header = Header {
            cluster,
            service,
            node,
            members,
            program,
            index: index.0,
            term: term.0,
            log_time_ns: time.0,
        };
        Self { file: file.display().to_string(), bytes, header }
    }

    pub(super) fn text(&self) -> String {
        let Self { file, bytes, header } = self;
        let Header { cluster, service, node, members, program, index, term, log_time_ns } = header;
        let time = Duration::from_nanos(*log_time_ns);
        format!(
            "{file}: whole, {}\n  {service} of {cluster} up to index {index} (term {term}, log time {time:.1?}), \
             given by {node}, written by synod {program}\n  members then: {}\n",
            HumanBytes(*bytes),
            members.join(", ")
        )
    }
}

/// A backup in few words, for sentences.
pub(crate) fn described(header: &BackupHeader) -> String {
    format!("{} of {} up to index {}", header.service, header.cluster, header.index)
}
