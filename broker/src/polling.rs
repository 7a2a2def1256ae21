//! When a broker is asked again how far an operation is.

use std::time::Duration;

/// The pace of asking.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Polling {
    /// The first pause.
    pub interval: Duration,
    /// Each pause is so many times the one before; 1 or more.
    pub rate: f64,
    /// The longest pause, whatever the broker asks for.
    pub longest_pause: Duration,
    /// An operation that is in progress after this has failed, where the plan says nothing shorter.
    pub longest_operation: Duration,
}

impl Default for Polling {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(5),
            rate: 1.5,
            longest_pause: Duration::from_secs(600),
            longest_operation: Duration::from_hours(168),
        }
    }
}

impl Polling {
    /// The pause after a broker was asked `asked` times: grows with it, and is at least what the broker asked for.
    #[must_use]
    pub fn pause(&self, asked: u32, retry_after: Option<Duration>) -> Duration {
        let grown = self.interval.as_secs_f64() * self.rate.max(1.0).powf(f64::from(asked.saturating_sub(1)));
        let grown = Duration::try_from_secs_f64(grown).unwrap_or(self.longest_pause);
        grown.max(retry_after.unwrap_or_default()).min(self.longest_pause)
    }

    /// How often a job looks whether others that it waits for are done: those ask the brokers.
    #[must_use]
    pub fn wait_for_jobs(&self) -> Duration {
        self.interval.min(Duration::from_millis(250))
    }

    /// How long an operation of a plan may be in progress; `plan_seconds` is the plan's `maximum_polling_duration`.
    #[must_use]
    pub fn longest_operation(&self, plan_seconds: Option<u64>) -> Duration {
        plan_seconds.map_or(self.longest_operation, |seconds| Duration::from_secs(seconds).min(self.longest_operation))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end() {
        let polling = Polling { interval: Duration::from_secs(2), rate: 2.0, ..Polling::default() };
        let seconds = |asked, retry: Option<u64>| polling.pause(asked, retry.map(Duration::from_secs)).as_secs();
        assert_eq!([seconds(0, None), seconds(1, None), seconds(2, None), seconds(3, None)], [2, 2, 4, 8]);
        assert_eq!(seconds(u32::MAX, None), 600);
        assert_eq!(seconds(1, Some(30)), 30);
        assert_eq!(seconds(5, Some(1)), 32);
        assert_eq!(seconds(1, Some(u64::MAX)), 600);
    }

    #[test]
    fn a_plan_can_only_shorten_the_wait() {
        let polling = Polling::default();
        assert_eq!(polling.longest_operation(None), polling.longest_operation);
        assert_eq!(polling.longest_operation(Some(60)), Duration::from_secs(60));
        assert_eq!(polling.longest_operation(Some(u64::MAX)), polling.longest_operation);
    }
}
