//! The ways to a [`Node`]: a builder, or a configuration.

use synod_transport::Role;

use crate::node::builder::NodeBuilder;
use crate::node::config::NodeConfig;
use crate::node::error::StartError;
use crate::node::handle::Node;

impl Node {
    /// A node of `cluster` that is called `name`, to be told the rest.
    pub fn builder(cluster: &str, name: &str) -> NodeBuilder {
        NodeBuilder::new(cluster, name, Role::Member)
    }

    /// A client of `cluster`: an identity that calls actors, and neither votes nor hosts.
    pub fn client(cluster: &str, name: &str) -> NodeBuilder {
        NodeBuilder::new(cluster, name, Role::Client)
    }

    /// Starts a node as its configuration says. Call it inside an actix system.
    ///
    /// # Errors
    /// [`StartError`]; nothing runs then.
    pub async fn start(config: &NodeConfig) -> Result<Self, StartError> {
        NodeBuilder::from_config(config)?.start().await
    }
}
