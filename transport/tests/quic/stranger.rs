//! A QUIC client that is none of ours, on a socket of its own: it writes what it likes.

use std::net::SocketAddr;

use quinn::{Connection, Endpoint, SendStream};
use synod_transport::Credential;

use crate::dialling::settings;
use crate::recorder::Node;

/// An endpoint that dials with this certificate, or with none.
pub(crate) fn stranger(credential: Option<&Credential>) -> Endpoint {
    let mut endpoint = Endpoint::client(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a socket");
    endpoint.set_default_client_config(settings(credential));
    endpoint
}

/// The bytes of a hello, as a member whose name comes after the other's would say it.
pub(crate) fn hello() -> Vec<u8> {
    let mut bytes = b"synod\n".to_vec();
    bytes.extend_from_slice(&3u16.to_le_bytes());
    bytes.extend_from_slice(&28u16.to_le_bytes());
    bytes.extend_from_slice(&9u64.to_le_bytes());
    bytes.extend_from_slice(&(1u32 << 20).to_le_bytes());
    bytes.extend_from_slice(&[0; 16]);
    bytes
}

/// What an end says of its session: its name, and the frames of each lane that it has received.
#[derive(Clone, Copy)]
pub(crate) struct Word([u8; 56]);

impl Word {
    /// The same session, of whose control lane so many frames were received.
    pub(crate) fn claiming(mut self, frames: u64) -> Self {
        self.0[16..24].copy_from_slice(&frames.to_le_bytes());
        self
    }
}

/// Opens a link by hand, to a node whose name comes first, so that it is the arbiter; gives the control lane.
pub(crate) async fn link(endpoint: &Endpoint, to: &Node) -> (Connection, SendStream) {
    let (connection, control, _) = link_with(endpoint, to, |own| own).await;
    (connection, control)
}

/// The same, saying `of` what the node says of its session; gives that too.
pub(crate) async fn link_with(
    endpoint: &Endpoint,
    to: &Node,
    of: impl FnOnce(Word) -> Word,
) -> (Connection, SendStream, Word) {
    let address = to.transport.local_address();
    let connection = endpoint.connect(address, "shop.synod").expect("dialled").await.expect("connected");
    let mut control = connection.open_uni().await.expect("a stream");
    control.write_all(&[&[0], &hello()[..]].concat()).await.expect("written");
    let mut answer = connection.accept_uni().await.expect("the control lane");
    // Lane, hello, and the arbiter's number for the link, which goes back.
    let mut bytes = [0; 1 + 38 + 8];
    answer.read_exact(&mut bytes).await.expect("a hello");
    control.write_all(&bytes[39..]).await.expect("written");
    let mut own = Word([0; 56]);
    answer.read_exact(&mut own.0).await.expect("the word about the session");
    control.write_all(&of(own).0).await.expect("written");
    (connection, control, own)
}
