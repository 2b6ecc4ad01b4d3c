//! The rows of a file: the key is the first field, the value the whole row without its line feed.

use std::collections::BTreeMap;
use std::path::Path;

use clap::Args;

use crate::failure::Failure;

/// A file of rows.
#[derive(Args, Clone, Debug)]
pub(crate) struct RowFile {
    /// The file. Each line is a row; its first field is the key, the whole line the value.
    pub(crate) file: std::path::PathBuf,
    /// What ends the first field.
    #[arg(long, default_value_t = ';')]
    pub(crate) delimiter: char,
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// Its line in the file, from 1.
    pub(crate) line: usize,
    /// Its first field.
    pub(crate) key: String,
    /// The whole line.
    pub(crate) value: Vec<u8>,
}

impl RowFile {
    /// All rows, in the order of the file.
    ///
    /// # Errors
    /// The sentence names the file, the line and what is wrong with it.
    pub(crate) fn read(&self) -> Result<Vec<Row>, Failure> {
        let bytes = std::fs::read(&self.file).map_err(|error| Failure::at(&self.file, "read it", error))?;
        parse(&self.file, &bytes, self.delimiter)
    }
}

fn parse(file: &Path, bytes: &[u8], delimiter: char) -> Result<Vec<Row>, Failure> {
    let at = |line: usize, reason: String| Failure::new(format!("{}:{line}: {reason}", file.display()));
    let text = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    if text.is_empty() {
        return Err(Failure::new(format!("{}: there is no row in it", file.display())));
    }
    let mut rows = Vec::new();
    let mut lines: BTreeMap<String, usize> = BTreeMap::new();
    let mut mark = [0; 4];
    let mark = delimiter.encode_utf8(&mut mark).as_bytes();
    for (number, value) in (1..).zip(text.split(|&byte| byte == b'\n')) {
        let end = value.windows(mark.len()).position(|window| window == mark);
        let end = end.ok_or_else(|| at(number, format!("there is no {delimiter:?} after the key")))?;
        let key =
            std::str::from_utf8(&value[..end]).map_err(|_| at(number, "the key is not UTF-8".to_owned()))?;
        if key.is_empty() {
            return Err(at(number, format!("there is no key before {delimiter:?}")));
        }
        if let Some(earlier) = lines.insert(key.to_owned(), number) {
            return Err(at(number, format!("the key {key:?} stands in line {earlier} already")));
        }
        rows.push(Row { line: number, key: key.to_owned(), value: value.to_vec() });
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &[u8]) -> Result<Vec<Row>, String> {
        parse(Path::new("rows.txt"), text, ';').map_err(|failure| failure.to_string())
    }

    #[test]
    fn the_key_is_the_first_field_and_the_value_the_whole_row() {
        let read = rows(b"0041;LATIN A;Lu\n0042;\xFF\r\n").unwrap();
        assert_eq!(read[0], Row { line: 1, key: "0041".into(), value: b"0041;LATIN A;Lu".to_vec() });
        assert_eq!(read[1], Row { line: 2, key: "0042".into(), value: b"0042;\xFF\r".to_vec() });
        assert_eq!(read.len(), 2);
    }

    #[test]
    fn a_bad_row_is_named_by_file_and_line() {
        let cases: [(&[u8], &str); 5] = [
            (b"", "rows.txt: there is no row in it"),
            (b"a;1\nb\n", "rows.txt:2: there is no ';' after the key"),
            (b"a;1\n\nb;2\n", "rows.txt:2: there is no ';' after the key"),
            (b";1\n", "rows.txt:1: there is no key before ';'"),
            (b"a;1\nb;2\na;3", "rows.txt:3: the key \"a\" stands in line 1 already"),
        ];
        for (text, sentence) in cases {
            assert_eq!(rows(text), Err(sentence.to_owned()));
        }
        assert_eq!(rows(b"\xFF;1"), Err("rows.txt:1: the key is not UTF-8".to_owned()));
    }
}
