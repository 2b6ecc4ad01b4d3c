//! The module tree of a crate: which file a module stands in, what it defines, what it imports, and what a path means.
//!
//! Not the compiler: types are not inferred, so a method call is no import; a name that a macro made up is taken to stand
//! in the file of the module that was asked for it.

use std::collections::{BTreeMap, BTreeSet};

use syn::visit::{self, Visit};

use crate::house::{Breach, Member, is_for_tests};

/// A module by its place in [`Modules::all`].
pub(crate) type ModuleId = usize;

#[derive(Debug, Default)]
pub(crate) struct Module {
    pub(crate) file: String,
    pub(crate) parent: Option<ModuleId>,
    /// Whether the module, or one it stands in, is compiled for tests only.
    pub(crate) test: bool,
    pub(crate) children: BTreeMap<String, ModuleId>,
    /// Names defined here, and in which file (an exported macro lives in the root, whatever file it stands in).
    items: BTreeMap<String, String>,
    imports: BTreeMap<String, BTreeSet<Vec<String>>>,
    globs: BTreeSet<Vec<String>>,
}

/// What a path leads to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Target {
    Module(ModuleId),
    /// Something defined in a file.
    Item(String),
}

#[derive(Debug, Default)]
pub(crate) struct Modules {
    pub(crate) all: Vec<Module>,
    /// Files in which `macro_rules!` of a name stand; their scope is textual, so they have no path.
    pub(crate) macros: BTreeMap<String, BTreeSet<String>>,
}

impl Modules {
    /// Follows the `mod` lines of a crate from its roots. A source no `mod` line leads to is a breach.
    pub(crate) fn of(member: &Member, found: &mut Vec<Breach>) -> Modules {
        let files: BTreeMap<&str, &syn::File> =
            member.sources.iter().map(|source| (source.path.as_str(), &source.file)).collect();
        let mut modules = Modules::default();
        for path in files.keys().filter(|path| is_root(&member.folder, path)) {
            modules.plant(&files, path);
        }
        let reached: BTreeSet<&str> = modules.all.iter().map(|module| module.file.as_str()).collect();
        for path in files.keys().filter(|path| !reached.contains(*path)) {
            found.push(Breach::new(path, 1, "orphan", "no mod line leads to this file"));
        }
        modules
    }

    fn plant(&mut self, files: &BTreeMap<&str, &syn::File>, path: &str) {
        let root = self.all.len();
        self.all.push(Module { file: path.to_string(), ..Module::default() });
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder).to_string();
        let mut planter = Planter { modules: self, files, root, at: root, folder };
        for item in &files[path].items {
            planter.visit_item(item);
        }
    }

    /// Where a path leads that is written in module `from`; nothing if it leads out of the crate.
    pub(crate) fn resolve(&self, from: ModuleId, path: &[String]) -> BTreeSet<Target> {
        self.follow(from, path, &mut BTreeSet::new())
    }

    /// The file a target stands in.
    pub(crate) fn file_of<'a>(&'a self, target: &'a Target) -> &'a str {
        match target {
            Target::Module(id) => &self.all[*id].file,
            Target::Item(file) => file,
        }
    }

    fn root_of(&self, mut module: ModuleId) -> ModuleId {
        while let Some(parent) = self.all[module].parent {
            module = parent;
        }
        module
    }

    fn follow(&self, from: ModuleId, path: &[String], asked: &mut Asked) -> BTreeSet<Target> {
        let Some((first, rest)) = path.split_first() else { return BTreeSet::new() };
        let mut targets = match first.as_str() {
            "crate" => BTreeSet::from([Target::Module(self.root_of(from))]),
            "self" => BTreeSet::from([Target::Module(from)]),
            "super" => self.all[from].parent.map(Target::Module).into_iter().collect(),
            name => self.named(from, name, asked),
        };
        for name in rest {
            targets = targets.into_iter().flat_map(|target| self.step(target, name, asked)).collect();
        }
        targets
    }

    fn step(&self, target: Target, name: &str, asked: &mut Asked) -> BTreeSet<Target> {
        let Target::Module(module) = target else { return BTreeSet::from([target]) };
        if name == "super" {
            return self.all[module].parent.map(Target::Module).into_iter().collect();
        }
        let known = self.knows(module, name);
        let found = self.named(module, name, asked);
        if found.is_empty() && !known { BTreeSet::from([target]) } else { found }
    }

    /// Whether a module has the name, be it of another crate.
    fn knows(&self, module: ModuleId, name: &str) -> bool {
        let module = &self.all[module];
        module.children.contains_key(name)
            || module.items.contains_key(name)
            || module.imports.contains_key(name)
    }

    /// What `name` means in a module; a name asked for twice on one way is a circle of re-exports and means nothing.
    fn named(&self, module: ModuleId, name: &str, asked: &mut Asked) -> BTreeSet<Target> {
        if !asked.insert((module, name.to_string())) {
            return BTreeSet::new();
        }
        let here = &self.all[module];
        let mut found: BTreeSet<Target> =
            here.children.get(name).copied().map(Target::Module).into_iter().collect();
        found.extend(here.items.get(name).cloned().map(Target::Item));
        for path in here.imports.get(name).into_iter().flatten() {
            found.extend(self.follow(module, path, asked));
        }
        if found.is_empty() {
            for glob in &here.globs {
                for target in self.follow(module, glob, asked) {
                    if let Target::Module(opened) = target {
                        found.extend(self.named(opened, name, asked));
                    }
                }
            }
        }
        asked.remove(&(module, name.to_string()));
        found
    }
}

type Asked = BTreeSet<(ModuleId, String)>;

fn is_root(folder: &str, path: &str) -> bool {
    let inside = path.strip_prefix(folder).and_then(|rest| rest.strip_prefix("/src/")).unwrap_or("");
    let bin =
        inside.strip_prefix("bin/").is_some_and(|rest| !rest.contains('/') || rest.ends_with("/main.rs"));
    inside == "lib.rs" || inside == "main.rs" || bin
}

/// Fills in one module after the other.
struct Planter<'a> {
    modules: &'a mut Modules,
    files: &'a BTreeMap<&'a str, &'a syn::File>,
    root: ModuleId,
    at: ModuleId,
    /// Where the files of this module's children stand.
    folder: String,
}

impl Planter<'_> {
    fn define(&mut self, name: &syn::Ident) {
        let file = self.modules.all[self.at].file.clone();
        self.modules.all[self.at].items.insert(name.to_string(), file);
    }

    /// The file of `mod name;`, if there is one.
    fn file_of(&self, item: &syn::ItemMod) -> Option<String> {
        let given = item.attrs.iter().find_map(|attribute| {
            let syn::Meta::NameValue(pair) = &attribute.meta else { return None };
            let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(path), .. }) = &pair.value else {
                return None;
            };
            pair.path.is_ident("path").then(|| path.value())
        });
        let own = self.modules.all[self.at].file.rsplit_once('/').map_or("", |(folder, _)| folder);
        let candidates = match given {
            Some(path) => vec![format!("{own}/{path}")],
            None => vec![
                format!("{}/{}.rs", self.folder, item.ident),
                format!("{}/{}/mod.rs", self.folder, item.ident),
            ],
        };
        candidates.into_iter().find(|path| self.files.contains_key(path.as_str()))
    }
}

impl<'ast> Visit<'ast> for Planter<'_> {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        let file = match &item.content {
            Some(_) => self.modules.all[self.at].file.clone(),
            None => match self.file_of(item) {
                Some(file) => file,
                None => return,
            },
        };
        let id = self.modules.all.len();
        let test = self.modules.all[self.at].test || is_for_tests(&item.attrs);
        self.modules.all.push(Module {
            file: file.clone(),
            parent: Some(self.at),
            test,
            ..Module::default()
        });
        self.modules.all[self.at].children.insert(item.ident.to_string(), id);
        let stands = file.strip_suffix("/mod.rs").or_else(|| file.strip_suffix(".rs")).unwrap_or(&file);
        let inner = match &item.content {
            Some(_) => format!("{}/{}", self.folder, item.ident),
            None => stands.to_string(),
        };
        let (at, folder) = (self.at, std::mem::replace(&mut self.folder, inner));
        self.at = id;
        let files = self.files;
        let items = match &item.content {
            Some((_, items)) => items,
            None => &files[file.as_str()].items,
        };
        for item in items {
            self.visit_item(item);
        }
        (self.at, self.folder) = (at, folder);
    }

    fn visit_item(&mut self, item: &'ast syn::Item) {
        match item {
            syn::Item::Const(it) => self.define(&it.ident),
            syn::Item::Enum(it) => self.define(&it.ident),
            syn::Item::Fn(it) => self.define(&it.sig.ident),
            syn::Item::Static(it) => self.define(&it.ident),
            syn::Item::Struct(it) => self.define(&it.ident),
            syn::Item::Trait(it) => self.define(&it.ident),
            syn::Item::TraitAlias(it) => self.define(&it.ident),
            syn::Item::Type(it) => self.define(&it.ident),
            syn::Item::Union(it) => self.define(&it.ident),
            _ => {}
        }
        visit::visit_item(self, item);
    }

    fn visit_item_macro(&mut self, item: &'ast syn::ItemMacro) {
        let Some(name) = &item.ident else { return };
        let file = self.modules.all[self.at].file.clone();
        if self.modules.all[self.at].test {
            return;
        }
        if item.attrs.iter().any(|attribute| attribute.path().is_ident("macro_export")) {
            self.modules.all[self.root].items.insert(name.to_string(), file.clone());
        }
        self.modules.macros.entry(name.to_string()).or_default().insert(file);
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if item.leading_colon.is_some() || is_for_tests(&item.attrs) {
            return;
        }
        let module = &mut self.modules.all[self.at];
        for import in flatten(&item.tree) {
            match import.name {
                Some(name) => {
                    module.imports.entry(name).or_default().insert(import.path);
                }
                None if import.glob => {
                    module.globs.insert(import.path);
                }
                None => {}
            }
        }
    }
}

/// One leaf of a `use` tree.
#[derive(Debug)]
pub(crate) struct Import {
    pub(crate) path: Vec<String>,
    /// The name it has here; none for a glob and for `as _`.
    name: Option<String>,
    glob: bool,
    pub(crate) line: usize,
}

/// Every leaf of a `use` tree, with its whole path.
pub(crate) fn flatten(tree: &syn::UseTree) -> Vec<Import> {
    let mut leaves = Vec::new();
    descend(tree, &[], &mut leaves);
    leaves
}

fn descend(tree: &syn::UseTree, prefix: &[String], leaves: &mut Vec<Import>) {
    let with = |ident: &syn::Ident| {
        let mut path = prefix.to_vec();
        if ident != "self" || prefix.is_empty() {
            path.push(ident.to_string());
        }
        path
    };
    match tree {
        syn::UseTree::Path(it) => descend(&it.tree, &with(&it.ident), leaves),
        syn::UseTree::Group(it) => it.items.iter().for_each(|item| descend(item, prefix, leaves)),
        syn::UseTree::Name(it) => {
            let path = with(&it.ident);
            let name = path.last().cloned();
            leaves.push(Import { path, name, glob: false, line: it.ident.span().start().line });
        }
        syn::UseTree::Rename(it) => {
            let name = (it.rename != "_").then(|| it.rename.to_string());
            leaves.push(Import {
                path: with(&it.ident),
                name,
                glob: false,
                line: it.ident.span().start().line,
            });
        }
        syn::UseTree::Glob(it) => {
            let line = it.star_token.spans[0].start().line;
            leaves.push(Import { path: prefix.to_vec(), name: None, glob: true, line });
        }
    }
}

#[cfg(test)]
mod proof {
    use super::*;
    use crate::house::House;
    use crate::tree::Tree;

    #[test]
    fn a_file_without_a_mod_line_is_an_orphan() {
        let tree = Tree::of(&[
            ("Cargo.toml", "[workspace]\nmembers = [\"a\"]"),
            ("a/Cargo.toml", "[package]\nname = \"a\""),
            ("a/src/lib.rs", "//! A.\nmod inner;\n#[cfg(test)]\nmod tests;"),
            ("a/src/tests.rs", "//! Tests."),
            ("a/src/inner/mod.rs", "//! Inner.\nmod deep;"),
            ("a/src/inner/deep.rs", "//! Deep."),
            ("a/src/inner/lost.rs", "//! Lost."),
            ("a/src/bin/tool.rs", "//! Tool."),
        ]);
        let (house, mut found) = House::enter(&tree);
        Modules::of(&house.members[0], &mut found);
        let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(lines, ["a/src/inner/lost.rs:1: orphan: no mod line leads to this file"]);
    }
}
