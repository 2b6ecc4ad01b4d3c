//! No room is named after nothing: if a thing has no home, we have not understood it.

use syn::visit::{self, Visit};

use crate::house::{Breach, House};
use crate::tree::Tree;

const NAMELESS: [&str; 7] = ["util", "utils", "helper", "helpers", "common", "misc", "manager"];

/// Judges every file and folder of the tree, and every module written inside a file.
pub(crate) fn judge(tree: &Tree, house: &House, found: &mut Vec<Breach>) {
    for path in tree.files.keys() {
        for part in path.split('/') {
            let stem = part.split_once('.').map_or(part, |(stem, _)| stem);
            if is_nameless(stem) {
                found.push(Breach::new(
                    path,
                    1,
                    "room",
                    format!("`{part}` says nothing about what is inside"),
                ));
            }
        }
    }
    for source in house.members.iter().flat_map(|member| &member.sources) {
        Doors { path: &source.path, found }.visit_file(&source.file);
    }
}

/// `util`, and also `raft_util`.
fn is_nameless(name: &str) -> bool {
    let last = name.rsplit(['_', '-']).next().unwrap_or(name);
    NAMELESS.contains(&last)
}

struct Doors<'a> {
    path: &'a str,
    found: &'a mut Vec<Breach>,
}

impl<'ast> Visit<'ast> for Doors<'_> {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if item.content.is_some() && is_nameless(&item.ident.to_string()) {
            let what = format!("module `{}` says nothing about what is inside", item.ident);
            self.found.push(Breach::new(self.path, item.ident.span().start().line, "room", what));
        }
        visit::visit_item_mod(self, item);
    }
}

#[cfg(test)]
mod proof {
    use super::*;

    #[test]
    fn a_file_a_folder_and_a_module_need_a_name() {
        let tree = Tree::of(&[
            ("Cargo.toml", "[workspace]\nmembers = [\"a\"]"),
            ("a/Cargo.toml", "[package]\nname = \"a\""),
            ("a/src/lib.rs", "//! A.\nmod common_name;\n#[cfg(test)]\nmod tests {\n    mod helpers {}\n}"),
            ("a/src/common_name.rs", "//! The common name of a certificate."),
            ("a/src/link_manager.rs", "//! B."),
            ("a/tests/common/mod.rs", "//! C."),
            ("docs/misc.md", ""),
        ]);
        let (house, mut found) = House::enter(&tree);
        judge(&tree, &house, &mut found);
        found.sort();
        let places: Vec<String> = found.iter().map(|b| format!("{}:{}:{}", b.path, b.line, b.rule)).collect();
        let wanted = [
            "a/src/lib.rs:5:room",
            "a/src/link_manager.rs:1:room",
            "a/tests/common/mod.rs:1:room",
            "docs/misc.md:1:room",
        ];
        assert_eq!(places, wanted);
    }
}
