//! What a transport counts, read when somebody asks for it.
//!
//! Holds no transport alive: a node that has gone has nothing to say.

use std::fmt;
use std::sync::{Arc, Weak};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use synod_transport::{Transport, TransportError};

/// The counters of one transport.
pub(super) struct TransportMeters(Weak<dyn Transport>);

impl TransportMeters {
    pub(super) fn new(transport: &Arc<dyn Transport>) -> Self {
        Self(Arc::downgrade(transport))
    }
}

impl Collector for TransportMeters {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Some(transport) = self.0.upgrade() else { return Ok(()) };
        let counted = transport.metrics();
        let links =
            encoder.encode_descriptor("synod_links", "Links that are open", None, MetricType::Gauge)?;
        ConstGauge::new(counted.links).encode(links)?;
        let counters = [
            ("synod_links_opened", "Links that were opened", counted.links_opened),
            ("synod_link_connections", "Connections that carried links", counted.connections),
            ("synod_link_frames_replayed", "Frames written again after a break", counted.frames_replayed),
            ("synod_link_bytes_returned", "Bytes of frames given back", counted.bytes_returned),
            ("synod_link_acks_sent", "Words about what has been received", counted.acks_out),
            ("synod_link_dials", "Dials that were tried", counted.dials),
            ("synod_link_violations", "Links closed because the peer broke a rule", counted.violations),
            ("synod_link_frames_sent", "Frames written to lanes", counted.frames_out),
            ("synod_link_batches_sent", "Writes to lanes", counted.batches_out),
            ("synod_link_bytes_sent", "Bytes written to lanes", counted.bytes_out),
            ("synod_link_batches_received", "Reads of lanes that brought frames", counted.batches_in),
            ("synod_link_bytes_received", "Bytes of frames read from lanes", counted.bytes_in),
            ("synod_link_datagrams_sent", "Datagrams given to links", counted.datagrams_out),
            ("synod_link_datagrams_received", "Datagrams received", counted.datagrams_in),
            ("synod_link_bulk_sent", "Bulk streams opened here", counted.bulk_out),
            ("synod_link_bulk_received", "Bulk streams opened by peers", counted.bulk_in),
            (
                "synod_identity_renewals",
                "Times another identity took the place of the last",
                counted.renewals,
            ),
            (
                "synod_links_distrusted",
                "Connections ended because a certificate is accepted no longer",
                counted.links_distrusted,
            ),
            ("synod_link_streams_stalled", "Streams that did not begin in time", counted.streams_stalled),
            (
                "synod_link_handshakes_retried",
                "Strangers asked to show their address",
                counted.handshakes_retried,
            ),
            ("synod_link_handshakes_shed", "Strangers turned away unheard", counted.handshakes_shed),
        ];
        for (name, help, value) in counters {
            ConstCounter::new(value).encode(encoder.encode_descriptor(
                name,
                help,
                None,
                MetricType::Counter,
            )?)?;
        }
        let help = "Peers refused and dials failed, by kind";
        let mut refusals =
            encoder.encode_descriptor("synod_link_refusals", help, None, MetricType::Counter)?;
        for kind in TransportError::KINDS {
            let value = counted.refusals.get(kind).copied().unwrap_or_default();
            ConstCounter::new(value).encode(refusals.encode_family(&[("kind", kind)])?)?;
        }
        Ok(())
    }
}

impl fmt::Debug for TransportMeters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TransportMeters")
    }
}
