//! Imports, ranges and watches against real sockets.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Mutex;

use clap::Parser;
use tempfile::NamedTempFile;

use super::KvCommand;
use crate::output::Form;
use crate::scripted::{Asked, Deed, Scripted};

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    command: KvCommand,
}

fn run(arguments: &[&str]) -> Result<(), String> {
    let line = Line::try_parse_from([&["kv"], arguments].concat()).map_err(|error| error.to_string())?;
    line.command.run(Form::Programs).map_err(|failure| failure.to_string())
}

/// A map over HTTP that does every write it has not seen, and loses the answer of the first of each key.
fn forgetful() -> Scripted {
    let rows: Mutex<BTreeMap<String, Vec<u8>>> = Mutex::default();
    let seen: Mutex<BTreeMap<String, usize>> = Mutex::default();
    Scripted::start(move |asked: &Asked| {
        let path = asked.line.split(' ').nth(1).unwrap().split('?').next().unwrap().to_owned();
        let mut rows = rows.lock().unwrap();
        if asked.line.starts_with("GET") {
            return match rows.get(&path) {
                Some(value) => Deed::Answer(200, Vec::new(), value.clone()),
                None => Deed::Answer(404, Vec::new(), Vec::new()),
            };
        }
        let mut seen = seen.lock().unwrap();
        let times = seen.entry(asked.header("Idempotency-Key").unwrap().to_owned()).or_default();
        *times += 1;
        if *times == 1 {
            rows.insert(path, asked.body.clone());
            return Deed::Hang;
        }
        Deed::Answer(201, vec![("Synod-Index", "1".to_owned())], Vec::new())
    })
}

fn file(rows: &[u8]) -> (NamedTempFile, PathBuf) {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(rows).unwrap();
    let path = file.path().to_owned();
    (file, path)
}

fn puts(node: &Scripted) -> usize {
    node.asked().iter().filter(|asked| asked.line.starts_with("PUT")).count()
}

#[test]
fn an_import_survives_lost_answers_and_a_second_one_writes_nothing() {
    let node = forgetful();
    let (_file, path) =
        file(b"0041;LATIN CAPITAL LETTER A;Lu\n0042;LATIN CAPITAL LETTER B;Lu\nA B/c;\xFF;x\n");
    let path = path.to_str().unwrap();
    run(&["--addr", &node.address, "import", path]).unwrap();
    assert_eq!(puts(&node), 6);
    let value = node.asked().into_iter().rfind(|asked| asked.line.starts_with("PUT /kv/A%20B/c ")).unwrap();
    assert_eq!(value.body, b"A B/c;\xFF;x");
    run(&["import", path, "--addr", &node.address]).unwrap();
    assert_eq!(puts(&node), 6);
    run(&["--addr", &node.address, "verify", path]).unwrap();
}

#[test]
fn verify_fails_when_a_node_has_another_value() {
    let node = forgetful();
    let (_same, same) = file(b"a;1\nb;2\n");
    let (_other, other) = file(b"a;1\nb;3\n");
    run(&["--addr", &node.address, "import", same.to_str().unwrap()]).unwrap();
    let refusal =
        run(&["--addr", &node.address, "verify", other.to_str().unwrap(), "--settle", "0.01"]).unwrap_err();
    assert!(refusal.starts_with("1 rows differ"), "{refusal}");
}

#[test]
fn an_import_that_is_refused_fails() {
    let node = Scripted::start(|asked: &Asked| match asked.line.starts_with("GET") {
        true => Deed::Answer(404, Vec::new(), Vec::new()),
        false => Deed::Answer(413, Vec::new(), b"{\"error\":\"the body exceeds the limit\"}".to_vec()),
    });
    let (_file, path) = file(b"a;1\nb;2\n");
    let refusal = run(&["--addr", &node.address, "import", path.to_str().unwrap()]).unwrap_err();
    assert!(refusal.starts_with("2 of 2 rows") && refusal.ends_with("were not acknowledged"), "{refusal}");
}

#[test]
fn an_import_gives_up_when_no_node_serves_for_as_long_as_a_row_may_take() {
    let node = Scripted::start(|_: &Asked| Deed::Answer(503, Vec::new(), b"{}".to_vec()));
    let rows: String = (0..60).map(|row| format!("{row};x\n")).collect();
    let (_file, path) = file(rows.as_bytes());
    let path = path.to_str().unwrap();
    let refusal =
        run(&["--addr", &node.address, "--timeout", "0.05", "import", path, "--jobs", "1"]).unwrap_err();
    assert!(refusal.starts_with("60 of 60 rows"), "{refusal}");
    let asked = node.asked().len();
    assert!((1..60).contains(&asked), "{asked} requests for one row that was tried");
}

#[test]
fn a_range_reads_page_after_page_until_one_is_empty() {
    let node = Scripted::start(|asked: &Asked| {
        let body = match asked.line.as_str() {
            line if line.contains("after=b") => "[]",
            line if line.contains("after=a") => "[{\"key\":\"b\",\"value\":\"\",\"index\":2}]",
            _ => "[{\"key\":\"a\",\"value\":\"\",\"index\":1}]",
        };
        Deed::Answer(200, Vec::new(), body.as_bytes().to_vec())
    });
    run(&["--addr", &node.address, "range", "x/", "--limit", "5", "--consistency", "stale"]).unwrap();
    let lines: Vec<String> = node.asked().into_iter().map(|asked| asked.line).collect();
    assert_eq!(lines.len(), 3);
    assert!(lines[0].starts_with("GET /kv?prefix=x%2F&consistency=stale&limit=5 "), "{}", lines[0]);
    assert!(lines[2].contains("&limit=3&after=b "), "{}", lines[2]);
}

#[test]
fn a_watch_comes_back_where_it_was() {
    let node = Scripted::start(|asked: &Asked| {
        let index = if asked.header("Last-Event-ID").is_some() { 2 } else { 1 };
        let data = format!("{{\"type\":\"put\",\"key\":\"a\",\"value\":\"\",\"index\":{index}}}");
        Deed::Answer(200, Vec::new(), format!("id: {index}\ndata: {data}\n\n").into_bytes())
    });
    run(&["--addr", &node.address, "watch", "a", "--from", "1", "--count", "2"]).unwrap();
    let asked = node.asked();
    assert!(
        asked[0].line.starts_with("GET /kv?watch=a&from=1 ") && asked[0].header("Last-Event-ID").is_none()
    );
    assert!(asked[1].line.starts_with("GET /kv?watch=a ") && asked[1].header("Last-Event-ID") == Some("1"));
}

#[test]
fn bad_arguments_are_refused_by_name() {
    let cases: [(&[&str], &str); 5] = [
        (&["get", "a", "--addr", "nowhere"], "no address"),
        (&["put", "a", "b", "--expect", "c", "--expect-absent"], "--expect"),
        (&["import", "f", "--jobs", "0"], "--jobs"),
        (&["get", "a", "--timeout", "0"], "--timeout"),
        (&["import", "/nonexistent/file"], "/nonexistent/file"),
    ];
    for (arguments, word) in cases {
        let refusal = run(arguments).unwrap_err();
        assert!(refusal.contains(word), "{arguments:?}: {refusal}");
    }
}
