//! A tree of files: what stands in the workspace, or what a proof made up.

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

/// Folders that hold what was built or what git keeps for itself. In a linked worktree `.git` is a file.
const NOT_OURS: [&str; 2] = [".git", "target"];

/// Paths relative to the root, with `/` between their parts, and the text of each file; a binary file has no text.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub(crate) files: BTreeMap<String, String>,
}

impl Tree {
    /// Everything below `root` but what was built.
    pub(crate) fn read(root: &Path) -> io::Result<Tree> {
        let mut tree = Tree::default();
        tree.descend(root, "")?;
        Ok(tree)
    }

    /// A tree made up for a proof.
    pub(crate) fn of(files: &[(&str, &str)]) -> Tree {
        Tree { files: files.iter().map(|(path, text)| (path.to_string(), text.to_string())).collect() }
    }

    fn descend(&mut self, folder: &Path, prefix: &str) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if NOT_OURS.contains(&name.as_str()) {
                continue;
            }
            let path = format!("{prefix}{name}");
            let kind = entry.file_type()?;
            if kind.is_dir() {
                self.descend(&entry.path(), &format!("{path}/"))?;
            } else if kind.is_file() {
                let text = String::from_utf8(fs::read(entry.path())?).unwrap_or_default();
                self.files.insert(path, text);
            }
        }
        Ok(())
    }
}
