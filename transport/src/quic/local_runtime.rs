//! Where quinn's tasks run when they share a thread: in the local set of whoever starts them, in virtual time in a simulation.

use std::future::Future;
use std::io;
use std::net::UdpSocket;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use quinn::{AsyncTimer, AsyncUdpSocket, Runtime, TokioRuntime};

/// Tasks in the local set of whoever starts them, timers of tokio's clock, which simulations pause. Sockets are made before.
#[derive(Debug)]
pub(crate) struct LocalRuntime;

impl Runtime for LocalRuntime {
    fn new_timer(&self, at: Instant) -> Pin<Box<dyn AsyncTimer>> {
        TokioRuntime.new_timer(at)
    }

    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) {
        tokio::task::spawn_local(future);
    }

    fn wrap_udp_socket(&self, _socket: UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "an endpoint here keeps the socket it was given"))
    }

    fn now(&self) -> Instant {
        TokioRuntime.now()
    }
}
