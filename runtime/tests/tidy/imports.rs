//! Which file of a crate imports which: by `use`, by a path in the code, or by a path or name inside a macro.
//!
//! An import is followed through re-exports to the file that defines the name. Test code imports what it likes.

use std::collections::BTreeMap;

use proc_macro2::TokenTree;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use crate::house::{Member, is_for_tests};
use crate::modules::{ModuleId, Modules, flatten};
use crate::tokens::{self, Path};

/// One file importing another, at the first line where it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Edge {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) line: usize,
}

/// Every import between two files of a crate.
pub(crate) fn edges(member: &Member, modules: &Modules) -> Vec<Edge> {
    let mut lines: BTreeMap<(String, String), usize> = BTreeMap::new();
    for source in member.sources.iter().filter(|source| !source.is_test()) {
        let stands = modules.all.iter().position(|module| module.file == source.path);
        let Some(at) = stands.filter(|id| !modules.all[*id].test) else { continue };
        let mut reader = Reader { modules, at, lines: &mut lines };
        reader.visit_file(&source.file);
    }
    lines.into_iter().map(|((from, to), line)| Edge { from, to, line }).collect()
}

struct Reader<'a> {
    modules: &'a Modules,
    at: ModuleId,
    lines: &'a mut BTreeMap<(String, String), usize>,
}

impl Reader<'_> {
    fn import(&mut self, path: &[String], line: usize) {
        for target in self.modules.resolve(self.at, path) {
            let to = self.modules.file_of(&target).to_string();
            self.edge(to, line);
        }
    }

    fn edge(&mut self, to: String, line: usize) {
        let from = self.modules.all[self.at].file.clone();
        if from != to {
            let first = self.lines.entry((from, to)).or_insert(line);
            *first = line.min(*first);
        }
    }

    /// A macro called by its bare name, with textual scope: it stands in the one file that defines it.
    fn call(&mut self, name: &str, line: usize) {
        let Some(files) = self.modules.macros.get(name) else { return };
        if !files.contains(&self.modules.all[self.at].file) {
            for file in files.clone() {
                self.edge(file, line);
            }
        }
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if !is_for_tests(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if !is_for_tests(&item.attrs) {
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        let Some(inner) = self.modules.all[self.at].children.get(&item.ident.to_string()) else { return };
        if item.content.is_some() {
            let at = std::mem::replace(&mut self.at, *inner);
            visit::visit_item_mod(self, item);
            self.at = at;
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if item.leading_colon.is_none() {
            for import in flatten(&item.tree) {
                self.import(&import.path, import.line);
            }
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() {
            let names: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            self.import(&names, path.span().start().line);
        }
        visit::visit_path(self, path);
    }

    /// `pub(in …)` says who may look in, not what is imported.
    fn visit_vis_restricted(&mut self, _: &'ast syn::VisRestricted) {}

    /// Derives and attribute macros come from other crates.
    fn visit_attribute(&mut self, _: &'ast syn::Attribute) {}

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        let defines = call.path.is_ident("macro_rules");
        if let Some(name) = call.path.get_ident().filter(|_| !defines) {
            self.call(&name.to_string(), name.span().start().line);
        }
        self.visit_path(&call.path);
        let trees: Vec<TokenTree> = call.tokens.clone().into_iter().collect();
        for Path { names, line } in tokens::paths(&trees) {
            // What a definition names by a bare name is looked up where it is called.
            if !defines || names[0] == "crate" {
                self.import(&names, line);
            }
        }
    }
}

fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Const(it) => &it.attrs,
        syn::Item::Enum(it) => &it.attrs,
        syn::Item::Fn(it) => &it.attrs,
        syn::Item::Impl(it) => &it.attrs,
        syn::Item::Macro(it) => &it.attrs,
        syn::Item::Mod(it) => &it.attrs,
        syn::Item::Static(it) => &it.attrs,
        syn::Item::Struct(it) => &it.attrs,
        syn::Item::Trait(it) => &it.attrs,
        syn::Item::Type(it) => &it.attrs,
        syn::Item::Union(it) => &it.attrs,
        syn::Item::Use(it) => &it.attrs,
        _ => &[],
    }
}

#[cfg(test)]
mod proof {
    use super::*;
    use crate::house::House;
    use crate::tree::Tree;

    /// The imports of a crate `a`, as `from -> to`, with the folders left out.
    fn imports(sources: &[(&str, &str)]) -> Vec<String> {
        let paths: Vec<String> = sources.iter().map(|(path, _)| format!("a/src/{path}")).collect();
        let mut files = vec![
            ("Cargo.toml", "[workspace]\nmembers = [\"a\"]"),
            ("a/Cargo.toml", "[package]\nname = \"a\""),
        ];
        files.extend(paths.iter().zip(sources).map(|(path, (_, text))| (path.as_str(), *text)));
        let (house, mut found) = House::enter(&Tree::of(&files));
        let modules = Modules::of(&house.members[0], &mut found);
        assert!(found.is_empty(), "{found:?}");
        let short = |path: &str| path.trim_start_matches("a/src/").to_string();
        let mut edges = edges(&house.members[0], &modules);
        edges.sort_by(|a, b| (&a.from, a.line).cmp(&(&b.from, b.line)));
        edges.iter().map(|e| format!("{}:{} -> {}", short(&e.from), e.line, short(&e.to))).collect()
    }

    #[test]
    fn a_use_is_followed_through_re_exports_to_the_defining_file() {
        let found = imports(&[
            ("lib.rs", "mod raft; mod types; pub use raft::Machine as Raft;"),
            ("types.rs", "pub struct Term;"),
            ("raft/mod.rs", "mod machine; mod state; pub use machine::*;"),
            ("raft/machine.rs", "use super::state::State;\npub struct Machine;"),
            ("raft/state.rs", "use crate::{types::Term,\n Raft};\npub struct State;"),
        ]);
        let wanted = [
            "lib.rs:1 -> raft/machine.rs",
            "raft/machine.rs:1 -> raft/state.rs",
            "raft/mod.rs:1 -> raft/machine.rs",
            "raft/state.rs:1 -> types.rs",
            "raft/state.rs:2 -> raft/machine.rs",
        ];
        assert_eq!(found, wanted);
    }

    #[test]
    fn a_path_in_the_code_is_an_import_and_so_is_a_name_from_a_glob() {
        let found = imports(&[
            ("lib.rs", "mod a; mod b; mod c; mod room;"),
            ("a.rs", "fn f() -> u32 {\n crate::b::g()\n}"),
            ("b.rs", "use crate::room::*;\npub fn g() -> u32 {\n Chair::LEGS\n}"),
            ("c.rs", "use crate::room as hall;\nfn f(x: hall::Chair) {}"),
            ("room/mod.rs", "mod chair; pub use chair::Chair;"),
            ("room/chair.rs", "pub struct Chair; impl Chair { pub const LEGS: u32 = 4; }"),
        ]);
        let wanted = [
            "a.rs:2 -> b.rs",
            "b.rs:1 -> room/mod.rs",
            "b.rs:3 -> room/chair.rs",
            "c.rs:1 -> room/mod.rs",
            "c.rs:2 -> room/chair.rs",
            "room/mod.rs:1 -> room/chair.rs",
        ];
        assert_eq!(found, wanted);
    }

    #[test]
    fn a_macro_is_an_import_by_its_name_its_arguments_and_the_crate_paths_of_its_body() {
        let found = imports(&[
            ("lib.rs", "#[macro_use] mod id; mod a; mod b; mod c;"),
            ("id.rs", "macro_rules! id { ($n:ident) => { pub struct $n(Local, $crate::c::C); } }"),
            ("a.rs", "id!(A);"),
            ("b.rs", "fn f() {\n assert_eq!(crate::a::A, 1, \"crate::c::C\");\n}"),
            ("c.rs", "pub struct C;"),
        ]);
        assert_eq!(found, ["a.rs:1 -> id.rs", "b.rs:2 -> a.rs", "id.rs:1 -> c.rs"]);
    }

    #[test]
    fn test_code_and_other_crates_are_no_imports() {
        let found = imports(&[
            ("lib.rs", "mod a; mod b; #[cfg(test)] mod fixture;"),
            ("a.rs", "use ::b::X; use bytes::Bytes;\n#[cfg(test)] mod tests { use crate::b::B; }"),
            ("b.rs", "pub struct B;\n#[cfg(test)] use crate::a::A;\n#[cfg(test)] mod tests;"),
            ("b/tests.rs", "use crate::a;"),
            ("fixture.rs", "use crate::a;"),
        ]);
        assert!(found.is_empty(), "{found:?}");
    }
}
