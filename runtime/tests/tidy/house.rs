//! The workspace as the laws see it: its members, their manifests, their sources as syntax; and what a breach looks like.

use std::fmt;

use toml::Table;

use crate::tree::Tree;

/// One breach of one law.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Breach {
    pub(crate) path: String,
    pub(crate) line: usize,
    pub(crate) rule: &'static str,
    pub(crate) what: String,
}

impl Breach {
    pub(crate) fn new(path: &str, line: usize, rule: &'static str, what: impl Into<String>) -> Breach {
        Breach { path: path.to_string(), line, rule, what: what.into() }
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.path, self.line, self.rule, self.what)
    }
}

/// A member of the workspace.
pub(crate) struct Member {
    /// The package's name.
    pub(crate) name: String,
    /// The folder, without a slash at its end.
    pub(crate) folder: String,
    pub(crate) manifest: Table,
    pub(crate) manifest_text: String,
    /// Every `.rs` file below `src`, by path.
    pub(crate) sources: Vec<Source>,
}

/// A source file of a member.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) file: syn::File,
}

impl Source {
    pub(crate) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// Whether the whole file is test code by its name: `tests.rs`, or anything in a folder `tests`.
    pub(crate) fn is_test(&self) -> bool {
        self.name() == "tests.rs" || self.path.split('/').any(|part| part == "tests")
    }
}

/// The workspace.
pub(crate) struct House {
    /// `[workspace.dependencies]`.
    pub(crate) shared: Table,
    pub(crate) members: Vec<Member>,
}

impl House {
    /// Parses manifests and sources; what cannot be parsed is a breach.
    pub(crate) fn enter(tree: &Tree) -> (House, Vec<Breach>) {
        let mut found = Vec::new();
        let root = manifest(tree, "Cargo.toml", &mut found);
        let workspace = root.get("workspace").and_then(|w| w.as_table()).cloned().unwrap_or_default();
        let shared = workspace.get("dependencies").and_then(|d| d.as_table()).cloned().unwrap_or_default();
        let folders = workspace.get("members").and_then(|m| m.as_array()).cloned().unwrap_or_default();
        let members = folders
            .iter()
            .filter_map(|folder| folder.as_str())
            .map(|folder| member(tree, folder.trim_end_matches('/'), &mut found))
            .collect();
        (House { shared, members }, found)
    }
}

fn member(tree: &Tree, folder: &str, found: &mut Vec<Breach>) -> Member {
    let path = format!("{folder}/Cargo.toml");
    let manifest = manifest(tree, &path, found);
    let name = manifest.get("package").and_then(|p| p.get("name")).and_then(|n| n.as_str()).unwrap_or("");
    let name = name.to_string();
    let prefix = format!("{folder}/src/");
    let mut sources = Vec::new();
    for (path, text) in tree.files.range(prefix.clone()..) {
        if !path.starts_with(&prefix) {
            break;
        }
        if !path.ends_with(".rs") {
            continue;
        }
        match syn::parse_file(text) {
            Ok(file) => sources.push(Source { path: path.clone(), text: text.clone(), file }),
            Err(e) => found.push(Breach::new(path, e.span().start().line, "parse", e.to_string())),
        }
    }
    let manifest_text = tree.files.get(&path).cloned().unwrap_or_default();
    Member { name, folder: folder.to_string(), manifest, manifest_text, sources }
}

fn manifest(tree: &Tree, path: &str, found: &mut Vec<Breach>) -> Table {
    let Some(text) = tree.files.get(path) else {
        found.push(Breach::new(path, 1, "parse", "there is no such manifest"));
        return Table::new();
    };
    text.parse().unwrap_or_else(|e: toml::de::Error| {
        found.push(Breach::new(path, 1, "parse", e.message()));
        Table::new()
    })
}

/// Whether attributes say that what follows is compiled for tests only.
pub(crate) fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let syn::Meta::List(list) = &attribute.meta else { return false };
        list.path.is_ident("cfg") && names_test(list.tokens.clone())
    })
}

/// `test` and `all(…, test, …)`; not `not(test)` nor `any(test, …)`, which are compiled without tests as well.
fn names_test(condition: proc_macro2::TokenStream) -> bool {
    let parser = syn::punctuated::Punctuated::<syn::Meta, syn::Token![,]>::parse_terminated;
    let Ok(conditions) = syn::parse::Parser::parse2(parser, condition) else { return false };
    conditions.iter().any(|meta| match meta {
        syn::Meta::Path(path) => path.is_ident("test"),
        syn::Meta::List(list) => list.path.is_ident("all") && names_test(list.tokens.clone()),
        syn::Meta::NameValue(_) => false,
    })
}

#[cfg(test)]
mod proof {
    use super::*;

    #[test]
    fn what_cannot_be_parsed_is_a_breach() {
        let tree = Tree::of(&[
            ("Cargo.toml", "[workspace]\nmembers = [\"a\", \"b\"]"),
            ("a/Cargo.toml", "[package]\nname = \"a\""),
            ("a/src/lib.rs", "//! A.\nfn ("),
        ]);
        let (_, found) = House::enter(&tree);
        let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert!(lines.iter().any(|l| l.starts_with("a/src/lib.rs:2: parse: ")), "{lines:?}");
        assert!(lines.iter().any(|l| l.starts_with("b/Cargo.toml:1: parse: ")), "{lines:?}");
    }

    #[test]
    fn only_what_is_compiled_for_tests_alone_counts_as_a_test() {
        let item = |text: &str| is_for_tests(&syn::parse_str::<syn::ItemMod>(text).expect("a module").attrs);
        assert!(item("#[cfg(test)] mod a {}"));
        assert!(item("#[cfg(all(test, unix))] mod a {}"));
        assert!(!item("#[cfg(any(test, feature = \"sim\"))] mod a {}"));
        assert!(!item("#[cfg(not(test))] mod a {}"));
        assert!(!item("mod a {}"));
    }
}
