//! A socket of the simulated network, as quinn uses one.

use std::fmt;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, UdpPoller};
use tokio::time::Instant;

use super::host::Datagram;
use super::network::{Network, Place};

/// A place on the network at work; dropping it frees the address.
pub(crate) struct Socket {
    network: Network,
    place: Place,
}

impl Socket {
    pub(crate) fn new(network: Network, place: Place) -> Self {
        Self { network, place }
    }
}

impl AsyncUdpSocket for Socket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(AlwaysWritable)
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        let size = transmit.segment_size.unwrap_or(transmit.contents.len()).max(1);
        for segment in transmit.contents.chunks(size) {
            let datagram = Datagram { from: self.place.address, bytes: segment.into(), ecn: transmit.ecn };
            self.network.send(&self.place, transmit.destination, &datagram);
        }
        Ok(())
    }

    fn poll_recv(
        &self,
        context: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let (host, ticket) = (&self.place.host, self.place.ticket);
        let mut next = Some(ready!(host.poll(ticket, context)));
        let now = Instant::now();
        let mut count = 0;
        for (buffer, meta) in buffers.iter_mut().zip(meta) {
            let Some(datagram) = next.take().or_else(|| host.take(ticket, now)) else { break };
            // One that is too large for the receiver is cut, as the operating system does.
            let length = datagram.bytes.len().min(buffer.len());
            buffer[..length].copy_from_slice(&datagram.bytes[..length]);
            *meta = RecvMeta::default();
            (meta.addr, meta.len, meta.stride) = (datagram.from, length, length);
            (meta.ecn, meta.dst_ip) = (datagram.ecn, Some(self.place.address.ip()));
            count += 1;
        }
        Poll::Ready(Ok(count))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.place.address)
    }

    fn may_fragment(&self) -> bool {
        false
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.place.host.leave(self.place.ticket);
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Socket({})", self.place.address)
    }
}

/// The way into the network is never full.
#[derive(Debug)]
struct AlwaysWritable;

impl UdpPoller for AlwaysWritable {
    fn poll_writable(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
