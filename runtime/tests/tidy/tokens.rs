//! What stands in a token stream, whatever the syntax around it: macros are read like code, comments and strings are not.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

/// A path as written, without its leading `$`.
#[derive(Debug)]
pub(crate) struct Path {
    pub(crate) names: Vec<String>,
    pub(crate) line: usize,
}

/// Every path in the trees, groups included. A method, a field and what follows a leading `::` are none.
pub(crate) fn paths(trees: &[TokenTree]) -> Vec<Path> {
    let mut found = Vec::new();
    let mut index = 0;
    while index < trees.len() {
        match &trees[index] {
            TokenTree::Group(group) => {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                found.extend(paths(&inner));
            }
            TokenTree::Ident(first) => {
                let mut path = Path { names: vec![first.to_string()], line: first.span().start().line };
                let foreign = index > 0 && (is(&trees[index - 1], '.') || is(&trees[index - 1], '\''));
                let rooted = index > 1 && is_colons(trees, index - 2);
                while let Some(name) = after_colons(trees, index) {
                    path.names.push(name.to_string());
                    index += 3;
                }
                if !foreign && !rooted {
                    found.push(path);
                }
            }
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
        index += 1;
    }
    found
}

/// An identifier, the identifiers that lead to it over `::`, and whether it is a lifetime.
#[derive(Debug)]
pub(crate) struct Word {
    pub(crate) name: String,
    /// The name before `::`, if there is one.
    pub(crate) of: Option<String>,
    pub(crate) line: usize,
}

/// Every identifier in the stream but lifetimes, groups included.
pub(crate) fn words(stream: TokenStream) -> Vec<Word> {
    let trees: Vec<TokenTree> = stream.into_iter().collect();
    let mut found = Vec::new();
    for (index, tree) in trees.iter().enumerate() {
        match tree {
            TokenTree::Group(group) => {
                let inside = words(group.stream());
                let of =
                    (group.delimiter() == Delimiter::Brace).then(|| name_before(&trees, index)).flatten();
                found.extend(inside.into_iter().map(|mut word| {
                    // `std::{fs, net}` names the same as `std::fs`.
                    word.of = word.of.or_else(|| of.clone());
                    word
                }));
            }
            TokenTree::Ident(ident) if index == 0 || !is(&trees[index - 1], '\'') => {
                let of = name_before(&trees, index);
                found.push(Word { name: ident.to_string(), of, line: ident.span().start().line });
            }
            TokenTree::Ident(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
    found
}

/// `name` of `name ::` right before `index`.
fn name_before(trees: &[TokenTree], index: usize) -> Option<String> {
    let start = index.checked_sub(3)?;
    match (&trees[start], is_colons(trees, start + 1)) {
        (TokenTree::Ident(ident), true) => Some(ident.to_string()),
        _ => None,
    }
}

/// `name` of `:: name` right after `index`.
fn after_colons(trees: &[TokenTree], index: usize) -> Option<String> {
    match trees.get(index + 3)? {
        TokenTree::Ident(ident) if is_colons(trees, index + 1) => Some(ident.to_string()),
        _ => None,
    }
}

fn is_colons(trees: &[TokenTree], index: usize) -> bool {
    let joint = |tree: &TokenTree| matches!(tree, TokenTree::Punct(p) if p.spacing() == Spacing::Joint);
    trees.get(index + 1).is_some_and(|second| is(second, ':'))
        && is(&trees[index], ':')
        && joint(&trees[index])
}

fn is(tree: &TokenTree, punct: char) -> bool {
    matches!(tree, TokenTree::Punct(p) if p.as_char() == punct)
}
