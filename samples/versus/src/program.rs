//! The programs that measure apart from this one: built when they are needed.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The program `synod`: the one that was named, or that of this repository, built.
///
/// # Errors
/// When it cannot be built.
pub(crate) fn synod(named: Option<&Path>) -> Result<PathBuf, Box<dyn Error>> {
    match named {
        Some(program) => Ok(program.to_owned()),
        None => built("synod-cli", &Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."), "synod"),
    }
}

/// The program that measures the peers, built.
///
/// # Errors
/// When it cannot be built.
pub(crate) fn peers() -> Result<PathBuf, Box<dyn Error>> {
    built("versus-peers", Path::new(env!("CARGO_MANIFEST_DIR")), "versus-peers")
}

fn built(package: &str, root: &Path, program: &str) -> Result<PathBuf, Box<dyn Error>> {
    eprintln!("building {program}");
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--release", "--quiet", "--package", package, "--manifest-path"])
        .arg(root.join("Cargo.toml"))
        .status()?;
    if !status.success() {
        return Err(format!("{program} does not build").into());
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    Ok(target.join("release").join(program))
}
