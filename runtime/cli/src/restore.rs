//! `synod restore`: the directories of a new cluster, made of a backup.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::{ProgressBar, ProgressBarIter};
use synod::node::{KV, NodeConfig};
use synod::storage::{BackupHeader, BackupReader};

use crate::backup::{bar, described, reading};
use crate::failure::Failure;
use crate::output::{Form, print, print_json};

/// Makes the directories of a cluster's nodes of a backup, so that the cluster starts with its state.
///
/// The nodes must not run, and their directories must be absent or empty. Give the node files of all members; start the nodes when the
/// command has ended. Sessions and leases are part of the state: a retry of a request that the backup contains takes no effect again.
#[derive(Args, Debug)]
pub(crate) struct RestoreCommand {
    /// The backup.
    file: PathBuf,
    /// The configuration of a node, in TOML; once for each member of the cluster.
    #[arg(long, value_name = "FILE", required = true)]
    config: Vec<PathBuf>,
    /// Make the directories of these nodes only: the others get theirs, from the same backup, on their own machines. No node may start
    /// before all have them.
    #[arg(long)]
    partly: bool,
}

impl RestoreCommand {
    /// Does it.
    ///
    /// # Errors
    /// One sentence on what is wrong with the backup, a node file or a directory; every directory is as it was then, or whole.
    pub(crate) fn run(self, form: Form) -> Result<(), Failure> {
        let nodes = self.nodes()?;
        let header = verified(&self.file)?;
        if header.service != KV {
            let file = self.file.display();
            return Err(Failure::new(format!(
                "{file}: it holds the service {:?}, and nodes of the command line serve {KV:?} only",
                header.service
            )));
        }
        let runtime = actix_rt::System::new();
        let mut restored = Vec::new();
        for node in &nodes {
            let Opened { backup, bar } = Opened::new(&self.file, "restoring")?;
            let made = runtime.block_on(node.restore(backup));
            bar.finish_and_clear();
            restored.push(made.map_err(|fault| Failure::new(fault.to_string()))?);
        }
        for directory in restored {
            directory.keep().map_err(|fault| Failure::new(fault.to_string()))?;
        }
        tell(form, &header, &nodes)
    }

    /// The nodes, which are members of one cluster.
    fn nodes(&self) -> Result<Vec<NodeConfig>, Failure> {
        let mut nodes: Vec<NodeConfig> = Vec::new();
        let mut told: BTreeMap<String, &Path> = BTreeMap::new();
        for path in &self.config {
            let wrong = |what: String| Failure::new(format!("{}: {what}", path.display()));
            let node = NodeConfig::from_file(path, &[]).map_err(|error| Failure::new(error.to_string()))?;
            if let Some(before) = told.insert(node.node.to_string(), path) {
                return Err(wrong(format!("{} is the node {}, too", before.display(), node.node)));
            }
            if let Some(first) = nodes.first() {
                if first.cluster != node.cluster {
                    return Err(wrong(format!("its cluster is {:?}, not {:?}", node.cluster, first.cluster)));
                }
                if members(first) != members(&node) {
                    let (first, own) = (members(first).join(", "), members(&node).join(", "));
                    return Err(wrong(format!("its members are {own}, and those of the first node {first}")));
                }
            }
            nodes.push(node);
        }
        let here: BTreeSet<String> = told.into_keys().collect();
        let first = nodes.first().ok_or_else(|| Failure::new("--config: no node is given"))?;
        let missing: Vec<String> = members(first).into_iter().filter(|name| !here.contains(name)).collect();
        if missing.is_empty() || self.partly {
            return Ok(nodes);
        }
        Err(Failure::new(format!(
            "--config: the members {} are missing; give their files too, or --partly if they are restored on other machines",
            missing.join(", ")
        )))
    }
}

fn members(node: &NodeConfig) -> Vec<String> {
    let names: BTreeSet<String> = node.peers.keys().chain([&node.node]).map(ToString::to_string).collect();
    names.into_iter().collect()
}

fn verified(file: &Path) -> Result<BackupHeader, Failure> {
    let Opened { backup, bar } = Opened::new(file, "verifying")?;
    let header = backup.verify();
    bar.finish_and_clear();
    header.map_err(|fault| Failure::new(fault.to_string()))
}

/// A backup that is being read, and the bar that shows how far it is.
struct Opened {
    backup: BackupReader<ProgressBarIter<BufReader<File>>>,
    bar: ProgressBar,
}

impl Opened {
    fn new(file: &Path, verb: &'static str) -> Result<Self, Failure> {
        let unread = |error| Failure::at(file, "read it", error);
        let opened = File::open(file).map_err(unread)?;
        let bar = bar(Some(opened.metadata().map_err(unread)?.len()), verb);
        let backup = BackupReader::open(reading(BufReader::new(opened), &bar), file);
        Ok(Self { backup: backup.map_err(|fault| Failure::new(fault.to_string()))?, bar })
    }
}

fn tell(form: Form, header: &BackupHeader, nodes: &[NodeConfig]) -> Result<(), Failure> {
    let name = |node: &NodeConfig| node.node.to_string();
    let names: Vec<String> = nodes.iter().map(name).collect();
    match form {
        Form::People => {
            let mut text = format!("{} is restored:\n", described(header));
            for node in nodes {
                text.push_str(&format!("  {}  {}\n", node.node, node.directory.display()));
            }
            print(text)
        }
        Form::Programs => print_json(&serde_json::json!({
            "service": header.service, "index": header.index.0, "from": header.cluster, "nodes": names,
        })),
    }
}
