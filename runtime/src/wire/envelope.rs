//! The header before every frame between nodes: fixed fields by kind, optional ones only where a flag announces them.
//!
//! The layout stands in `runtime/docs/wire.md` and is pinned by tests; what follows the header is the body's business. The reader trusts nothing and never panics.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::fields::{
    EnvelopeError, FLAGGED, Fields, begin, numbered, put_load, put_message, put_number, put_target,
};
use super::load::Load;
use crate::error::{AskError, outcome_code};

/// What a frame is, with the fields of its header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Head {
    /// A caller sends an actor a message that wants no answer.
    Tell(Call),
    /// A caller asks an actor; exactly one [`Head::Reply`] or [`Head::Failure`] with this correlation is owed.
    Ask(u64, Call),
    /// The answer; the body is the result.
    Reply {
        /// Of the request.
        correlation: u64,
        /// Whether more answers follow. Reserved.
        stream: bool,
    },
    /// The request was not answered.
    Failure {
        /// Of the request.
        correlation: u64,
        /// Why, and whether it may have been executed.
        error: AskError,
    },
    /// A tell comes back; the body is the message's.
    Returned {
        /// The message's number on this link.
        message: u32,
        /// Whom it was for.
        target: u64,
        /// Why, and whether it may have been executed.
        error: AskError,
    },
    /// A node asks another for an actor's reference; the body names it.
    Lookup(u64),
    /// A node asks to be told when an actor ends; the body names it, the reply tells of the end.
    Watch(u64),
    /// The watch with this correlation is of no interest any more.
    Unwatch(u64),
    /// A node asks for the manifest of an interface; the body names it.
    Describe(u64),
    /// A node tells the manifest of an interface that it serves.
    Announce,
    /// A frame between protocol machines; the number names the protocol.
    Protocol(u64),
    /// A message that is too large for a frame keeps its place in its lane with this, and its stream begins with it. The header of
    /// the message itself follows.
    Parcel {
        /// The message's number on this link, counted by its sender from 1.
        number: u64,
        /// The bytes of its body.
        size: u64,
    },
    /// The receiver has a large message as a whole, or will not take it.
    Settled {
        /// The message's number.
        number: u64,
        /// Why it is not taken.
        refused: Option<AskError>,
    },
    /// The caller of a request gives it up: the receiver need not begin with it, and owes no answer if it does not.
    Cancel {
        /// Of the request.
        correlation: u64,
        /// Whom it was for.
        target: u64,
    },
    /// What an actor's feed has let go of the messages of this link, which makes room for as much; sent once half of the window is.
    Credit {
        /// The actor.
        target: u64,
        /// What has gone since the last word.
        spent: Load,
        /// How large the window is from here on.
        grant: Grant,
    },
}

/// What the word about an actor's feed says of the window: how much may be on the way to it and wait in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// As before.
    Same,
    /// This much.
    Window(Load),
    /// As the manifest says: the feed's side has forgotten this link and begins anew.
    Initial,
    /// Nothing: the actor has stopped.
    Gone,
}

/// What a message to an actor carries beside its body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Call {
    /// The message's number, which the target's node announced in its manifest.
    pub message: u32,
    /// The actor's slot and generation.
    pub target: u64,
    /// Whether the body, and therefore the answer, are named maps.
    pub named: bool,
    /// How long the caller waits, in milliseconds from arrival on.
    pub deadline_ms: Option<u32>,
    /// Position in the sender's stream to this target. Reserved.
    pub sequence: Option<u64>,
    /// The fencing epoch under which the caller believes the target to own what it owns. Reserved.
    pub epoch: Option<u64>,
    /// Trace and span of the caller (W3C Trace Context). Reserved.
    pub trace: Option<(u128, u64)>,
    /// Whether a stream of replies is wanted. Reserved.
    pub stream: bool,
}

const NAMED: u8 = 1;
const DEADLINE: u8 = 1 << 1;
const SEQUENCE: u8 = 1 << 2;
const EPOCH: u8 = 1 << 3;
const TRACE: u8 = 1 << 4;
const STREAM: u8 = 1 << 5;
/// A large message is not taken; the cause follows.
const REFUSED: u8 = 1;
/// The size of a window follows.
const WINDOW: u8 = 1;
const INITIAL: u8 = 1 << 1;
const GONE: u8 = 1 << 2;
const CALL_FLAGS: u8 = NAMED | DEADLINE | SEQUENCE | EPOCH | TRACE | STREAM;

impl Head {
    /// Appends the header.
    pub fn write(&self, out: &mut BytesMut) {
        match self {
            Self::Tell(call) => call.write(1, None, out),
            Self::Ask(correlation, call) => call.write(2, Some(*correlation), out),
            Self::Reply { correlation, stream } => {
                numbered(3, if *stream { STREAM } else { 0 }, *correlation, out);
            }
            Self::Failure { correlation, error } => {
                numbered(4, 0, *correlation, out);
                out.put_slice(&[error.cause.code(), outcome_code(error.outcome)]);
            }
            Self::Returned { message, target, error } => {
                begin(5, 0, out);
                put_message(*message, out);
                put_target(*target, out);
                out.put_slice(&[error.cause.code(), outcome_code(error.outcome)]);
            }
            Self::Lookup(correlation) => numbered(6, 0, *correlation, out),
            Self::Watch(correlation) => numbered(7, 0, *correlation, out),
            Self::Unwatch(correlation) => numbered(8, 0, *correlation, out),
            Self::Describe(correlation) => numbered(9, 0, *correlation, out),
            Self::Announce => begin(10, 0, out),
            Self::Protocol(protocol) => {
                begin(11, 0, out);
                out.put_u64_le(*protocol);
            }
            Self::Parcel { number, size } => {
                numbered(12, 0, *number, out);
                put_number(out, *size);
            }
            Self::Settled { number, refused } => {
                numbered(13, if refused.is_some() { REFUSED } else { 0 }, *number, out);
                if let Some(error) = refused {
                    out.put_slice(&[error.cause.code(), outcome_code(error.outcome)]);
                }
            }
            Self::Cancel { correlation, target } => {
                numbered(15, 0, *correlation, out);
                put_target(*target, out);
            }
            Self::Credit { target, spent, grant } => {
                begin(14, grant.flags(), out);
                put_target(*target, out);
                put_load(*spent, out);
                if let Grant::Window(window) = grant {
                    put_load(*window, out);
                }
            }
        }
    }

    /// Takes the header off `frame` and leaves the body.
    ///
    /// # Errors
    /// [`EnvelopeError`]; what is left of `frame` has no meaning then.
    pub fn read(frame: &mut Bytes) -> Result<Self, EnvelopeError> {
        let (head, size) = Self::peek(frame)?;
        frame.advance(size);
        Ok(head)
    }

    /// The header of a frame and its length.
    ///
    /// # Errors
    /// [`EnvelopeError`].
    pub fn peek(frame: &[u8]) -> Result<(Self, usize), EnvelopeError> {
        let mut rest = Fields(frame);
        let head = Self::fields(&mut rest)?;
        Ok((head, frame.len() - rest.0.len()))
    }

    fn fields(rest: &mut Fields<'_>) -> Result<Self, EnvelopeError> {
        let first = rest.byte()?;
        let kind = first & !FLAGGED;
        let flags = if first == kind { 0 } else { rest.byte()? };
        let allowed = match kind {
            1 | 2 => CALL_FLAGS,
            3 => STREAM,
            13 => REFUSED,
            14 => WINDOW | INITIAL | GONE,
            _ => 0,
        };
        if flags & !allowed != 0 || (first != kind && flags == 0) {
            return Err(EnvelopeError::Flags(flags));
        }
        Ok(match kind {
            1 => Self::Tell(Call::read(flags, rest)?),
            2 => {
                let correlation = rest.number()?;
                Self::Ask(correlation, Call::read(flags, rest)?)
            }
            3 => Self::Reply { correlation: rest.number()?, stream: flags & STREAM != 0 },
            4 => Self::Failure { correlation: rest.number()?, error: rest.error()? },
            5 => Self::Returned { message: rest.message()?, target: rest.target()?, error: rest.error()? },
            6 => Self::Lookup(rest.number()?),
            7 => Self::Watch(rest.number()?),
            8 => Self::Unwatch(rest.number()?),
            9 => Self::Describe(rest.number()?),
            10 => Self::Announce,
            11 => Self::Protocol(rest.long()?),
            12 => Self::Parcel { number: rest.number()?, size: rest.number()? },
            13 => {
                let number = rest.number()?;
                let refused = (flags & REFUSED != 0).then(|| rest.error()).transpose()?;
                Self::Settled { number, refused }
            }
            14 => {
                Self::Credit { target: rest.target()?, spent: rest.load()?, grant: Grant::read(flags, rest)? }
            }
            15 => Self::Cancel { correlation: rest.number()?, target: rest.target()? },
            kind => return Err(EnvelopeError::Kind(kind)),
        })
    }
}

impl Grant {
    const fn flags(self) -> u8 {
        match self {
            Self::Same => 0,
            Self::Window(_) => WINDOW,
            Self::Initial => INITIAL,
            Self::Gone => GONE,
        }
    }

    fn read(flags: u8, rest: &mut Fields<'_>) -> Result<Self, EnvelopeError> {
        match flags {
            0 => Ok(Self::Same),
            WINDOW => Ok(Self::Window(rest.load()?)),
            INITIAL => Ok(Self::Initial),
            GONE => Ok(Self::Gone),
            flags => Err(EnvelopeError::Flags(flags)),
        }
    }
}

impl Call {
    fn flags(&self) -> u8 {
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        flag(self.named, NAMED)
            | flag(self.deadline_ms.is_some(), DEADLINE)
            | flag(self.sequence.is_some(), SEQUENCE)
            | flag(self.epoch.is_some(), EPOCH)
            | flag(self.trace.is_some(), TRACE)
            | flag(self.stream, STREAM)
    }

    fn write(&self, kind: u8, correlation: Option<u64>, out: &mut BytesMut) {
        begin(kind, self.flags(), out);
        if let Some(correlation) = correlation {
            put_number(out, correlation);
        }
        put_message(self.message, out);
        put_target(self.target, out);
        if let Some(deadline) = self.deadline_ms {
            put_number(out, u64::from(deadline));
        }
        if let Some(sequence) = self.sequence {
            out.put_u64_le(sequence);
        }
        if let Some(epoch) = self.epoch {
            out.put_u64_le(epoch);
        }
        if let Some((trace, span)) = self.trace {
            out.put_u128_le(trace);
            out.put_u64_le(span);
        }
    }

    fn read(flags: u8, rest: &mut Fields<'_>) -> Result<Self, EnvelopeError> {
        let message = rest.message()?;
        let target = rest.target()?;
        let has = |flag: u8| flags & flag != 0;
        Ok(Self {
            message,
            target,
            named: has(NAMED),
            deadline_ms: has(DEADLINE).then(|| rest.word()).transpose()?,
            sequence: has(SEQUENCE).then(|| rest.long()).transpose()?,
            epoch: has(EPOCH).then(|| rest.long()).transpose()?,
            trace: has(TRACE).then(|| rest.trace()).transpose()?,
            stream: has(STREAM),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Cause;

    fn written(head: &Head) -> Vec<u8> {
        let mut out = BytesMut::new();
        head.write(&mut out);
        out.to_vec()
    }

    fn full() -> Call {
        Call {
            message: 0x0403_0201,
            target: 0x0C0B_0A09_0807_0605,
            named: true,
            deadline_ms: Some(0x100F_0E0D),
            sequence: Some(1),
            epoch: Some(2),
            trace: Some((3, 4)),
            stream: true,
        }
    }

    fn heads() -> Vec<Head> {
        let error = AskError::unknown(Cause::Panicked);
        vec![
            Head::Tell(Call { message: 7, target: 9, ..Call::default() }),
            Head::Ask(5, full()),
            Head::Reply { correlation: 5, stream: false },
            Head::Failure { correlation: 5, error },
            Head::Returned { message: 7, target: 9, error },
            Head::Lookup(1),
            Head::Watch(2),
            Head::Unwatch(2),
            Head::Describe(3),
            Head::Announce,
            Head::Protocol(4),
            Head::Parcel { number: 6, size: 1 << 40 },
            Head::Settled { number: 6, refused: None },
            Head::Settled { number: 6, refused: Some(error) },
            Head::Cancel { correlation: 5, target: 9 },
            Head::Credit { target: 9, spent: Load::of(300), grant: Grant::Same },
            Head::Credit { target: 9, spent: Load::of(3), grant: Grant::Window(Load::window(8, 1 << 20)) },
            Head::Credit { target: 9, spent: Load::default(), grant: Grant::Initial },
            Head::Credit { target: 9, spent: Load::default(), grant: Grant::Gone },
        ]
    }

    #[test]
    fn layout_is_the_one_of_the_wire_page() {
        let tell = Call { message: 2 << 16 | 3, target: 9 << 32 | 1, ..Call::default() };
        assert_eq!(written(&Head::Tell(tell)), [1, 0x23, 18]);
        let later = Call { message: 0x0403_0201, target: 200 << 32 | 300, ..Call::default() };
        assert_eq!(written(&Head::Tell(later)), [1, 0xB1, 0x80, 0x81, 0x10, 0x91, 0x03, 0xAC, 0x02]);
        let mut ask = vec![0x82, 0x3F, 0x88, 0x01, 0xB1, 0x80, 0x81, 0x10];
        ask.extend([0x93, 0xA8, 0xD8, 0xC0, 0x01, 0x85, 0x8C, 0x9C, 0x40]);
        ask.extend([0x8D, 0x9C, 0xBC, 0x80, 0x01]);
        ask.extend([1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]);
        ask.extend([3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(written(&Head::Ask(136, full())), ask);
        let failure = Head::Failure { correlation: 1, error: AskError::not_executed(Cause::MailboxFull) };
        assert_eq!(written(&failure), [4, 1, 3, 0]);
        assert_eq!(written(&Head::Announce), [10]);
        assert_eq!(written(&Head::Protocol(5)), [11, 5, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(written(&Head::Parcel { number: 1, size: 300 }), [12, 1, 0xAC, 0x02]);
        let refused = Some(AskError::unknown(Cause::TooLarge));
        assert_eq!(written(&Head::Settled { number: 1, refused }), [0x8D, 1, 1, 14, 1]);
        let credit = |grant| {
            let spent = Load { messages: 2, blocks: 300 };
            written(&Head::Credit { target: 1 << 32 | 1, spent, grant })
        };
        assert_eq!(credit(Grant::Same), [14, 2, 2, 0xAC, 0x02]);
        assert_eq!(credit(Grant::Initial), [0x8E, 2, 2, 2, 0xAC, 0x02]);
        assert_eq!(credit(Grant::Gone), [0x8E, 4, 2, 2, 0xAC, 0x02]);
        let window = Grant::Window(Load { messages: 4, blocks: 5 });
        assert_eq!(credit(window), [0x8E, 1, 2, 2, 0xAC, 0x02, 4, 5]);
    }

    #[test]
    fn what_was_written_is_read_and_the_body_is_left() {
        for head in heads() {
            let mut frame = Bytes::from([written(&head), b"body".to_vec()].concat());
            assert_eq!(Head::read(&mut frame), Ok(head));
            assert_eq!(&frame[..], b"body");
        }
    }

    #[test]
    fn truncated_and_unknown_headers_are_refused() {
        for head in heads() {
            let bytes = written(&head);
            for end in 0..bytes.len() {
                let mut frame = Bytes::copy_from_slice(&bytes[..end]);
                assert_eq!(Head::read(&mut frame), Err(EnvelopeError::Truncated), "{head:?} cut at {end}");
            }
        }
        assert_eq!(Head::read(&mut Bytes::from_static(&[0, 0])), Err(EnvelopeError::Kind(0)));
        assert_eq!(Head::read(&mut Bytes::from_static(&[99, 0])), Err(EnvelopeError::Kind(99)));
        assert_eq!(Head::read(&mut Bytes::from_static(&[0x81, 0x40])), Err(EnvelopeError::Flags(0x40)));
        assert_eq!(Head::read(&mut Bytes::from_static(&[0x81, 0])), Err(EnvelopeError::Flags(0)));
        assert_eq!(Head::read(&mut Bytes::from_static(&[0x8B, NAMED])), Err(EnvelopeError::Flags(NAMED)));
        let mut both = [0x8E, WINDOW | GONE, 2, 0, 0, 0, 0];
        assert_eq!(Head::peek(&both).err(), Some(EnvelopeError::Flags(WINDOW | GONE)));
        both[1] = 8;
        assert_eq!(Head::peek(&both).err(), Some(EnvelopeError::Flags(8)));
        let mut failure = Bytes::from_static(&[4, 1, 77, 0]);
        assert_eq!(Head::read(&mut failure), Err(EnvelopeError::Cause(77)));
        for number in [
            &[6, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 2][..],
            &[1, 0, 0x80, 0x80, 0x80, 0x80, 0x20],
            &[1, 0, 0x80, 0],
            &[1, 0, 1, 1],
        ] {
            assert_eq!(Head::read(&mut Bytes::copy_from_slice(number)), Err(EnvelopeError::Number));
        }
    }
}
