//! What a guest learns of files beside their content: no times and no numbers of the machine's.

use std::collections::HashMap;

/// Seconds since 1970 at which everything was changed and read: the beginning of 1980, as in archives.
pub(super) const CHANGED_SECONDS: u64 = 315_532_800;

/// Files are told apart by numbers that depend on when each was first seen, not by the machine's.
#[derive(Debug, Default)]
pub(super) struct Identities(HashMap<u64, u64>);

impl Identities {
    /// The number of a file that the machine knows under this one. None is 0.
    pub(super) fn of(&mut self, machines: u64) -> u64 {
        let next = u64::try_from(self.0.len()).unwrap_or(u64::MAX).saturating_add(1);
        *self.0.entry(machines).or_insert(next)
    }
}
