//! Endpoints with the settings that synod ships: windows, packets, the socket's buffers, TLS 1.3 by ring.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use quinn::congestion::CubicConfig;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{
    ClientConfig, Connection, Endpoint, EndpointConfig, MtuDiscoveryConfig, ServerConfig, TokioRuntime,
    TransportConfig, VarInt,
};
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use socket2::{Domain, Protocol, Socket, Type};

use crate::line::Failure;

const NAME: &str = "localhost";
const UDP_PAYLOAD: u16 = 6_500;
const SOCKET_BUFFER: usize = 4 << 20;

/// An endpoint that listens, and what a client has to know of it.
pub(crate) fn listen() -> Result<(Endpoint, String), Failure> {
    let certified = rcgen::generate_simple_self_signed(vec![NAME.to_owned()])?;
    let key = PrivateKeyDer::Pkcs8(certified.signing_key.serialize_der().into());
    let certificate = certified.cert.der().clone();
    let tls = rustls::ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)?;
    let mut config = ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls)?));
    config.transport_config(transport());
    let endpoint = Endpoint::new(endpoint()?, Some(config), socket()?, Arc::new(TokioRuntime))?;
    let address = endpoint.local_addr()?;
    let hex: String = certificate.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((endpoint, format!("{address} {hex}")))
}

/// A connection to where that endpoint said it is.
pub(crate) async fn connect(whereabouts: &str) -> Result<Connection, Failure> {
    let (address, hex) = whereabouts.split_once(' ').ok_or("no address and certificate")?;
    let bytes = (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16));
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(bytes.collect::<Result<Vec<u8>, _>>()?))?;
    let tls = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut config = ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls)?));
    config.transport_config(transport());
    let endpoint = Endpoint::new(endpoint()?, None, socket()?, Arc::new(TokioRuntime))?;
    Ok(endpoint.connect_with(config, address.parse()?, NAME)?.await?)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn transport() -> Arc<TransportConfig> {
    let mut discovery = MtuDiscoveryConfig::default();
    discovery.upper_bound(UDP_PAYLOAD).interval(Duration::from_secs(60));
    let mut congestion = CubicConfig::default();
    congestion.initial_window(128 << 10);
    let mut settings = TransportConfig::default();
    settings
        .congestion_controller_factory(Arc::new(congestion))
        .stream_receive_window(VarInt::from_u32(2 << 20))
        .receive_window(VarInt::from_u32(8 << 20))
        .send_window(8 << 20)
        .mtu_discovery_config(Some(discovery));
    Arc::new(settings)
}

fn endpoint() -> Result<EndpointConfig, Failure> {
    let mut settings = EndpointConfig::default();
    settings.max_udp_payload_size(UDP_PAYLOAD)?;
    Ok(settings)
}

fn socket() -> Result<UdpSocket, Failure> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_recv_buffer_size(SOCKET_BUFFER)?;
    socket.set_send_buffer_size(SOCKET_BUFFER)?;
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}
