//! The network between the nodes: a socket for each end of each pair, and a weather for each direction.
//!
//! Where node A reaches node B is a socket of this process: what A sends there leaves for B from the socket at which B reaches A, so
//! that either may dial and both see one address of the other. Knows nothing of what the datagrams mean.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use synod::protocols::prng::Prng;
use tokio::net::UdpSocket;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use super::weather::{Fate, Weather};
use crate::failure::Failure;

/// The largest datagram there is.
const DATAGRAM: usize = 64 << 10;
/// How many datagrams of one direction may be late at once; beyond, they are lost.
const LATE_MAX: usize = 8_192;

/// Both directions of all pairs. Dropping it closes the sockets.
pub(super) struct Proxy {
    nodes: usize,
    wires: Vec<Arc<Wire>>,
    addresses: Vec<SocketAddr>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// One direction between two nodes.
#[derive(Default)]
struct Wire {
    weather: Mutex<Weather>,
    struck: AtomicU64,
}

/// One direction at work.
struct Carrier {
    wire: Arc<Wire>,
    /// Where the sender reaches the other.
    entry: Arc<UdpSocket>,
    /// Where the other reaches the sender.
    exit: Arc<UdpSocket>,
    sender: SocketAddr,
    receiver: SocketAddr,
    prng: Prng,
    late: BTreeMap<(Instant, u64), Vec<u8>>,
    number: u64,
}

impl Proxy {
    /// Carries datagrams between nodes that listen at these addresses.
    ///
    /// # Errors
    /// When the operating system gives no sockets or no thread.
    pub(super) fn start(nodes: &[SocketAddr], seed: u64) -> Result<Self, Failure> {
        let failed = |error: io::Error| Failure::new(format!("cannot start the network's proxy: {error}"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let count = nodes.len();
        let sockets: io::Result<Vec<Arc<UdpSocket>>> = runtime.block_on(async {
            let mut sockets = Vec::new();
            for _ in 0..count * count {
                sockets.push(Arc::new(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?));
            }
            Ok(sockets)
        });
        let sockets = sockets.map_err(failed)?;
        let addresses: io::Result<Vec<SocketAddr>> =
            sockets.iter().map(|socket| socket.local_addr()).collect();
        let addresses = addresses.map_err(failed)?;
        let wires: Vec<Arc<Wire>> = (0..count * count).map(|_| Arc::default()).collect();
        let mut carriers = Vec::new();
        for (from, to) in pairs(count) {
            carriers.push(Carrier {
                wire: wires[from * count + to].clone(),
                entry: sockets[from * count + to].clone(),
                exit: sockets[to * count + from].clone(),
                sender: nodes[from],
                receiver: nodes[to],
                prng: Prng::fork(seed, (from * count + to) as u64),
                late: BTreeMap::new(),
                number: 0,
            });
        }
        let (stop, stopped) = oneshot::channel();
        let work = move || {
            runtime.block_on(async {
                for carrier in carriers {
                    tokio::spawn(carrier.carry());
                }
                // The end of the proxy is an end too.
                let _ = stopped.await;
            });
        };
        let thread = thread::Builder::new().name("proxy".to_owned()).spawn(work).map_err(failed)?;
        Ok(Self { nodes: count, wires, addresses, stop: Some(stop), thread: Some(thread) })
    }

    /// Where one node reaches another, by their numbers.
    pub(super) fn address(&self, from: usize, to: usize) -> SocketAddr {
        self.addresses[from * self.nodes + to]
    }

    /// Gives some directions this weather.
    pub(super) fn set(&self, pairs: &[(usize, usize)], weather: Weather) {
        for &(from, to) in pairs {
            let wire = &self.wires[from * self.nodes + to];
            *wire.weather.lock().unwrap_or_else(PoisonError::into_inner) = weather;
        }
    }

    /// Fair weather everywhere.
    pub(super) fn clear(&self) {
        self.set(&pairs(self.nodes).collect::<Vec<_>>(), Weather::default());
    }

    /// How many datagrams were lost or late so far.
    pub(super) fn struck(&self) -> u64 {
        self.wires.iter().map(|wire| wire.struck.load(Ordering::Relaxed)).sum()
    }
}

/// The directed pairs of so many nodes.
fn pairs(count: usize) -> impl Iterator<Item = (usize, usize)> {
    let all = (0..count).flat_map(move |from| (0..count).map(move |to| (from, to)));
    all.filter(|(from, to)| from != to)
}

impl Carrier {
    async fn carry(mut self) {
        let mut buffer = vec![0; DATAGRAM];
        loop {
            let due = self.late.first_key_value().map(|((due, _), _)| *due);
            tokio::select! {
                received = self.entry.recv_from(&mut buffer) => match received {
                    Ok((size, from)) if from == self.sender => self.decide(&buffer[..size]),
                    // A stranger's, or word that nobody listens at the other end.
                    Ok(_) | Err(_) => {}
                },
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => self.release(),
            }
        }
    }

    fn decide(&mut self, datagram: &[u8]) {
        let weather = *self.wire.weather.lock().unwrap_or_else(PoisonError::into_inner);
        let fate = weather.fate(&mut self.prng);
        if fate != Fate::Passes {
            self.wire.struck.fetch_add(1, Ordering::Relaxed);
        }
        match fate {
            Fate::Passes => self.send(datagram),
            Fate::Late(late) if self.late.len() < LATE_MAX => {
                self.number += 1;
                self.late.insert((Instant::now() + late, self.number), datagram.to_vec());
            }
            Fate::Late(_) | Fate::Cut | Fate::Lost => {}
        }
    }

    fn release(&mut self) {
        let now = Instant::now();
        while let Some(entry) = self.late.first_entry().filter(|entry| entry.key().0 <= now) {
            let datagram = entry.remove();
            self.send(&datagram);
        }
    }

    /// A network may lose a datagram: one that the socket does not take at once is lost.
    fn send(&self, datagram: &[u8]) {
        let _ = self.exit.try_send_to(datagram, self.receiver);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It has no way to panic that would matter here.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket as Socket;
    use std::time::Duration;

    fn two() -> (Socket, Socket, Proxy) {
        let socket = || {
            let socket = Socket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            socket.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
            socket
        };
        let (a, b) = (socket(), socket());
        let proxy = Proxy::start(&[a.local_addr().unwrap(), b.local_addr().unwrap()], 1).unwrap();
        (a, b, proxy)
    }

    fn heard(socket: &Socket) -> Option<(Vec<u8>, SocketAddr)> {
        let mut buffer = [0; 2048];
        let (size, from) = socket.recv_from(&mut buffer).ok()?;
        Some((buffer[..size].to_vec(), from))
    }

    #[test]
    fn each_end_hears_the_other_from_where_it_reaches_it() {
        let (a, b, proxy) = two();
        a.send_to(b"to b", proxy.address(0, 1)).unwrap();
        let (said, from) = heard(&b).unwrap();
        assert_eq!((said.as_slice(), from), (&b"to b"[..], proxy.address(1, 0)));
        b.send_to(b"to a", from).unwrap();
        assert_eq!(heard(&a).unwrap(), (b"to a".to_vec(), proxy.address(0, 1)));
        let stranger = Socket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        stranger.send_to(b"hello", proxy.address(0, 1)).unwrap();
        assert_eq!(heard(&b), None);
    }

    #[test]
    fn a_cut_is_of_one_direction_and_ends() {
        let (a, b, proxy) = two();
        proxy.set(&[(0, 1)], Weather { cut: true, ..Weather::default() });
        a.send_to(b"lost", proxy.address(0, 1)).unwrap();
        b.send_to(b"there", proxy.address(1, 0)).unwrap();
        assert_eq!(heard(&a).unwrap().0, b"there");
        assert_eq!((heard(&b), proxy.struck()), (None, 1));
        proxy.clear();
        a.send_to(b"again", proxy.address(0, 1)).unwrap();
        assert_eq!(heard(&b).unwrap().0, b"again");
    }

    #[test]
    fn late_datagrams_come_late_and_all_of_them() {
        let (a, b, proxy) = two();
        let delay = Duration::from_millis(60);
        proxy.set(&[(0, 1)], Weather { delay, jitter: delay, ..Weather::default() });
        let begun = std::time::Instant::now();
        for number in 0..20u8 {
            a.send_to(&[number], proxy.address(0, 1)).unwrap();
        }
        let mut numbers: Vec<u8> = (0..20).map(|_| heard(&b).unwrap().0[0]).collect();
        assert!(begun.elapsed() >= delay);
        numbers.sort_unstable();
        assert_eq!(numbers, (0..20).collect::<Vec<u8>>());
        drop(proxy);
    }
}
