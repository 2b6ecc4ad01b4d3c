//! Whether a node has heard of nobody.

use crate::recorder::{Heard, Recorder};

impl Recorder {
    /// Whether anything but refusals was heard.
    pub(crate) fn is_untouched(&self) -> bool {
        self.heard().iter().all(|event| matches!(event, Heard::Refused(_)))
    }
}
