//! How many requests a user, a client or an address may send in an interval: Cloud Foundry's rate limit, off unless the
//! operator turns it on. Counts are of this process.

use crate::Access;
use http::{HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
};
use virga_contract::{ApiError, ErrorCode};
use virga_model::UserGuid;

/// Callers that are counted apart; with more of them, addresses without a token are counted together.
const MAX_CALLERS: usize = 100_000;

/// The limit on requests to the v3 API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RateLimits {
    /// Whether requests are limited (default false).
    pub enabled: bool,
    /// Requests of one user or client in an interval (default 2,000). Administrators are not counted.
    pub general_limit: u32,
    /// Requests without a good token from one address in an interval (default 100).
    pub unauthenticated_limit: u32,
    /// Length of an interval, minutes (default 60).
    pub reset_interval_in_minutes: u32,
    /// Load balancers in front (address or network), whose callers are counted instead of them.
    #[serde(skip)]
    pub trusted_proxies: Vec<String>,
}

impl Default for RateLimits {
    fn default() -> Self {
        Self {
            enabled: false,
            general_limit: 2_000,
            unauthenticated_limit: 100,
            reset_interval_in_minutes: 60,
            trusted_proxies: Vec::new(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Counted {
    User(UserGuid),
    Client(String),
    Address(IpAddr),
    /// Everybody without a token, once there are too many to tell apart.
    Crowd,
}

#[derive(Debug, Clone, Copy)]
struct Count {
    requests: u32,
    until_second: i64,
}

/// Counts requests.
pub(crate) struct Limiter {
    limits: RateLimits,
    trusted: Vec<IpNet>,
    counts: Mutex<HashMap<Counted, Count>>,
}

/// What a counted request is told, whether it is let through or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    limit: u32,
    remaining: u32,
    reset_second: i64,
}

impl Limiter {
    pub(crate) fn new(limits: RateLimits) -> Self {
        let network = |text: &String| text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).ok();
        Self { trusted: limits.trusted_proxies.iter().filter_map(network).collect(), limits, counts: Mutex::default() }
    }

    pub(crate) fn limits(&self) -> &RateLimits {
        &self.limits
    }

    /// Counts a request of `access` (nobody where its token was missing or bad). `None` where it is not counted.
    ///
    /// # Errors
    /// The standing together with 429 `RateLimitExceeded` or `IPBasedRateLimitExceeded`.
    pub(crate) fn count(
        &self,
        access: Option<&Access>,
        headers: &HeaderMap,
        now_second: i64,
    ) -> Result<Option<Standing>, (Standing, ApiError)> {
        if !self.limits.enabled || access.is_some_and(Access::reads_all_secrets) {
            return Ok(None);
        }
        let (who, limit) = match access {
            Some(access) => (access.user().map_or_else(|| Counted::Client(access.caller().client_id.clone()), Counted::User), true),
            None => (Counted::Address(self.address(headers)), false),
        };
        let limit = if limit { self.limits.general_limit } else { self.limits.unauthenticated_limit };
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let who = room_for(&mut counts, who, now_second);
        let until_second = now_second + i64::from(self.limits.reset_interval_in_minutes) * 60;
        let count = counts.entry(who.clone()).or_insert(Count { requests: 0, until_second });
        if count.until_second <= now_second {
            *count = Count { requests: 0, until_second };
        }
        let standing = |requests: u32, until| Standing { limit, remaining: limit.saturating_sub(requests), reset_second: until };
        if count.requests >= limit {
            let mut error = match who {
                Counted::User(_) | Counted::Client(_) => ApiError::new(ErrorCode::RateLimitExceeded, "Rate Limit Exceeded"),
                Counted::Address(_) | Counted::Crowd => ApiError::new(
                    ErrorCode::IPBasedRateLimitExceeded,
                    "Rate Limit Exceeded: Unauthenticated requests from this IP address have exceeded the limit. Please log in.",
                ),
            };
            error.retry_after_seconds = u32::try_from(count.until_second - now_second).ok();
            return Err((standing(limit, count.until_second), error));
        }
        count.requests += 1;
        Ok(Some(standing(count.requests, count.until_second)))
    }

    /// The caller's address: the last that somebody we trust has written. The router in front appends the address of the
    /// connection, so without trusted load balancers it is that, whatever the caller claims.
    fn address(&self, headers: &HeaderMap) -> IpAddr {
        let chain = headers.get_all("x-forwarded-for").iter().filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(','));
        let chain: Vec<IpAddr> = chain.map_while(|address| address.trim().parse().ok()).collect();
        let trusted = |address: &&IpAddr| self.trusted.iter().any(|network| network.contains(*address));
        let address = chain.iter().rev().find(|address| !trusted(address)).or(chain.first()).copied();
        match address.unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED)) {
            // A household has a whole /64.
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
            address => address,
        }
    }
}

/// The name to count under; forgets what is over where there are many.
fn room_for(counts: &mut HashMap<Counted, Count>, who: Counted, now_second: i64) -> Counted {
    if counts.len() < MAX_CALLERS || counts.contains_key(&who) {
        return who;
    }
    counts.retain(|_, count| count.until_second > now_second);
    match who {
        Counted::Address(_) if counts.len() >= MAX_CALLERS => Counted::Crowd,
        who => who,
    }
}

impl Standing {
    /// Writes the `X-RateLimit-…` headers.
    pub(crate) fn write(self, headers: &mut HeaderMap) {
        headers.insert(HeaderName::from_static("x-ratelimit-limit"), HeaderValue::from(self.limit));
        headers.insert(HeaderName::from_static("x-ratelimit-remaining"), HeaderValue::from(self.remaining));
        headers.insert(HeaderName::from_static("x-ratelimit-reset"), HeaderValue::from(self.reset_second));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter(trusted: &[&str]) -> Limiter {
        let trusted_proxies = trusted.iter().map(|&text| text.to_owned()).collect();
        Limiter::new(RateLimits {
            enabled: true,
            unauthenticated_limit: 2,
            reset_interval_in_minutes: 1,
            trusted_proxies,
            ..RateLimits::default()
        })
    }

    fn from(chain: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", HeaderValue::from_str(chain).unwrap());
        headers
    }

    #[test]
    fn an_interval_begins_with_its_first_request_and_ends() {
        let limiter = limiter(&[]);
        let one = limiter.count(None, &from("192.0.2.1"), 1_000).unwrap().unwrap();
        assert_eq!(one, Standing { limit: 2, remaining: 1, reset_second: 1_060 });
        assert_eq!(limiter.count(None, &from("192.0.2.1"), 1_059).unwrap().unwrap().remaining, 0);
        let (standing, error) = limiter.count(None, &from("192.0.2.1"), 1_059).unwrap_err();
        assert_eq!((standing.remaining, error.retry_after_seconds), (0, Some(1)));
        assert!(limiter.count(None, &from("192.0.2.2"), 1_059).unwrap().is_some(), "others are counted apart");
        assert_eq!(limiter.count(None, &from("192.0.2.1"), 1_060).unwrap().unwrap().remaining, 1);
    }

    #[test]
    fn an_address_cannot_be_chosen() {
        let plain = limiter(&[]);
        let balanced = limiter(&["10.0.0.0/8"]);
        let expected: IpAddr = "192.0.2.1".parse().unwrap();
        assert_eq!(plain.address(&from("203.0.113.9, 192.0.2.1")), expected);
        assert_eq!(balanced.address(&from("203.0.113.9, 192.0.2.1, 10.1.2.3")), expected);
        assert_eq!(plain.address(&from("2001:db8::1")), plain.address(&from("2001:db8::ffff")));
        assert_ne!(plain.address(&from("2001:db8::1")), plain.address(&from("2001:db8:0:1::1")));
    }

    #[test]
    fn a_flood_of_addresses_is_counted_together() {
        let limiter = limiter(&[]);
        for number in 0..u32::try_from(MAX_CALLERS).unwrap() {
            limiter.count(None, &from(&IpAddr::from(number.to_be_bytes()).to_string()), 1_000).unwrap();
        }
        for address in ["198.51.100.1", "198.51.100.2"] {
            limiter.count(None, &from(address), 1_001).unwrap();
        }
        limiter.count(None, &from("198.51.100.3"), 1_001).unwrap_err();
        assert!(limiter.counts.lock().unwrap().len() <= MAX_CALLERS + 1);
        limiter.count(None, &from("198.51.100.3"), 1_060).unwrap();
    }
}
