//! What queues count, by name.

use crate::telemetry::{Counter, CounterFamily, Gauge, GaugeFamily, Metrics};

/// The metrics of all queues of a node.
pub(super) struct QueueMeters {
    accepted: CounterFamily,
    confirmed: CounterFamily,
    resent: CounterFamily,
    reassigned: CounterFamily,
    handed: CounterFamily,
    repeated: CounterFamily,
    returned: CounterFamily,
    unreadable: CounterFamily,
    unconfirmed: GaugeFamily,
}

/// The metrics of one queue.
pub(super) struct Meters {
    pub(super) accepted: Counter,
    pub(super) confirmed: Counter,
    pub(super) resent: Counter,
    pub(super) reassigned: Counter,
    pub(super) handed: Counter,
    pub(super) repeated: Counter,
    pub(super) returned: Counter,
    pub(super) unreadable: Counter,
    pub(super) unconfirmed: Gauge,
}

impl QueueMeters {
    pub(super) fn new(metrics: &Metrics) -> Self {
        let family = |name: &str, help: &str| metrics.counters(&format!("synod_delivery_{name}"), help);
        Self {
            accepted: family("accepted", "Messages that a queue's sender accepted"),
            confirmed: family("confirmed", "Messages of this node's sender that a handler confirmed"),
            resent: family("resent", "Messages sent again to the same receiver"),
            reassigned: family("reassigned", "Messages taken from a receiver that had gone"),
            handed: family("handed", "Messages handed to this node's handler, again or not"),
            repeated: family("repeated", "Messages that came again and were not handed out"),
            returned: family("returned", "Messages that the handler gave back"),
            unreadable: family("unreadable", "Messages that are none of the receiver's type"),
            unconfirmed: metrics.gauges("synod_delivery_unconfirmed", "Messages accepted and not confirmed"),
        }
    }

    pub(super) fn of(&self, queue: &str) -> Meters {
        let labels = vec![("queue", queue.to_owned())];
        let counter = |family: &CounterFamily| family.get_or_create_owned(&labels);
        Meters {
            accepted: counter(&self.accepted),
            confirmed: counter(&self.confirmed),
            resent: counter(&self.resent),
            reassigned: counter(&self.reassigned),
            handed: counter(&self.handed),
            repeated: counter(&self.repeated),
            returned: counter(&self.returned),
            unreadable: counter(&self.unreadable),
            unconfirmed: self.unconfirmed.get_or_create_owned(&labels),
        }
    }
}
