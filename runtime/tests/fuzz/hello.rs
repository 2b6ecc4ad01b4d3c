//! The first bytes of a link.

use synod::transport::entrances::{hello, written_hello};

use crate::target::{Target, Verdict, unsealed};

pub(crate) const TARGET: Target = Target { name: "hello", seeds, reseal: unsealed, run, most: |_| 2048 };

fn run(input: &[u8]) -> Verdict {
    match hello(input) {
        Ok(Some((written, taken))) => {
            assert!(taken <= input.len() && taken >= written.len());
            // All of what this version says; a later one may say more behind it, and says so in the length.
            assert_eq!(written[..8], input[..8]);
            assert_eq!(written[10..], input[10..written.len()]);
            assert_eq!(hello(&written), Ok(Some((written.clone(), written.len()))));
            Verdict::Taken(1)
        }
        Ok(None) => Verdict::Refused("not whole".to_owned()),
        Err(error) => Verdict::Refused(error.kind().to_owned()),
    }
}

fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let plain = written_hello(7, 1 << 20, (3, 4));
    let later = |more: u16| {
        let mut bytes = plain.clone();
        let length = u16::from_le_bytes([bytes[8], bytes[9]]) + more;
        bytes[8..10].copy_from_slice(&length.to_le_bytes());
        [bytes, vec![9; usize::from(more)]].concat()
    };
    vec![
        ("plain", plain.clone()),
        ("extremes", written_hello(u64::MAX, u32::MAX, (u64::MAX, u64::MAX))),
        ("more-than-is-known", later(3)),
        ("as-much-as-is-skipped", later(996)),
        ("more-than-is-skipped", later(997)),
        ("another-protocol", b"GET / HTTP/1.1\r\nhost: a\r\n\r\n".to_vec()),
    ]
}
