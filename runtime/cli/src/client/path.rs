//! Paths with queries, percent-encoded from plain text.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');
const QUERY: &AsciiSet = &SEGMENT.add(b'/');

/// A path and query of the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    text: String,
    queried: bool,
}

impl Path {
    /// A path that stands as it is.
    pub(crate) fn new(path: &'static str) -> Self {
        Self { text: path.to_owned(), queried: false }
    }

    /// The path of a key.
    pub(crate) fn of_key(key: &str) -> Self {
        // A segment of only dots would be taken for a relative path by what stands between us and the node.
        let encoded = utf8_percent_encode(key, SEGMENT).to_string();
        let dotted = |segment: &str| segment == "." || segment == "..";
        let safe =
            |segment: &str| if dotted(segment) { segment.replace('.', "%2E") } else { segment.to_owned() };
        let segments: Vec<String> = encoded.split('/').map(safe).collect();
        Self { text: format!("/kv/{}", segments.join("/")), queried: false }
    }

    /// The same with one more parameter.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.text.push(if self.queried { '&' } else { '?' });
        self.queried = true;
        self.text.push_str(name);
        self.text.push('=');
        self.text.push_str(&utf8_percent_encode(&value.to_string(), QUERY).to_string());
        self
    }

    /// The text after the host.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_are_encoded() {
        assert_eq!(Path::of_key("0041").as_str(), "/kv/0041");
        assert_eq!(Path::of_key("a/b c?ä").as_str(), "/kv/a/b%20c%3F%C3%A4");
        assert_eq!(Path::of_key("a/../b").as_str(), "/kv/a/%2E%2E/b");
        let range = Path::new("/kv").with("prefix", "a/&b").with("limit", 10);
        assert_eq!(range.as_str(), "/kv?prefix=a%2F%26b&limit=10");
    }
}
