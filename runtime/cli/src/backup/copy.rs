//! Bytes on their way, and a bar that shows how far they are. The bar goes to standard error, and only to a terminal.

use std::io::{IsTerminal, Read};

use indicatif::{ProgressBar, ProgressBarIter, ProgressStyle};

/// A bar for so many bytes, or for who knows how many.
pub(crate) fn bar(bytes: Option<u64>, verb: &'static str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let known = "{msg} {wide_bar} {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left";
    let (bar, style) = match bytes {
        Some(bytes) => (ProgressBar::new(bytes), known),
        None => (ProgressBar::new_spinner(), "{msg} {spinner} {bytes}  {bytes_per_sec}"),
    };
    let style = ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.with_style(style).with_message(verb)
}

/// A reader that moves the bar.
pub(crate) fn reading<R: Read>(reader: R, bar: &ProgressBar) -> ProgressBarIter<R> {
    bar.wrap_read(reader)
}
