//! Each mutant, a copy of the tree without one safety rule, is noticed by the simulation.
//!
//! Builds the crate once per mutant, so it runs only when asked: `cargo test -p synod-protocols --test mutants -- --ignored`.

use std::path::Path;
use std::process::Command;

#[test]
#[ignore = "builds the crate a dozen times"]
fn every_mutant_is_noticed() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mutants/run.sh");
    let output = Command::new("sh").arg(script).output().expect("a shell and cargo are installed");
    let told = String::from_utf8_lossy(&output.stdout);
    println!("{told}");
    assert!(output.status.success(), "a mutant survived:\n{told}{}", String::from_utf8_lossy(&output.stderr));
}
