//! A mutant takes a rule out of the code as it is: a patch that no longer fits tests nothing.

use crate::house::Breach;
use crate::tree::Tree;

const RULE: &str = "mutants fit";
const FOLDERS: [&str; 2] = ["protocols/tests/mutants/", "runtime/tests/mutants/"];

/// What a patch expects to stand in one file, with the line of the patch where that begins.
struct Hunk<'a> {
    file: &'a str,
    line: usize,
    before: Vec<&'a str>,
}

pub(crate) fn judge(tree: &Tree, found: &mut Vec<Breach>) {
    let is_mutant =
        |path: &&String| path.ends_with(".patch") && FOLDERS.iter().any(|folder| path.starts_with(folder));
    for path in tree.files.keys().filter(is_mutant) {
        let hunks = hunks(&tree.files[path]);
        if hunks.is_empty() {
            found.push(Breach::new(path, 1, RULE, "it changes nothing"));
        }
        for Hunk { file, line, before } in hunks {
            let text: Vec<&str> = tree.files.get(file).map(|text| text.lines().collect()).unwrap_or_default();
            if !text.windows(before.len()).any(|lines| lines == before) {
                found.push(Breach::new(path, line, RULE, format!("{file} reads otherwise")));
            }
        }
    }
}

fn hunks(patch: &str) -> Vec<Hunk<'_>> {
    let (mut hunks, mut file) = (Vec::<Hunk>::new(), None);
    for (number, line) in patch.lines().enumerate() {
        if let Some(path) = line.strip_prefix("--- a/") {
            file = Some(path);
        } else if line.starts_with("+++ ") || line.starts_with("diff ") || line.starts_with("index ") {
            // They say the same again.
        } else if line.starts_with("@@ ") {
            hunks.extend(file.map(|file| Hunk { file, line: number + 1, before: Vec::new() }));
        } else if let Some(hunk) = hunks.last_mut()
            && let Some(before) = line.strip_prefix([' ', '-']).or(line.is_empty().then_some(line))
        {
            hunk.before.push(before);
        }
    }
    hunks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(patch: &str) -> Vec<String> {
        let code = "fn f() {\n    rule();\n\n    rest();\n}\n";
        let tree = Tree::of(&[("protocols/tests/mutants/m.patch", patch), ("protocols/src/f.rs", code)]);
        let mut found = Vec::new();
        judge(&tree, &mut found);
        found.iter().map(|breach| breach.what.clone()).collect()
    }

    #[test]
    fn a_patch_has_to_find_its_lines() {
        let head = "rule: f keeps it\nby: tests\n--- a/protocols/src/f.rs\n+++ b/protocols/src/f.rs\n@@ -1,4 +1,3 @@\n";
        assert_eq!(judged(&format!("{head} fn f() {{\n-    rule();\n \n     rest();\n")), [""; 0]);
        assert_eq!(
            judged(&format!("{head} fn f() {{\n-    other();\n \n     rest();\n")),
            ["protocols/src/f.rs reads otherwise"]
        );
        assert_eq!(judged("rule: none\nby: tests\n"), ["it changes nothing"]);
    }
}
