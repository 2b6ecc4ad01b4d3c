//! Ports of this machine: which are free, and which are not and what to do about it.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

use crate::failure::Failure;

/// The address for each node's HTTP: `first` and the ports after it, all of them free at this moment.
///
/// # Errors
/// Names the port that is taken, and the option that chooses others.
pub(crate) fn consecutive_http(first: u16, nodes: u16) -> Result<Vec<SocketAddr>, Failure> {
    let last = first.checked_add(nodes - 1).filter(|_| first > 0);
    let last =
        last.ok_or_else(|| Failure::new(format!("--port: {nodes} ports from {first} on do not exist")))?;
    let mut addresses = Vec::new();
    for (number, port) in (1..).zip(first..=last) {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        TcpListener::bind(address).map_err(|error| {
            let reason =
                format!("port {port} on 127.0.0.1, for the HTTP of node-{number}, cannot be used: {error}");
            Failure::new(format!("{reason}; choose another first port with --port"))
        })?;
        addresses.push(address);
    }
    Ok(addresses)
}

/// An address for each node's HTTP that nobody uses.
///
/// # Errors
/// When the operating system has none.
pub(crate) fn choose_http(nodes: u16) -> Result<Vec<SocketAddr>, Failure> {
    let none = |error| Failure::new(format!("no free TCP port on 127.0.0.1: {error}"));
    // As below.
    let listeners: Result<Vec<TcpListener>, _> =
        (0..nodes).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).collect();
    listeners.map_err(none)?.into_iter().map(|listener| listener.local_addr().map_err(none)).collect()
}

/// Ports for each node's QUIC that nobody uses.
///
/// # Errors
/// When the operating system has none.
pub(crate) fn choose_quic(nodes: u16) -> Result<Vec<u16>, Failure> {
    let none = |error| Failure::new(format!("no free UDP port on 127.0.0.1: {error}"));
    // All are held until the last is chosen, or the same might be given twice.
    let sockets: Result<Vec<UdpSocket>, _> =
        (0..nodes).map(|_| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))).collect();
    let addresses = sockets.map_err(none)?.into_iter().map(|socket| socket.local_addr());
    addresses.map(|address| address.map(|address| address.port()).map_err(none)).collect()
}

/// Checks that ports that were chosen earlier are free.
///
/// # Errors
/// Names the one that is taken.
pub(super) fn check_quic(ports: &[u16]) -> Result<(), Failure> {
    for (number, &port) in (1..).zip(ports) {
        UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).map_err(|error| {
            let reason = format!(
                "UDP port {port} on 127.0.0.1, for the QUIC of node-{number}, cannot be used: {error}"
            );
            Failure::new(format!("{reason}; if a node of an earlier demo still runs, stop it"))
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_http_port_is_named_with_the_option_that_helps() {
        let holder = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = holder.local_addr().unwrap().port();
        let refusal = consecutive_http(port, 1).unwrap_err().to_string();
        assert!(refusal.contains(&port.to_string()) && refusal.contains("--port"), "{refusal}");
        assert!(consecutive_http(65_535, 2).is_err());
        assert!(consecutive_http(0, 1).is_err());
    }

    #[test]
    fn quic_ports_differ_and_a_taken_one_is_noticed() {
        let mut ports = choose_quic(9).unwrap();
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 9);
        let holder = UdpSocket::bind("127.0.0.1:0").unwrap();
        let taken = holder.local_addr().unwrap().port();
        assert!(check_quic(&[taken]).unwrap_err().to_string().contains(&taken.to_string()));
    }
}
