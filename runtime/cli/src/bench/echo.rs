//! The process that answers in the benchmark of messages. It ends with the one that started it.

use std::path::{Path, PathBuf};

use clap::Args;
use synod::prelude::*;
use synod::transport::AUTHORITY_FILE;

use crate::bench::messages::{CLUSTER, Drain, ECHO, SPREAD};
use crate::bench::topic;
use crate::ends::{Ends, Input};
use crate::failure::Failure;
use crate::output::print;

/// Answers `synod bench messaging`, which starts it.
#[derive(Args, Debug)]
pub(crate) struct EchoCommand {
    /// Where the credential is.
    #[arg(long)]
    dir: PathBuf,
}

impl EchoCommand {
    /// Prints the address and answers until standard input ends.
    ///
    /// # Errors
    /// When the node does not start.
    pub(crate) fn run(self) -> Result<(), Failure> {
        let identity = identity(&self.dir, ECHO)?;
        actix_rt::System::new().block_on(async {
            let mut ends = Ends::listen(Input::Held)
                .map_err(|error| Failure::new(format!("cannot catch signals: {error}")))?;
            let node = Node::builder(CLUSTER, ECHO).tls(identity).start().await.map_err(failure)?;
            node.spawn("sink", Drain::default).await.map_err(failure)?;
            for number in 0..SPREAD {
                node.spawn(spread_name(number), Drain::default).await.map_err(failure)?;
            }
            topic::subscribe(&node).await?;
            print(format!("{}\n", node.system().transport().local_address()))?;
            ends.next().await;
            node.system().shutdown(std::time::Duration::from_secs(1)).await;
            Ok(())
        })
    }
}

/// The name of one of the actors over which messages are spread.
pub(crate) fn spread_name(number: usize) -> String {
    format!("sink-{number}")
}

/// An identity of the benchmark.
///
/// # Errors
/// Names the file that cannot be read.
pub(crate) fn identity(directory: &Path, name: &str) -> Result<Identity, Failure> {
    let file = |name: String| directory.join(name);
    let (certificate, key) = (file(format!("{name}.pem")), file(format!("{name}-key.pem")));
    Ok(Identity::load(&certificate, &key, &file(AUTHORITY_FILE.to_owned()))?)
}

/// Any error as the sentence it says.
pub(crate) fn failure(error: impl std::fmt::Display) -> Failure {
    Failure::new(error.to_string())
}
