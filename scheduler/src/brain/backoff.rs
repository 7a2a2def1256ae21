//! When a crashed instance is started again (Cloud Foundry's rule).

use std::time::Duration;

/// Crashes in a row that cost no waiting.
const FREE: u32 = 2;
const FIRST_WAIT: Duration = Duration::from_secs(30);
const LONGEST_WAIT: Duration = Duration::from_secs(16 * 60);

/// The wait after the `crash_count`th crash in a row: none for the first two, then 30 s, doubled each time up to 16 min;
/// `None` after more than `limit`.
pub(super) fn wait(crash_count: u32, limit: u32) -> Option<Duration> {
    if crash_count > limit {
        return None;
    }
    let Some(waits) = crash_count.checked_sub(FREE + 1) else { return Some(Duration::ZERO) };
    let wait = FIRST_WAIT.saturating_mul(2_u32.saturating_pow(waits.min(16)));
    Some(wait.min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::wait;
    use std::time::Duration;

    #[test]
    fn waits_are_those_of_cloud_foundry() {
        let waits: Vec<_> = (1..=10).map(|count| wait(count, 200).unwrap().as_secs()).collect();
        assert_eq!(waits, [0, 0, 30, 60, 120, 240, 480, 960, 960, 960]);
        assert_eq!(wait(200, 200), Some(Duration::from_secs(960)));
        assert_eq!(wait(201, 200), None);
    }
}
