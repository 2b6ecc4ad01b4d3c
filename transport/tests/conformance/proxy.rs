//! A UDP proxy in user space, between those who dial it and one node: it cuts, loses, repeats, delays and reorders packets.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, Weak};
use std::thread;
use std::time::{Duration, Instant};

/// What is done to packets.
#[derive(Clone, Copy, Default)]
pub(crate) struct Faults {
    /// Nothing gets through.
    pub(crate) cut: bool,
    /// Of sixteen packets about one is lost, one repeated, and three are late.
    pub(crate) rough: bool,
}

/// The proxy; it ends when it is dropped.
pub(crate) struct Proxy {
    address: SocketAddr,
    faults: Arc<Mutex<Faults>>,
}

impl Proxy {
    pub(crate) fn start(target: SocketAddr) -> Self {
        let front = socket();
        let address = front.local_addr().expect("an address");
        let faults = Arc::new(Mutex::new(Faults::default()));
        let watched = Arc::downgrade(&faults);
        thread::spawn(move || Work::new(front, target, watched).run());
        Self { address, faults }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn set(&self, faults: Faults) {
        *self.faults.lock().expect("no test panics here") = faults;
    }
}

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.set_nonblocking(true).expect("a setting");
    socket
}

/// Draws what becomes of each packet, from a seed of its own.
pub(crate) struct Relay {
    chance: u64,
}

impl Default for Relay {
    fn default() -> Self {
        Self { chance: 0x5EED }
    }
}

impl Relay {
    /// How late each copy of a packet is.
    pub(crate) fn copies(&mut self, faults: Faults) -> Vec<Duration> {
        if faults.cut {
            return Vec::new();
        }
        if !faults.rough {
            return vec![Duration::ZERO];
        }
        match self.draw() % 16 {
            0 => Vec::new(),
            1 => vec![Duration::ZERO; 2],
            2..=4 => vec![Duration::from_millis(1 + self.draw() % 8)],
            _ => vec![Duration::ZERO],
        }
    }

    /// SplitMix64.
    fn draw(&mut self) -> u64 {
        self.chance = self.chance.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.chance ^ (self.chance >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z ^ (z >> 31)
    }
}

struct Work {
    front: UdpSocket,
    target: SocketAddr,
    faults: Weak<Mutex<Faults>>,
    /// For each client, the socket by which the target knows it.
    backs: BTreeMap<SocketAddr, UdpSocket>,
    /// What is on its way, by when it is due and the order in which it came.
    under_way: BTreeMap<(Instant, u64), (SocketAddr, bool, Vec<u8>)>,
    births: u64,
    relay: Relay,
}

impl Work {
    fn new(front: UdpSocket, target: SocketAddr, faults: Weak<Mutex<Faults>>) -> Self {
        let (backs, under_way, relay) = (BTreeMap::new(), BTreeMap::new(), Relay::default());
        Self { front, target, faults, backs, under_way, births: 0, relay }
    }

    #[expect(clippy::disallowed_methods, reason = "the thread is the proxy's own")]
    fn run(mut self) {
        let mut buffer = vec![0; 1 << 16];
        while let Some(faults) = self.faults.upgrade() {
            let faults = *faults.lock().expect("no test panics here");
            let mut idle = true;
            while let Some((size, client)) = received(&self.front, &mut buffer) {
                idle = false;
                self.backs.entry(client).or_insert_with(socket);
                self.take(faults, client, true, &buffer[..size]);
            }
            let clients: Vec<SocketAddr> = self.backs.keys().copied().collect();
            for client in clients {
                while let Some((size, _)) = received(&self.backs[&client], &mut buffer) {
                    idle = false;
                    self.take(faults, client, false, &buffer[..size]);
                }
            }
            while let Some(entry) =
                self.under_way.first_entry().filter(|entry| entry.key().0 <= Instant::now())
            {
                let (client, forth, packet) = entry.remove();
                self.send(client, forth, &packet);
            }
            if idle {
                thread::sleep(Duration::from_micros(200));
            }
        }
    }

    fn take(&mut self, faults: Faults, client: SocketAddr, forth: bool, packet: &[u8]) {
        for late in self.relay.copies(faults) {
            self.births += 1;
            let key = (Instant::now() + late, self.births);
            self.under_way.insert(key, (client, forth, packet.to_vec()));
        }
    }

    /// A full socket loses the packet, as networks do.
    fn send(&self, client: SocketAddr, forth: bool, packet: &[u8]) {
        let _ = match forth {
            true => self.backs[&client].send_to(packet, self.target),
            false => self.front.send_to(packet, client),
        };
    }
}

fn received(socket: &UdpSocket, buffer: &mut [u8]) -> Option<(usize, SocketAddr)> {
    match socket.recv_from(buffer) {
        Ok(found) => Some(found),
        // A packet that was sent to nobody is told here too; then there is nothing to receive.
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::ConnectionRefused) => None,
        Err(error) => panic!("the proxy cannot receive: {error}"),
    }
}
