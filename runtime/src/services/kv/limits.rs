//! What a caller may ask of the map: checked before anything is sent, so that a bad request costs nobody else anything.

use crate::services::kv::error::{BadKey, KvCause, KvError};
use crate::services::kv::model::{Expect, KEY_LIMIT, Operation, Put, Txn, VALUE_LIMIT};

/// The limits of one handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KvLimits {
    /// The largest value in bytes, and the most that a transaction's keys and values may hold together.
    pub value_bytes: usize,
    /// The most conditions and steps of a transaction.
    pub txn_steps: usize,
}

impl Default for KvLimits {
    fn default() -> Self {
        Self { value_bytes: VALUE_LIMIT, txn_steps: 1024 }
    }
}

impl KvLimits {
    /// A key has 1 to 1,024 bytes without control characters.
    pub(crate) fn check_key(&self, key: &str) -> Result<(), KvError> {
        let bad = if key.is_empty() {
            BadKey::Empty
        } else if key.len() > KEY_LIMIT {
            BadKey::TooLong { size: key.len() }
        } else if key.chars().any(char::is_control) {
            BadKey::ControlCharacter
        } else {
            return Ok(());
        };
        Err(KvError::not_executed(KvCause::BadKey(bad)))
    }

    pub(crate) fn check_put(&self, put: &Put) -> Result<(), KvError> {
        self.check_key(&put.key)?;
        self.check_size(put.value.len())?;
        self.check_size(expected(&put.expect))
    }

    pub(crate) fn check_delete(&self, key: &str, expect: &Expect) -> Result<(), KvError> {
        self.check_key(key)?;
        self.check_size(expected(expect))
    }

    pub(crate) fn check_txn(&self, txn: &Txn) -> Result<(), KvError> {
        let mut size = 0;
        for compare in &txn.compare {
            self.check_key(&compare.key)?;
            size += compare.key.len() + expected(&compare.expect);
        }
        for operation in txn.then.iter().chain(&txn.otherwise) {
            let (key, value) = match operation {
                Operation::Put { key, value, .. } => (key, value.len()),
                Operation::Delete { key } | Operation::Get { key } => (key, 0),
            };
            self.check_key(key)?;
            size += key.len() + value;
        }
        self.check_size(size)?;
        let steps = txn.compare.len() + txn.then.len() + txn.otherwise.len();
        if steps > self.txn_steps {
            return Err(KvError::not_executed(KvCause::TooManySteps { steps, limit: self.txn_steps }));
        }
        Ok(())
    }

    fn check_size(&self, size: usize) -> Result<(), KvError> {
        if size > self.value_bytes {
            return Err(KvError::not_executed(KvCause::TooLarge { size, limit: self.value_bytes }));
        }
        Ok(())
    }
}

fn expected(expect: &Expect) -> usize {
    match expect {
        Expect::Value(value) => value.len(),
        Expect::Any | Expect::Absent | Expect::Index(_) => 0,
    }
}
