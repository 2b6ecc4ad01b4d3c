//! The header before every frame between nodes.

use bytes::{Bytes, BytesMut};
use synod::error::{AskError, Cause};
use synod::wire::{Call, Grant, Head, Load};

use crate::target::{Target, Verdict, unsealed};

pub(crate) const TARGET: Target =
    Target { name: "envelope", seeds, reseal: unsealed, run, most: |length| 2 * length + 1024 };

fn run(input: &[u8]) -> Verdict {
    let mut frame = Bytes::copy_from_slice(input);
    match Head::peek(input) {
        Ok((head, size)) => {
            let mut written = BytesMut::new();
            head.write(&mut written);
            let (again, taken) = Head::peek(&written).expect("what is written is read");
            assert_eq!((&again, taken, written.len()), (&head, size, size));
            assert_eq!(Head::read(&mut frame), Ok(head));
            assert_eq!(frame, input[size..], "the body is what stands behind the header");
            Verdict::Taken(usize::from(input[0]))
        }
        Err(error) => {
            assert_eq!(Head::read(&mut frame), Err(error));
            Verdict::Refused(error.to_string())
        }
    }
}

fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let call = Call {
        message: 7,
        target: 1 << 40,
        named: true,
        deadline_ms: Some(500),
        sequence: Some(1),
        epoch: Some(2),
        trace: Some((3, 4)),
        stream: true,
    };
    let brief = Call { message: 1, target: 9, ..Call::default() };
    let error = AskError::unknown(Cause::LinkLost);
    let heads = [
        ("tell", Head::Tell(brief.clone())),
        ("ask", Head::Ask(3, brief)),
        ("ask-with-everything", Head::Ask(u64::MAX, call)),
        ("reply", Head::Reply { correlation: 3, stream: false }),
        ("failure", Head::Failure { correlation: 3, error }),
        ("returned", Head::Returned { message: 7, target: 9, error }),
        ("lookup", Head::Lookup(1)),
        ("watch", Head::Watch(1)),
        ("unwatch", Head::Unwatch(1)),
        ("describe", Head::Describe(1)),
        ("announce", Head::Announce),
        ("protocol", Head::Protocol(u64::MAX)),
        ("parcel", Head::Parcel { number: 1, size: u64::MAX }),
        ("settled", Head::Settled { number: 1, refused: None }),
        ("settled-refused", Head::Settled { number: 1, refused: Some(error) }),
        ("credit", Head::Credit { target: 9, spent: Load { messages: 3, blocks: 1 }, grant: Grant::Same }),
        ("credit-window", {
            let most = Load { messages: u32::MAX, blocks: u32::MAX };
            Head::Credit { target: 9, spent: most, grant: Grant::Window(most) }
        }),
    ];
    let written = |(name, head): (&'static str, Head)| {
        let mut out = BytesMut::new();
        head.write(&mut out);
        out.extend_from_slice(b"body");
        (name, out.to_vec())
    };
    heads.into_iter().map(written).collect()
}
