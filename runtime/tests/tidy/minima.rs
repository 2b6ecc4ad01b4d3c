//! No package in `Cargo.lock` is below the minimum that `runtime/docs/security.md` names for it.

use toml::{Table, Value};

use crate::house::Breach;
use crate::tree::Tree;

const MINIMA: &str = "runtime/docs/security.md";
const LOCK: &str = "Cargo.lock";

/// The first line of the table of minima.
const HEAD: &str = "| package | minimum |";

/// Compares the table with the lock file. A tree without a lock file has nothing to compare.
pub(crate) fn judge(tree: &Tree, found: &mut Vec<Breach>) {
    let Some(lock) = tree.files.get(LOCK) else { return };
    let page = tree.files.get(MINIMA).map_or("", String::as_str);
    let rows: Vec<(usize, &str)> = (1..).zip(page.lines()).collect();
    let Some(head) = rows.iter().position(|(_, row)| row.starts_with(HEAD)) else {
        found.push(Breach::new(MINIMA, 1, "minimum", "the table of minima is not there"));
        return;
    };
    let locked = locked(lock);
    for (line, row) in rows[head + 2..].iter().take_while(|(_, row)| row.starts_with('|')) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [_, package, minimum, ..] = cells[..] else { continue };
        let versions: Vec<&str> =
            locked.iter().filter(|(name, _)| name == package).map(|(_, v)| v.as_str()).collect();
        let what = match (number(minimum), versions.is_empty()) {
            (None, _) => format!("{minimum} is no version"),
            (_, true) => format!("{package} is not locked: take its row out"),
            (Some(least), false) => match versions.iter().find(|version| number(version) < Some(least)) {
                Some(version) => format!("{package} is locked at {version}, below {minimum}"),
                None => continue,
            },
        };
        found.push(Breach::new(MINIMA, *line, "minimum", what));
    }
}

/// Names and versions of the packages of a lock file.
fn locked(text: &str) -> Vec<(String, String)> {
    let lock: Table = text.parse().unwrap_or_default();
    let packages = lock.get("package").and_then(Value::as_array).cloned().unwrap_or_default();
    let word = |package: &Value, key: &str| Some(package.get(key)?.as_str()?.to_string());
    packages.iter().filter_map(|package| Some((word(package, "name")?, word(package, "version")?))).collect()
}

/// Major, minor and patch of a version.
fn number(version: &str) -> Option<[u64; 3]> {
    let plain = version.split(['-', '+']).next().unwrap_or(version);
    let parts: Vec<u64> = plain.split('.').map(str::parse).collect::<Result<_, _>>().ok()?;
    parts.try_into().ok()
}

#[cfg(test)]
mod proof {
    use super::*;

    fn lines(version: &str, rows: &str) -> Vec<String> {
        let lock = format!("[[package]]\nname = \"quinn-proto\"\nversion = \"{version}\"\n");
        let page = format!("# Security\n\n{HEAD} why |\n|---|---|---|\n{rows}\n\nOther text.\n");
        let mut found = Vec::new();
        judge(&Tree::of(&[(LOCK, &lock), (MINIMA, &page)]), &mut found);
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_package_below_its_minimum_is_found_by_number_not_by_text() {
        let row = "| quinn-proto | 0.11.15 | panic |";
        assert!(lines("0.11.15", row).is_empty());
        assert!(lines("0.12.0+meta", row).is_empty());
        let wanted = ["runtime/docs/security.md:5: minimum: quinn-proto is locked at 0.11.9, below 0.11.15"];
        assert_eq!(lines("0.11.9", row), wanted);
    }

    #[test]
    fn a_row_that_judges_nothing_is_found() {
        assert_eq!(lines("0.11.15", "| quinn | 0.11.0 | |").len(), 1);
        assert_eq!(lines("0.11.15", "| quinn-proto | new | |").len(), 1);
        let mut found = Vec::new();
        judge(&Tree::of(&[(LOCK, ""), (MINIMA, "# Security")]), &mut found);
        assert_eq!(found.len(), 1);
    }
}
