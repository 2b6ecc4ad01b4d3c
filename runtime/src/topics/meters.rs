//! What topics count on a node.

use crate::telemetry::{Counter, CounterFamily, Gauge, Metrics};

/// Why a publication did not reach somebody.
#[derive(Clone, Copy, Debug)]
pub(super) enum Dropped {
    /// The subscriber has no room.
    Subscriber,
    /// More waits on this node to be handed to subscribers than it hands on.
    Node,
    /// The link to a node with subscribers has no room, or is gone.
    Link,
    /// It is none of the subscribers' type.
    Unreadable,
}

/// The metrics of all topics of a node.
#[derive(Clone)]
pub(super) struct Meters {
    pub(super) published: Counter,
    pub(super) frames: Counter,
    pub(super) delivered: Counter,
    pub(super) subscribers: Gauge,
    subscriber_full: Counter,
    node_full: Counter,
    link: Counter,
    unreadable: Counter,
}

impl Meters {
    pub(super) fn new(metrics: &Metrics) -> Self {
        let dropped: CounterFamily = metrics
            .counters("synod_topic_dropped", "Publications that did not reach somebody, by where they ended");
        let reason = |reason: &str| dropped.get_or_create_owned(&vec![("at", reason.to_owned())]);
        Self {
            published: metrics.counter("synod_topic_published", "Publications on this node"),
            frames: metrics.counter("synod_topic_frames", "Publications sent to other nodes"),
            delivered: metrics.counter("synod_topic_delivered", "Publications handed to subscribers here"),
            subscribers: metrics.gauge("synod_topic_subscribers", "Subscriptions on this node"),
            subscriber_full: reason("subscriber"),
            node_full: reason("node"),
            link: reason("link"),
            unreadable: reason("unreadable"),
        }
    }

    pub(super) fn dropped(&self, at: Dropped) -> &Counter {
        match at {
            Dropped::Subscriber => &self.subscriber_full,
            Dropped::Node => &self.node_full,
            Dropped::Link => &self.link,
            Dropped::Unreadable => &self.unreadable,
        }
    }
}
