//! Who is measured, and the other half of those who need one.

use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::line::Failure;
use crate::{actix_local, erlang, kameo_remote, quinn_limit, ractor_remote};

/// Measures one peer of synod's messages.
#[derive(Debug, Parser)]
#[command(name = "versus-peers")]
pub(crate) struct PeersCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Measures, and prints a line of JSON for each figure.
    Measure(Measure),
    /// Answers; started by the half that measures, and ended with it.
    #[command(hide = true)]
    Answer { peer: Peer },
}

#[derive(Args, Debug)]
struct Measure {
    peer: Peer,
    /// How long each figure takes.
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 1_000)]
    milliseconds: u64,
}

/// Who.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Peer {
    /// kameo's remote actors, over libp2p and QUIC.
    Kameo,
    /// ractor_cluster, over TCP without TLS, as it comes.
    Ractor,
    /// Erlang's distribution, over TCP without TLS, as it comes.
    Erlang,
    /// No actors at all: bytes on streams of quinn.
    Quinn,
    /// actix by itself, within one process.
    Actix,
}

impl PeersCommand {
    /// Does it.
    ///
    /// # Errors
    /// When a peer is missing, does not start, or fails.
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self.what {
            What::Measure(Measure { peer, milliseconds }) => {
                let each = Duration::from_millis(milliseconds);
                match peer {
                    Peer::Kameo => kameo_remote::measure(each),
                    Peer::Ractor => ractor_remote::measure(each),
                    Peer::Erlang => erlang::measure(each),
                    Peer::Quinn => quinn_limit::measure(each),
                    Peer::Actix => actix_local::measure(each),
                }
            }
            What::Answer { peer } => match peer {
                Peer::Kameo => kameo_remote::answer(),
                Peer::Ractor => ractor_remote::answer(),
                Peer::Quinn => quinn_limit::answer(),
                Peer::Erlang | Peer::Actix => Err("this one has no other half here".into()),
            },
        }
    }
}

impl Peer {
    /// As on the command line.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}
