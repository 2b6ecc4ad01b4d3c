//! A file system in memory that can be made as small as what it holds, under the data of one node.
//!
//! It is mounted in a mount namespace of this process's own, so that it ends with the processes in it, however they end. For that
//! the command starts itself again below `unshare`, once.

use std::fmt;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// More than a run writes.
const ROOMY: u64 = 1 << 30;

/// The ways to a mount namespace: as root, and as anybody.
const WAYS: [&[&str]; 2] = [&["--mount"], &["--user", "--map-root-user", "--mount"]];

/// A mounted file system. Dropping it takes it away.
pub(super) struct SmallDisk {
    directory: PathBuf,
}

/// Starts this program again in a mount namespace, in this process's place; comes back only when that is impossible, with the reason.
pub(super) fn enter_namespace(arguments: &[String]) -> String {
    let binary = match std::env::current_exe() {
        Ok(binary) => binary,
        Err(error) => return format!("cannot find the path of this program: {error}"),
    };
    let mut reason = String::new();
    for way in WAYS {
        let mut probe = Command::new("unshare");
        probe.args(way).args(["--", "mount", "-t", "tmpfs", "-o", "size=1m", "synod-chaos", "/tmp"]);
        match said(probe) {
            Ok(()) => {
                let mut again = Command::new("unshare");
                again.args(way).arg("--").arg(&binary).args(arguments);
                return format!("cannot start again in a mount namespace: {}", again.exec());
            }
            Err(why) => reason = why,
        }
    }
    format!("no file system can be mounted here: {reason}")
}

impl SmallDisk {
    /// Mounts a file system at a directory, which is made.
    ///
    /// # Errors
    /// What the operating system said.
    pub(super) fn mount(directory: &Path) -> Result<Self, String> {
        fs::create_dir_all(directory).map_err(|error| error.to_string())?;
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={ROOMY},mode=700"), "synod-chaos"]).arg(directory);
        said(mount)?;
        Ok(Self { directory: directory.to_owned() })
    }

    /// Leaves no room beyond what is in use; what a log that is not open has reserved is given up first.
    ///
    /// # Errors
    /// What the operating system said.
    pub(super) fn fill(&self) -> Result<(), String> {
        let listed = fs::read_dir(self.directory.join("log")).map_err(|error| error.to_string())?;
        for entry in listed {
            let path = entry.map_err(|error| error.to_string())?.path();
            if path.extension().is_some_and(|extension| extension == "spare") {
                fs::remove_file(path).map_err(|error| error.to_string())?;
            }
        }
        let state = rustix::fs::statvfs(&self.directory).map_err(|error| error.to_string())?;
        self.resize((state.f_blocks - state.f_bfree) * state.f_frsize)
    }

    /// Leaves plenty of room.
    ///
    /// # Errors
    /// What the operating system said.
    pub(super) fn empty(&self) -> Result<(), String> {
        self.resize(ROOMY)
    }

    fn resize(&self, bytes: u64) -> Result<(), String> {
        let mut mount = Command::new("mount");
        mount.args(["-o", &format!("remount,size={bytes}")]).arg(&self.directory);
        said(mount)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let mut unmount = Command::new("umount");
        unmount.arg("--lazy").arg(&self.directory);
        if let Err(reason) = said(unmount) {
            eprintln!("synod: {}: cannot take the file system away: {reason}", self.directory.display());
        }
    }
}

impl fmt::Debug for SmallDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.directory.fmt(f)
    }
}

/// Runs a command to its end; the last line it complained with when it fails.
fn said(mut command: Command) -> Result<(), String> {
    let name = command.get_program().display().to_string();
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{name}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    let last = complaint.lines().rev().find(|line| !line.trim().is_empty());
    Err(last.map_or_else(|| format!("{name}: {}", output.status), |line| line.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_fails_is_quoted() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo first >&2; echo last >&2; exit 3"]);
        assert_eq!(said(command), Err("last".to_owned()));
        assert!(said(Command::new("/no/such/program")).unwrap_err().contains("/no/such/program"));
    }
}
