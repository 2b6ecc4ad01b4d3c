//! `synod scenario` as its users run it: scripts that hold, scripts that do not, and scripts that are none.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const GOOD: &str = "start 1\n----\nn1 campaigns for term 1\nn1 leads term 1\nn1 commits 1\n";

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn script(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).expect("a script is written");
        path
    }
}

fn synod(arguments: &[&str], files: &[&Path]) -> (Output, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_synod"));
    let output = command.arg("scenario").args(arguments).args(files).output().expect("synod runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    (output, out, err)
}

#[test]
fn a_script_with_another_output_is_shown_and_can_be_rewritten() {
    let folder = Folder::new();
    let good = folder.script("good.txt", GOOD);
    let (output, out, err) = synod(&[], &[&good]);
    assert_eq!(output.status.code(), Some(0), "{out}{err}");
    let wrong = folder.script("wrong.txt", &GOOD.replace("n1 leads term 1", "n1 leads term 2"));
    let (output, out, err) = synod(&[], &[&good, &wrong]);
    assert_eq!(output.status.code(), Some(1), "{out}{err}");
    assert!(out.contains("wrong.txt:2: another output"), "{out}");
    assert!(out.contains("- n1 leads term 2\n+ n1 leads term 1\n"), "{out}");
    let (output, out, _) = synod(&["--update"], &[&wrong]);
    assert_eq!(output.status.code(), Some(0), "{out}");
    assert_eq!(std::fs::read_to_string(&wrong).expect("the script"), GOOD);
}

#[test]
fn a_script_that_is_none_is_refused_with_file_line_and_reason() {
    let folder = Folder::new();
    for (text, line, reason) in [
        ("start 3\n----\n\njump 1\n----\n", 4, "\"jump\" is no command"),
        ("start 3\n\nsettle\n", 1, "not followed by a line ----"),
        ("start 3\n----\n\npropose 9 a\n----\n", 4, "there is no node 9"),
        ("settle now\n----\n", 1, "\"now\" is not understood here"),
        ("start 3 election_timeout=1ms\n----\n", 1, "must be at least twice"),
    ] {
        let script = folder.script("bad.txt", text);
        let (output, _, err) = synod(&["--update"], &[&script]);
        assert_eq!(output.status.code(), Some(64), "{text}{err}");
        assert!(err.contains(&format!("bad.txt:{line}: ")) && err.contains(reason), "{err}");
        assert_eq!(std::fs::read_to_string(&script).expect("the script"), text, "untouched");
    }
    let (output, _, err) = synod(&[], &[&folder.0.path().join("none.txt")]);
    assert_eq!(output.status.code(), Some(74), "{err}");
}
