//! What an operator may set about brokers.

use crate::{address::AllowedAddress, exchange::BrokerPolicy, polling::Polling};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Limits on service brokers and where they may be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BrokerSettings {
    /// Addresses that brokers may be at although they are loopback, link-local or the platform's own, or private ones for
    /// brokers of a space: `127.0.0.1:9000`, `10.1.0.0/16`. None by default.
    pub allowed_addresses: Vec<AllowedAddress>,
    /// Time for one request to a broker to the last byte of its answer, milliseconds (default 60,000).
    pub timeout_ms: u64,
    /// Longest answer of a broker, bytes (default 10 MiB).
    pub max_answer_bytes: usize,
    /// First pause before a broker is asked again how far an operation is, milliseconds (default 5,000).
    pub polling_interval_ms: u64,
    /// Each pause is so many times the one before (default 1.5).
    pub polling_rate: f64,
    /// Longest pause, whatever the broker asks for, milliseconds (default 600,000).
    pub polling_longest_pause_ms: u64,
    /// An operation that is still in progress after this has failed, minutes (default 10,080: a week). Plans may say less.
    pub longest_operation_minutes: u64,
}

impl Default for BrokerSettings {
    fn default() -> Self {
        let (policy, polling) = (BrokerPolicy::default(), Polling::default());
        Self {
            allowed_addresses: policy.allowed,
            timeout_ms: 60_000,
            max_answer_bytes: policy.max_answer_bytes,
            polling_interval_ms: 5_000,
            polling_rate: polling.rate,
            polling_longest_pause_ms: 600_000,
            longest_operation_minutes: 7 * 24 * 60,
        }
    }
}

impl BrokerSettings {
    /// As the client needs it; `platform` are the platform's own addresses, `api_info_location` where it describes itself.
    #[must_use]
    pub fn policy(&self, platform: Vec<IpNet>, api_info_location: String) -> BrokerPolicy {
        BrokerPolicy {
            timeout: Duration::from_millis(self.timeout_ms),
            max_answer_bytes: self.max_answer_bytes,
            allowed: self.allowed_addresses.clone(),
            platform,
            api_info_location,
        }
    }

    /// The pace of asking.
    #[must_use]
    pub fn polling(&self) -> Polling {
        Polling {
            interval: Duration::from_millis(self.polling_interval_ms),
            rate: self.polling_rate,
            longest_pause: Duration::from_millis(self.polling_longest_pause_ms),
            longest_operation: Duration::from_secs(self.longest_operation_minutes.saturating_mul(60)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_of_what_they_set() {
        let settings = BrokerSettings::default();
        assert_eq!(settings.polling(), Polling::default());
        let policy = settings.policy(Vec::new(), String::new());
        assert_eq!((policy.timeout, policy.max_answer_bytes), (BrokerPolicy::default().timeout, 10 << 20));
    }
}
