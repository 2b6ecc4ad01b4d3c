//! What every handler shares.

use std::sync::Arc;

use crate::config::Config;
use crate::measures::Measures;
use crate::readiness::CaughtUp;
use crate::service::Service;
use crate::stopping::Stopping;

/// One node's gateway, as its handlers see it.
pub(crate) struct Gate {
    pub(crate) service: Arc<dyn Service>,
    pub(crate) config: Config,
    pub(crate) measures: Measures,
    pub(crate) caught_up: CaughtUp,
    pub(crate) stopping: Stopping,
}
