//! What a machine finds on its disk, read piece by piece and decoded beside the driver.

use synod_protocols::log::Outline;
use synod_protocols::{Protocol, Recovered};

use crate::address::MachineId;
use crate::driver::create_error::CreateError;
use crate::storage::Store;
use crate::wire::decode;

/// The longest record that is read, in bytes: the log writes none above its segment size.
const RECORD_BYTES: usize = 1 << 30;
/// How much of the log is read at once.
const PIECE_BYTES: usize = 4 << 20;

/// What was found of a machine, once in the life of a process. What its entries carry stays on the disk: a piece of the log is in
/// memory at a time.
///
/// # Errors
/// [`CreateError`]; the machine must not start.
pub(crate) async fn recover<P: Protocol>(
    store: &Store,
    machine: MachineId,
) -> Result<Recovered<P::Record>, CreateError> {
    let found = store.recover(machine)?;
    let record = |body: &[u8]| {
        decode::<P::Record>(body, RECORD_BYTES).map_err(|error| CreateError::Record(error.to_string()))
    };
    let cells = found.cells.iter().map(|(_, body)| record(body)).collect::<Result<_, _>>()?;
    let mut log = Outline::default();
    let mut last = found.after;
    while last < found.last {
        let piece = store.entries(machine, last.next(), found.last, PIECE_BYTES).await?;
        let Some((index, _)) = piece.last() else { break };
        last = *index;
        for (_, body) in &piece {
            log.push(record(body)?);
        }
    }
    Ok(Recovered { cells, snapshot: found.snapshot, log })
}
