//! The certificates of a simulated network: one authority, which all clusters trust, a certificate for each name, all keys from the seed.
//!
//! Certificates are real ones; only their keys are known to everybody who knows the seed.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use super::chance::Chance;
use crate::identity::{Authority, Drawn, Identity, IdentityError, Validity};
use crate::peer::{PeerName, Role};

/// How long certificates are valid. Long: a simulation that is to see one expire sets its wall clock.
const LENGTH: Duration = Duration::from_secs(10 * 365 * 86_400);

/// Who has been given which identity.
pub(crate) struct Identities {
    seed: u64,
    authority: Option<Authority>,
    issued: BTreeMap<(String, PeerName, Role), Identity>,
}

impl Identities {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, authority: None, issued: BTreeMap::new() }
    }

    /// The identity of a process, the same at each of its starts. Valid from shortly before `wall`, the time at which it is first asked for.
    pub(crate) fn of(
        &mut self,
        cluster: &str,
        name: &PeerName,
        role: Role,
        wall: Duration,
    ) -> Result<Identity, IdentityError> {
        let key = (cluster.to_owned(), name.clone(), role);
        if let Some(identity) = self.issued.get(&key) {
            return Ok(identity.clone());
        }
        let now = SystemTime::UNIX_EPOCH + wall;
        let validity = Validity { not_before: now - Duration::from_secs(300), not_after: now + LENGTH };
        let authority = match self.authority.take() {
            Some(authority) => authority,
            None => Authority::with_drawn("simulation", validity, drawn(self.seed, "")?)?,
        };
        let authority = self.authority.insert(authority);
        let drawn = drawn(self.seed, &format!("{name}.{cluster} {role:?}"))?;
        let credential = authority.issue_drawn(cluster, name, role, validity, drawn)?;
        let identity = Identity::from_credential(&credential)?;
        self.issued.insert(key, identity.clone());
        Ok(identity)
    }
}

/// The key and the serial number of whom `label` names, whatever else is drawn.
fn drawn(seed: u64, label: &str) -> Result<Drawn, IdentityError> {
    let chance = Chance::new(
        label.bytes().fold(seed, |seed, byte| (seed ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)),
    );
    Drawn::of(&chance.bytes(), chance.bytes())
}
