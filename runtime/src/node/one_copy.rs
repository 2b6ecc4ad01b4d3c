//! Values of which a node keeps one copy, however many of its services have the same: members, settings.
//!
//! They are kept for as long as the node lives: of those that differ there are few.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// One copy of each value; clones share them.
pub(super) struct OneCopy<T>(Arc<Mutex<BTreeSet<Arc<T>>>>);

impl<T: Ord> OneCopy<T> {
    /// The one copy of this value.
    pub(super) fn of(&self, value: T) -> Arc<T> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(same) = known.get(&value) {
            return Arc::clone(same);
        }
        let value = Arc::new(value);
        known.insert(Arc::clone(&value));
        value
    }
}

impl<T> Clone for OneCopy<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for OneCopy<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_are_one_and_others_are_not() {
        let copies = OneCopy::default();
        let (one, other) = (copies.of("a".to_owned()), copies.clone().of("b".to_owned()));
        assert!(Arc::ptr_eq(&one, &copies.of("a".to_owned())));
        assert!(!Arc::ptr_eq(&one, &other) && *other == "b");
    }
}
