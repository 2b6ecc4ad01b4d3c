//! The settings of QUIC: how much memory a peer may take, how large packets get, and the socket's buffers.
//!
//! quinn's defaults let one peer fill 250 MB and a stranger 10 MB; each limit here has its field in the configuration.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use quinn::congestion::CubicConfig;
use quinn::{EndpointConfig, IdleTimeout, MtuDiscoveryConfig, ServerConfig, TransportConfig, VarInt};
use socket2::{Domain, Protocol, Socket, Type};

use crate::config::Config;
use crate::error::StartError;
use crate::lane::LANES;

/// How much one stranger may send before its handshake is looked at, in bytes.
const STRANGER_BYTES: u64 = 64 << 10;
/// How much all strangers together may.
const STRANGERS_BYTES: u64 = 4 << 20;

/// The settings of each connection: streams for the lanes, for bulk, one for acknowledgements and one for the last word.
pub(crate) fn connection(config: &Config) -> Result<Arc<TransportConfig>, StartError> {
    let idle = IdleTimeout::try_from(config.idle_timeout)
        .map_err(|_| crate::config::ConfigError { field: "idle_timeout", rule: "below 2^62 ms" })?;
    let mut discovery = MtuDiscoveryConfig::default();
    discovery.upper_bound(config.udp_payload_max).interval(Duration::from_secs(60));
    let mut congestion = CubicConfig::default();
    congestion.initial_window(u64::from(config.initial_window));
    let mut settings = TransportConfig::default();
    settings
        .congestion_controller_factory(Arc::new(congestion))
        .max_idle_timeout(Some(idle))
        .keep_alive_interval(Some(config.keep_alive))
        .max_concurrent_bidi_streams(VarInt::from_u32(0))
        .max_concurrent_uni_streams(VarInt::from_u32(LANES as u32 + config.bulk_streams_max + 2))
        .stream_receive_window(VarInt::from_u32(config.stream_window))
        .receive_window(VarInt::from_u32(config.unread_max()))
        .send_window(u64::from(config.send_window))
        .datagram_receive_buffer_size(Some(config.datagram_bytes_max))
        .datagram_send_buffer_size(config.datagram_bytes_max)
        .mtu_discovery_config(Some(discovery));
    Ok(Arc::new(settings))
}

/// The settings of the endpoint: both ends have to accept packets as large as discovery tries.
pub(crate) fn endpoint(mut settings: EndpointConfig, config: &Config) -> Result<EndpointConfig, StartError> {
    settings
        .max_udp_payload_size(config.udp_payload_max)
        .map_err(|_| crate::config::ConfigError { field: "udp_payload_max", rule: "at least 1200 bytes" })?;
    Ok(settings)
}

/// The settings for those who dial us.
pub(crate) fn server(
    mut settings: ServerConfig,
    config: &Config,
    connection: Arc<TransportConfig>,
) -> ServerConfig {
    settings
        .transport_config(connection)
        .max_incoming(config.handshakes_max)
        .incoming_buffer_size(STRANGER_BYTES)
        .incoming_buffer_size_total(STRANGERS_BYTES);
    settings
}

/// The socket, bound.
pub(crate) fn socket(config: &Config) -> Result<UdpSocket, StartError> {
    let address = config.bind;
    bind(address, config.socket_buffer).map_err(|source| StartError::Bind { address, source })
}

fn bind(address: SocketAddr, buffer: usize) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    // The operating system may grant less or nothing: then there is more loss under load, which QUIC repairs.
    let _ = socket.set_recv_buffer_size(buffer);
    let _ = socket.set_send_buffer_size(buffer);
    socket.bind(&address.into())?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}
