//! From an authenticated QUIC connection to a link: the exchange of hellos and the arbiter's decision.

use std::sync::Arc;

use quinn::{Connection, ReadExactError, RecvStream, SendStream, WriteError};

use super::close::{Close, handshake_error};
use super::hello::{Hello, HelloError, read_link_id};
use super::hub::Hub;
use super::link::{Birth, QuicLink};
use super::renewal::certificates_of;
use super::table::Reservation;
use super::verify::subject_of;
use crate::contract::TransportError;
use crate::identity::Subject;
use crate::lane::Lane;
use crate::peer::{Peer, PeerName};
use crate::pool::Admission;

/// What became of a connection.
pub(crate) enum Outcome {
    /// A link, with the two streams of its control lane.
    Open(Arc<QuicLink>, SendStream, RecvStream),
    /// There is a link to this peer already.
    Duplicate(PeerName),
}

/// The handshake's view of one connection.
struct Exchange<'a> {
    hub: &'a Arc<Hub>,
    connection: &'a Connection,
    subject: Subject,
}

/// Makes a link of a connection that we dialled.
pub(crate) async fn dialled(hub: &Arc<Hub>, connection: &Connection) -> Result<Outcome, TransportError> {
    let exchange = Exchange::begin(hub, connection)?;
    let name = exchange.subject.name.clone();
    let result = exchange.dial().await;
    exchange.conclude(result).map(|outcome| outcome.unwrap_or(Outcome::Duplicate(name)))
}

/// Makes a link of a connection that a peer dialled.
pub(crate) async fn accepted(hub: &Arc<Hub>, connection: &Connection) -> Result<Outcome, TransportError> {
    let exchange = Exchange::begin(hub, connection)?;
    let name = exchange.subject.name.clone();
    let result = exchange.accept().await;
    exchange.conclude(result).map(|outcome| outcome.unwrap_or(Outcome::Duplicate(name)))
}

/// Why there is no link.
enum Halt {
    /// There is one already; nobody is to blame.
    Duplicate,
    /// We refuse the peer.
    Refuse(TransportError),
    /// The connection ended; it says why.
    Gone,
}

impl<'a> Exchange<'a> {
    fn begin(hub: &'a Arc<Hub>, connection: &'a Connection) -> Result<Self, TransportError> {
        let chain = certificates_of(connection).unwrap_or_default();
        let certificate = chain.first().ok_or(TransportError::NoCertificate)?;
        Ok(Self { hub, connection, subject: subject_of(certificate)? })
    }

    async fn dial(&self) -> Result<Outcome, Halt> {
        let mut send = self.connection.open_uni().await.map_err(|_| Halt::Gone)?;
        self.say_hello(&mut send, None).await?;
        let (mut recv, hello) = self.hear_hello().await?;
        let peer = self.peer(&hello);
        if peer.name == self.hub.name {
            return Err(Halt::Refuse(self.namesake(&peer)));
        }
        let number = self.hub.table.birth();
        if self.is_arbiter() {
            let reservation = self.reserve(&peer, &hello)?;
            send.write_all(&number.to_le_bytes()).await?;
            if !self.hub.table.holds(&reservation) {
                return Err(Halt::Duplicate);
            }
            let link = self.link(peer, &hello, number, (self.hub.incarnation, number));
            return Ok(Outcome::Open(link, send, recv));
        }
        if let Admission::Refuse(error) = self.hub.table.judge(&peer, &hello) {
            return Err(Halt::Refuse(error));
        }
        let id = (peer.incarnation, read_link_id(&mut recv).await?);
        send.write_all(&id.1.to_le_bytes()).await?;
        Ok(Outcome::Open(self.link(peer, &hello, number, id), send, recv))
    }

    async fn accept(&self) -> Result<Outcome, Halt> {
        let (mut recv, hello) = self.hear_hello().await?;
        let peer = self.peer(&hello);
        let mut send = self.connection.open_uni().await.map_err(|_| Halt::Gone)?;
        if peer.name == self.hub.name {
            // The dialer finds out from our hello, and hangs up.
            self.say_hello(&mut send, None).await?;
            self.connection.closed().await;
            return Err(match self.namesake(&peer) {
                TransportError::Myself => Halt::Duplicate,
                error => Halt::Refuse(error),
            });
        }
        let number = self.hub.table.birth();
        if !self.is_arbiter() {
            if let Admission::Refuse(error) = self.hub.table.judge(&peer, &hello) {
                return Err(Halt::Refuse(error));
            }
            self.say_hello(&mut send, None).await?;
            let id = (peer.incarnation, read_link_id(&mut recv).await?);
            return Ok(Outcome::Open(self.link(peer, &hello, number, id), send, recv));
        }
        let reservation = self.reserve(&peer, &hello)?;
        self.say_hello(&mut send, Some(number)).await?;
        if read_link_id(&mut recv).await? != number {
            let error = TransportError::Handshake("the link's number came back changed".to_owned());
            return Err(Halt::Refuse(error));
        }
        if !self.hub.table.holds(&reservation) {
            return Err(Halt::Duplicate);
        }
        let link = self.link(peer, &hello, number, (self.hub.incarnation, number));
        Ok(Outcome::Open(link, send, recv))
    }

    /// As the arbiter: keeps the place for the newcomer, and ends the link that it replaces.
    fn reserve(&self, peer: &Peer, hello: &Hello) -> Result<Reservation, Halt> {
        let mut reservation = self.hub.table.reserve(peer, hello).map_err(|admission| match admission {
            Admission::Refuse(error) => Halt::Refuse(error),
            Admission::Duplicate | Admission::Open | Admission::Replace(_) => Halt::Duplicate,
        })?;
        if let Some((old, reason)) = reservation.replaced.take() {
            self.hub.end(&old, reason);
        }
        Ok(reservation)
    }

    /// Closes the connection unless it became a link, and finds the words for it. `None` when there is a link already.
    fn conclude(&self, result: Result<Outcome, Halt>) -> Result<Option<Outcome>, TransportError> {
        match result {
            Ok(outcome) => Ok(Some(outcome)),
            Err(Halt::Duplicate) => {
                Close::Duplicate.apply(self.connection);
                Ok(None)
            }
            Err(Halt::Refuse(error)) => {
                Close::Refused(error.to_string()).apply(self.connection);
                Err(error)
            }
            Err(Halt::Gone) => match self.connection.close_reason() {
                Some(reason) => handshake_error(&reason).map_or(Ok(None), Err),
                None => {
                    let error = TransportError::Handshake("the control stream ended early".to_owned());
                    Close::Refused(error.to_string()).apply(self.connection);
                    Err(error)
                }
            },
        }
    }

    async fn say_hello(&self, stream: &mut SendStream, link_id: Option<u64>) -> Result<(), Halt> {
        /// Above all other streams, whose priority is 0.
        const CONTROL_PRIORITY: i32 = 1;
        stream.set_priority(CONTROL_PRIORITY).map_err(|_| Halt::Gone)?;
        let hello = Hello {
            incarnation: self.hub.incarnation,
            // Bounded by `Config::check`.
            frame_max: u32::try_from(self.hub.config.frame_bytes_max).unwrap_or(u32::MAX),
            over: self.hub.table.over(&self.subject.name),
        };
        let mut bytes = vec![Lane::Control.number()];
        bytes.extend_from_slice(&hello.encode());
        if let Some(id) = link_id {
            bytes.extend_from_slice(&id.to_le_bytes());
        }
        Ok(stream.write_all(&bytes).await?)
    }

    /// The peer's first stream is its control stream.
    async fn hear_hello(&self) -> Result<(RecvStream, Hello), Halt> {
        let mut stream = self.connection.accept_uni().await.map_err(|_| Halt::Gone)?;
        let mut kind = [0];
        stream.read_exact(&mut kind).await.map_err(HelloError::Stream)?;
        if kind[0] != Lane::Control.number() {
            let error = TransportError::Handshake("the first stream is not the control lane".to_owned());
            return Err(Halt::Refuse(error));
        }
        let hello = Hello::read(&mut stream).await?;
        Ok((stream, hello))
    }

    fn peer(&self, hello: &Hello) -> Peer {
        Peer { name: self.subject.name.clone(), role: self.subject.role, incarnation: hello.incarnation }
    }

    fn namesake(&self, peer: &Peer) -> TransportError {
        if peer.incarnation == self.hub.incarnation {
            TransportError::Myself
        } else {
            TransportError::Handshake("another process bears this node's own name".to_owned())
        }
    }

    fn is_arbiter(&self) -> bool {
        self.hub.name < self.subject.name
    }

    fn link(&self, peer: Peer, hello: &Hello, number: u64, id: (u64, u64)) -> Arc<QuicLink> {
        let config = &self.hub.config;
        let birth = Birth {
            peer,
            number,
            id,
            frame_max: config.frame_bytes_max.min(hello.frame_max as usize),
            header_max: config.bulk_header_bytes_max,
        };
        Arc::new(QuicLink::new(birth, self.connection.clone(), self.hub.counters.clone()))
    }
}

impl From<HelloError> for Halt {
    fn from(error: HelloError) -> Self {
        match error {
            HelloError::Refused(error) => Self::Refuse(error),
            HelloError::Stream(ReadExactError::FinishedEarly(_) | ReadExactError::ReadError(_)) => Self::Gone,
        }
    }
}

impl From<WriteError> for Halt {
    fn from(_: WriteError) -> Self {
        Self::Gone
    }
}
