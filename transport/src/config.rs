//! What one may set on a transport: where it listens, how long it waits, how much memory a peer may take.
//!
//! Both implementations read the same values; those about sockets and packets mean nothing in memory. Builds nothing.

use std::net::SocketAddr;
use std::time::Duration;

/// The settings of one transport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where to listen; port 0 lets the operating system choose one.
    pub bind: SocketAddr,
    /// How long one dial may take, from resolving the name to the exchange of hellos. Also how long a peer that dials us may take.
    /// Raise it above three round trips on wide-area links.
    pub connect_timeout: Duration,
    /// After this long without a sign of life a link is dead. Shorter notices failures sooner and mistakes pauses for them.
    pub idle_timeout: Duration,
    /// How often a silent link is shown to be alive. At most half of `idle_timeout`, so that one lost packet is no failure.
    pub keep_alive: Duration,
    /// The wait before the first dial after a failure; it doubles with each failure.
    pub backoff_min: Duration,
    /// The longest wait between two dials.
    pub backoff_max: Duration,
    /// The largest frame body in bytes that is accepted; what is sent is bounded by the peer's value too. Larger things go in bulk.
    pub frame_bytes_max: usize,
    /// How many unsent bytes one lane holds before it is full; a frame that fits in part is taken as a whole.
    pub lane_bytes_max: usize,
    /// How many bytes of one lane are kept until the peer has said that it received them, to be written again after a break; beyond,
    /// the lane waits. Raise it to bandwidth times round trip on wide-area links.
    pub replay_bytes_max: usize,
    /// For how long a peer whose connection broke is awaited; after that, what it has not acknowledged is given back.
    pub reconnect_window: Duration,
    /// The largest header of a bulk stream in bytes.
    pub bulk_header_bytes_max: usize,
    /// How many bulk streams one peer may have open towards us.
    pub bulk_streams_max: u32,
    /// How long a peer may take from opening a stream to having said what it brings; after that, the stream is stopped.
    pub stream_patience: Duration,
    /// How many bytes of one stream, a lane or one of bulk, are received before they are read. Raise it to bandwidth times round trip on
    /// wide-area links.
    pub stream_window: u32,
    /// How many bytes of one peer are received before they are read, all lanes together. Bulk streams have their windows beside it, so
    /// that those nobody reads take nothing from the lanes: see [`Config::unread_max`].
    pub link_window: u32,
    /// How many bytes are sent to one peer before they are acknowledged.
    pub send_window: u32,
    /// How many bytes may be on their way before the path is known. Lower it to 14,720 on wide-area links (RFC 9002 §7.2).
    pub initial_window: u32,
    /// How many bytes of datagrams wait for each direction of one link; older ones are dropped first.
    pub datagram_bytes_max: usize,
    /// The socket's buffers in bytes, each way, as far as the operating system allows. Small ones lose packets under load.
    pub socket_buffer: usize,
    /// The largest UDP payload that path discovery tries, in bytes: 1200 to 6500 (ten of them must fit into one 64-KiB send).
    pub udp_payload_max: u16,
    /// How many strangers may be in the middle of their handshake; beyond, they are refused at once.
    pub handshakes_max: usize,
    /// How many links there may be; beyond, peers are refused.
    pub links_max: usize,
}

/// A setting out of its range; nothing was started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} is out of range: {rule}")]
pub struct ConfigError {
    /// Which field of [`Config`].
    pub field: &'static str,
    /// What must hold.
    pub rule: &'static str,
}

impl Config {
    /// How many bytes of one peer are received before they are read, all streams together: the memory one peer can take.
    #[must_use]
    pub const fn unread_max(&self) -> u32 {
        self.link_window.saturating_add(self.stream_window.saturating_mul(self.bulk_streams_max))
    }

    /// Values for nodes in one data centre, listening at `bind`.
    #[must_use]
    pub const fn lan(bind: SocketAddr) -> Self {
        Self {
            bind,
            connect_timeout: Duration::from_secs(1),
            idle_timeout: Duration::from_secs(3),
            keep_alive: Duration::from_secs(1),
            backoff_min: Duration::from_millis(50),
            backoff_max: Duration::from_secs(2),
            frame_bytes_max: 1 << 20,
            lane_bytes_max: 4 << 20,
            replay_bytes_max: 8 << 20,
            reconnect_window: Duration::from_secs(3),
            bulk_header_bytes_max: 64 << 10,
            bulk_streams_max: 16,
            stream_patience: Duration::from_secs(10),
            stream_window: 2 << 20,
            link_window: 8 << 20,
            send_window: 8 << 20,
            initial_window: 128 << 10,
            datagram_bytes_max: 1 << 20,
            socket_buffer: 4 << 20,
            udp_payload_max: 6500,
            handshakes_max: 64,
            links_max: 1024,
        }
    }

    /// Checks that the values fit together.
    ///
    /// # Errors
    /// Names the first field that does not, and the rule it breaks.
    pub fn check(&self) -> Result<(), ConfigError> {
        let rules = [
            (!self.connect_timeout.is_zero(), "connect_timeout", "it must be positive"),
            (!self.keep_alive.is_zero(), "keep_alive", "it must be positive"),
            (self.keep_alive * 2 <= self.idle_timeout, "keep_alive", "at most half of idle_timeout"),
            (!self.backoff_min.is_zero(), "backoff_min", "it must be positive"),
            (self.backoff_min <= self.backoff_max, "backoff_max", "at least backoff_min"),
            (
                (1..=u32::MAX as usize - 4).contains(&self.frame_bytes_max),
                "frame_bytes_max",
                "between 1 and 4 GiB",
            ),
            (self.lane_bytes_max > 0, "lane_bytes_max", "it must be positive"),
            (self.replay_bytes_max >= 512 << 10, "replay_bytes_max", "at least 512 KiB"),
            (
                self.bulk_header_bytes_max <= self.stream_window as usize,
                "bulk_header_bytes_max",
                "at most stream_window",
            ),
            (
                self.bulk_streams_max <= 56,
                "bulk_streams_max",
                "at most 56: a link has 64 streams, 6 are lanes",
            ),
            (!self.stream_patience.is_zero(), "stream_patience", "it must be positive"),
            (self.stream_window >= 4096, "stream_window", "at least 4096 bytes"),
            (self.link_window >= self.stream_window, "link_window", "at least stream_window"),
            (self.send_window >= 4096, "send_window", "at least 4096 bytes"),
            (self.initial_window >= 14_720, "initial_window", "at least 14,720 bytes"),
            ((1200..=6500).contains(&self.udp_payload_max), "udp_payload_max", "between 1200 and 6500 bytes"),
            (self.handshakes_max > 0, "handshakes_max", "it must be positive"),
            (self.links_max > 0, "links_max", "it must be positive"),
        ];
        match rules.iter().find(|(holds, _, _)| !holds) {
            Some(&(_, field, rule)) => Err(ConfigError { field, rule }),
            None => Ok(()),
        }
    }
}
