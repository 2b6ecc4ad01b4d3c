//! Several objects of one model, each under its key: a history is linearizable if and only if each object's part is.

use std::collections::BTreeMap;

use crate::sim::check::call::{Call, Returned};
use crate::sim::check::effort::Effort;
use crate::sim::check::model::{Misfit, Model, Start};
use crate::sim::check::verdict::{Verdict, check};
use crate::sim::history::Operation;

/// Checks each key apart, those with few operations first, so that a hard one does not use up the patience for all.
///
/// `keep_going` is told the key and its cost so far; once it has said no, keys that need the question are unknown.
///
/// # Errors
/// The key and its [`Misfit`], whose position is that among the operations of the key.
pub fn check_keys<K: Ord + Clone>(
    model: Model,
    start: &Start,
    histories: &BTreeMap<K, Vec<Operation<Call, Returned>>>,
    mut keep_going: impl FnMut(&K, &Effort) -> bool,
) -> Result<BTreeMap<K, Verdict>, (K, Misfit)> {
    let mut keys: Vec<(&K, &Vec<_>)> = histories.iter().collect();
    keys.sort_by_key(|(_, operations)| operations.len());
    let mut verdicts = BTreeMap::new();
    for (key, operations) in keys {
        let verdict = check(model, start, operations, |effort| keep_going(key, effort))
            .map_err(|misfit| (key.clone(), misfit))?;
        verdicts.insert(key.clone(), verdict);
    }
    Ok(verdicts)
}
