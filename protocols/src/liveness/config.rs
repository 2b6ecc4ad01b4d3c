//! What a liveness machine has to be told: who it is, how often it beats and how patient it is.
//!
//! Not whom to watch; that is asked for while it runs.

use std::time::Duration;

use thiserror::Error;

use crate::types::NodeId;

/// The settings of one node's liveness machine. Start from [`Config::lan`], [`Config::wan`] or [`Config::sim`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// This node.
    pub id: NodeId,
    /// How often a node that is wanted beats. Equal on all nodes, or small beside everybody's timeout.
    pub interval: Duration,
    /// How long a peer may be silent before it is suspected; noticed at most one interval later. Several intervals, so that a lost
    /// beat does no harm; the election timeout of the groups that rely on it is a good value.
    pub timeout: Duration,
}

/// Why a [`Config`] cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// Beats without a pause.
    #[error("interval must not be zero")]
    NoInterval,
    /// Everybody would be suspected.
    #[error("timeout ({timeout:?}) must be at least twice interval ({interval:?})")]
    Impatient {
        /// The timeout given.
        timeout: Duration,
        /// The interval given.
        interval: Duration,
    },
}

impl Config {
    /// For nodes in one building.
    #[must_use]
    pub fn lan(id: NodeId) -> Self {
        Self { id, interval: Duration::from_millis(100), timeout: Duration::from_millis(500) }
    }

    /// For nodes on several continents.
    #[must_use]
    pub fn wan(id: NodeId) -> Self {
        Self { id, interval: Duration::from_millis(500), timeout: Duration::from_secs(3) }
    }

    /// For simulation.
    #[must_use]
    pub fn sim(id: NodeId) -> Self {
        Self { id, interval: Duration::from_millis(60), timeout: Duration::from_millis(300) }
    }

    /// Checks that a machine can run with these settings. Changes nothing.
    ///
    /// # Errors
    /// The first setting found with which nobody would be told the truth.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if self.interval.is_zero() {
            return Err(ConfigError::NoInterval);
        }
        if self.timeout < self.interval * 2 {
            return Err(ConfigError::Impatient { timeout: self.timeout, interval: self.interval });
        }
        Ok(())
    }
}
