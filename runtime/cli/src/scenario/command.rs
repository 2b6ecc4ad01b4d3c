//! Files in, a verdict out; the language itself lives in the protocols.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value as Json, json};
use synod::protocols::raft::Raft;
use synod::protocols::sim::scenario::{Played, play};

use crate::failure::Failure;
use crate::output::{Form, print, print_json};

/// The exit code for a script that cannot be understood (`EX_USAGE`).
const USAGE: u8 = 64;
/// The exit code for a file that cannot be read or written (`EX_IOERR`).
const FILES: u8 = 74;

/// Plays scenario scripts: commands to a group of machines, and the whole output expected of each.
///
/// The language is described in runtime/docs/scenarios.md. Exits with 0 when every output is the expected one and no rule of the
/// protocol was broken, with 1 when one is not, with 64 for a script that cannot be understood, with 74 for a file that cannot be
/// read or written.
#[derive(Args, Debug)]
pub(crate) struct ScenarioCommand {
    /// Scripts of Raft, as in protocols/tests/scenarios/raft.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Write the output that came into the scripts, in the place of the expected one.
    #[arg(long)]
    update: bool,
}

impl ScenarioCommand {
    /// Does it.
    ///
    /// # Errors
    /// When an output is not the expected one, when a rule was broken, when a script or a file is no good; the codes differ.
    pub(crate) fn run(self, form: Form) -> Result<(), Failure> {
        let mut bad = 0;
        for file in &self.files {
            let text = std::fs::read_to_string(file)
                .map_err(|error| Failure::at(file, "read it", error).with_code(FILES))?;
            let played = play::<Raft>(&text).map_err(|fault| {
                let sentence = format!("{}:{}: {}", file.display(), fault.line, fault.reason);
                Failure::new(sentence).with_code(USAGE)
            })?;
            let rewritten = self.update && played.text != text;
            if rewritten {
                std::fs::write(file, &played.text)
                    .map_err(|error| Failure::at(file, "write it", error).with_code(FILES))?;
            }
            let good = played.broken.is_none() && (self.update || played.differences.is_empty());
            bad += usize::from(!good);
            match form {
                Form::People => print(text_of(file, &played, self.update))?,
                Form::Programs => print_json(&json_of(file, &played, good, rewritten))?,
            }
        }
        match (bad, self.files.len()) {
            (0, _) => Ok(()),
            (1, 1) => Err(Failure::new(format!("{}: not as expected", self.files[0].display()))),
            (bad, all) => Err(Failure::new(format!("{bad} of {all} scenarios: not as expected"))),
        }
    }
}

fn text_of(file: &Path, played: &Played, update: bool) -> String {
    let (name, blocks, differences) = (file.display(), played.blocks, played.differences.len());
    let mut text = String::new();
    if let Some((line, violation)) = &played.broken {
        text += &format!("{name}:{line}: {violation}\n");
    }
    if differences == 0 {
        return text + &format!("{name}: {blocks} blocks, as expected\n");
    }
    if update {
        return text + &format!("{name}: {differences} of {blocks} blocks rewritten\n");
    }
    for difference in &played.differences {
        text += &format!("{name}:{}: another output than expected\n{difference}", difference.line);
    }
    text + &format!("{name}: {differences} of {blocks} blocks differ (- expected, + came)\n")
}

fn json_of(file: &Path, played: &Played, good: bool, rewritten: bool) -> Json {
    let differences: Vec<Json> = played
        .differences
        .iter()
        .map(|it| json!({"line": it.line, "commands": it.commands, "expected": it.expected, "found": it.found}))
        .collect();
    let broken = played
        .broken
        .as_ref()
        .map(|(line, violation)| json!({"line": line, "invariant": violation.invariant, "details": violation.details}));
    json!({
        "file": file.display().to_string(),
        "good": good,
        "blocks": played.blocks,
        "differences": differences,
        "broken": broken,
        "rewritten": rewritten,
    })
}
