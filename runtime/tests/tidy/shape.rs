//! What a file looks like: its first line, its length, the length of its functions, and that a map holds no logic.

use quote::ToTokens;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use crate::house::{Breach, House, Member, Source, is_for_tests};

const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 70;

/// Judges every source of every member.
pub(crate) fn judge(house: &House, found: &mut Vec<Breach>) {
    for member in &house.members {
        for source in &member.sources {
            judge_first_line(source, found);
            if !source.is_test() {
                judge_length(source, found);
                judge_functions(source, found);
            }
            if matches!(source.name(), "mod.rs" | "lib.rs") {
                judge_map(source, &source.file.items, is_derives(member), found);
            }
        }
    }
}

fn judge_first_line(source: &Source, found: &mut Vec<Breach>) {
    if !source.text.starts_with("//! ") {
        found.push(Breach::new(&source.path, 1, "first-line", "a file opens with `//!` and what it is"));
    }
}

fn judge_length(source: &Source, found: &mut Vec<Breach>) {
    let lines = source.text.lines().count() - tests_at_the_end(&source.file);
    if lines > FILE_LINES_MAX {
        let what = format!("{lines} lines without tests, at most {FILE_LINES_MAX}");
        found.push(Breach::new(&source.path, FILE_LINES_MAX + 1, "file-length", what));
    }
}

/// How many lines the test module at the end of a file takes.
fn tests_at_the_end(file: &syn::File) -> usize {
    let Some(syn::Item::Mod(item)) = file.items.last() else { return 0 };
    if item.content.is_none() || !is_for_tests(&item.attrs) {
        return 0;
    }
    item.span().end().line + 1 - item.span().start().line
}

fn judge_functions(source: &Source, found: &mut Vec<Breach>) {
    let mut ruler = Ruler { path: &source.path, found };
    ruler.visit_file(&source.file);
}

struct Ruler<'a> {
    path: &'a str,
    found: &'a mut Vec<Breach>,
}

impl Ruler<'_> {
    fn measure(&mut self, signature: &syn::Signature, body: &syn::Block) {
        let start = signature.span().start().line;
        let lines = body.span().end().line + 1 - start;
        if lines > FUNCTION_LINES_MAX {
            let what = format!("{} has {lines} lines, at most {FUNCTION_LINES_MAX}", signature.ident);
            self.found.push(Breach::new(self.path, start, "function-length", what));
        }
    }
}

impl<'ast> Visit<'ast> for Ruler<'_> {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !is_for_tests(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        if !is_for_tests(&item.attrs) {
            self.measure(&item.sig, &item.block);
            visit::visit_item_fn(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if !is_for_tests(&item.attrs) {
            self.measure(&item.sig, &item.block);
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(body) = &item.default {
            self.measure(&item.sig, body);
        }
        visit::visit_trait_item_fn(self, item);
    }
}

/// Whether the crate is one of derives, whose entry points the compiler wants in `lib.rs`.
fn is_derives(member: &Member) -> bool {
    let library = member.manifest.get("lib").and_then(|lib| lib.get("proc-macro"));
    library.and_then(|flag| flag.as_bool()).unwrap_or(false)
}

fn judge_map(source: &Source, items: &[syn::Item], derives: bool, found: &mut Vec<Breach>) {
    for item in items {
        let legal = match item {
            syn::Item::Mod(it) => match &it.content {
                Some((_, inside)) => {
                    judge_map(source, inside, derives, found);
                    true
                }
                None => true,
            },
            syn::Item::Use(it) => derives || !matches!(it.vis, syn::Visibility::Inherited),
            // `extern crate self` gives derives a path that is the same inside the crate as outside.
            syn::Item::ExternCrate(it) => it.ident == "self" || !matches!(it.vis, syn::Visibility::Inherited),
            syn::Item::Fn(it) => derives && is_entry_point(&it.attrs),
            _ => false,
        };
        if !legal {
            let what = format!("{} holds docs, mod lines and re-exports, nothing else", source.name());
            found.push(Breach::new(&source.path, first_token(item), "map", what));
        }
    }
}

/// The line of an item's first token after its docs and attributes.
fn first_token(item: &syn::Item) -> usize {
    let mut tokens = item.to_token_stream().into_iter().peekable();
    while matches!(tokens.peek(), Some(proc_macro2::TokenTree::Punct(p)) if p.as_char() == '#') {
        tokens.next();
        tokens.next();
    }
    tokens.next().map_or(1, |token| token.span().start().line)
}

fn is_entry_point(attributes: &[syn::Attribute]) -> bool {
    const ENTRIES: [&str; 3] = ["proc_macro", "proc_macro_derive", "proc_macro_attribute"];
    attributes.iter().any(|attribute| ENTRIES.iter().any(|entry| attribute.path().is_ident(entry)))
}

#[cfg(test)]
mod proof {
    use crate::house::House;
    use crate::tree::Tree;

    fn lines(file: &str, text: &str, manifest: &str) -> Vec<String> {
        let tree = Tree::of(&[
            ("Cargo.toml", "[workspace]\nmembers = [\"a\"]"),
            ("a/Cargo.toml", &format!("[package]\nname = \"a\"\n{manifest}")),
            (&format!("a/src/{file}"), text),
        ]);
        let (house, mut found) = House::enter(&tree);
        super::judge(&house, &mut found);
        found.sort();
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_file_opens_with_what_it_is() {
        let wanted = ["a/src/b.rs:1: first-line: a file opens with `//!` and what it is"];
        assert_eq!(lines("b.rs", "// B.\n", ""), wanted);
        assert_eq!(lines("b.rs", "\n//! B.\n", ""), wanted);
        assert_eq!(lines("b/tests.rs", "use x;", "").len(), 1);
        assert!(lines("b.rs", "//! B.\n", "").is_empty());
    }

    #[test]
    fn a_file_is_measured_without_the_tests_at_its_end() {
        let full = format!("//! B.\n{}", "const _: () = ();\n".repeat(399));
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "const _: () = ();\n".repeat(400));
        assert!(lines("b.rs", &full, "").is_empty());
        assert!(lines("b.rs", &format!("{full}{tests}"), "").is_empty());
        let wanted = ["a/src/b.rs:401: file-length: 401 lines without tests, at most 400"];
        assert_eq!(lines("b.rs", &format!("{full}\n"), ""), wanted);
        assert_eq!(
            lines("b.rs", &format!("{full}{tests}const _: () = ();\n"), "").len(),
            1,
            "not at the end"
        );
        assert!(lines("b/tests.rs", &format!("{full}\n"), "").is_empty());
    }

    #[test]
    fn a_function_fits_on_a_screen_wherever_it_stands() {
        let body = |lines: usize| format!("{{\n{}}}", "    ();\n".repeat(lines - 2));
        let text = |lines| format!("//! B.\n/// Docs.\n#[inline]\nfn f() {}\n", body(lines));
        assert!(lines("b.rs", &text(70), "").is_empty());
        assert_eq!(
            lines("b.rs", &text(71), ""),
            ["a/src/b.rs:4: function-length: f has 71 lines, at most 70"]
        );
        for bad in [
            "impl A { fn f() BODY }",
            "trait A { fn f() BODY }",
            "fn g() { fn f() BODY }",
            "mod a { fn f() BODY }",
        ] {
            let text = format!("//! B.\n{}", bad.replace("BODY", &body(80)));
            assert!(!lines("b.rs", &text, "").is_empty(), "{bad}");
        }
        let test = format!("//! B.\n#[cfg(test)]\nmod tests {{ fn f() {} }}", body(80));
        assert!(lines("b.rs", &test, "").is_empty());
    }

    #[test]
    fn a_map_holds_no_logic() {
        let good = "//! Map.\nmod a;\n#[cfg(test)]\nmod tests;\npub use a::A;\npub mod prelude {\n    pub use crate::A;\n}";
        assert!(lines("lib.rs", good, "").is_empty(), "{:?}", lines("lib.rs", good, ""));
        for bad in [
            "use a::A;",
            "fn f() {}",
            "pub trait T {}",
            "pub type T = u32;",
            "macro_rules! m { () => {} }",
            "pub mod inner { pub fn f() {} }",
        ] {
            let text = format!("//! Map.\n\n/// Docs.\n{bad}");
            let wanted = ["a/src/b/mod.rs:4: map: mod.rs holds docs, mod lines and re-exports, nothing else"];
            assert_eq!(lines("b/mod.rs", &text, ""), wanted, "{bad}");
            assert!(lines("b.rs", &text, "").is_empty(), "{bad}");
        }
    }

    #[test]
    fn the_entry_points_of_derives_stand_in_the_map() {
        let text = "//! Map.\nuse proc_macro::TokenStream;\n#[proc_macro]\npub fn m(t: TokenStream) -> TokenStream { a::m(t) }";
        assert!(lines("lib.rs", text, "[lib]\nproc-macro = true").is_empty());
        assert_eq!(lines("lib.rs", &format!("{text}\nfn f() {{}}"), "[lib]\nproc-macro = true").len(), 1);
        assert_eq!(lines("lib.rs", text, "").len(), 2);
    }
}
