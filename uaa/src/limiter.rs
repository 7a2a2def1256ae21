//! How many logins one address may try.

use crate::refusal::{Refusal, Result};
use governor::{
    Quota, RateLimiter,
    clock::{Clock as GovernorClock, Reference},
    middleware::NoOpMiddleware,
    nanos::Nanos,
    state::keyed::DefaultKeyedStateStore,
};
use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use virga_serve::{
    Clock,
    axum::http::{HeaderMap, StatusCode},
};

/// After so many checks, addresses that have not been seen for long are forgotten.
const FORGET_EVERY: u32 = 1_000;

/// The platform's clock, as the limiter reads it.
#[derive(Clone)]
struct PlatformClock(Arc<dyn Clock>);

impl GovernorClock for PlatformClock {
    type Instant = Moment;

    fn now(&self) -> Moment {
        let micros = u64::try_from(self.0.now().as_microsecond()).unwrap_or_default();
        Moment(Nanos::from(Duration::from_micros(micros)))
    }
}

/// A time of the platform's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Moment(Nanos);

impl std::ops::Add<Nanos> for Moment {
    type Output = Self;

    fn add(self, other: Nanos) -> Self {
        Self(self.0 + other)
    }
}

impl Reference for Moment {
    fn duration_since(&self, earlier: Self) -> Nanos {
        self.0.saturating_sub(earlier.0)
    }

    fn saturating_sub(&self, duration: Nanos) -> Self {
        Self(self.0.saturating_sub(duration))
    }
}

type Inner = RateLimiter<String, DefaultKeyedStateStore<String>, PlatformClock, NoOpMiddleware<Moment>>;

/// See the module.
pub(crate) struct Limiter {
    inner: Option<Inner>,
    checks: AtomicU32,
}

impl Limiter {
    /// So many a minute, of which a quarter may come at once; 0 is any number.
    pub(crate) fn new(per_minute: u32, clock: Arc<dyn Clock>) -> Self {
        let quota = NonZeroU32::new(per_minute).map(|rate| {
            let burst = NonZeroU32::new(per_minute / 4).unwrap_or(NonZeroU32::MIN);
            Quota::per_minute(rate).allow_burst(burst)
        });
        let inner = quota.map(|quota| RateLimiter::new(quota, DefaultKeyedStateStore::default(), PlatformClock(clock)));
        Self { inner, checks: AtomicU32::new(0) }
    }

    /// Counts a login from the address a request came from; 429 when there were too many.
    pub(crate) fn check(&self, headers: &HeaderMap) -> Result<()> {
        let Some(inner) = &self.inner else { return Ok(()) };
        if self.checks.fetch_add(1, Ordering::Relaxed) % FORGET_EVERY == FORGET_EVERY - 1 {
            inner.retain_recent();
        }
        // The last entry is the router's own: the peer of its connection. What stands before was said by the caller.
        let mut entries = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
        let address = entries.next_back().and_then(|entry| entry.rsplit(',').next()).unwrap_or_default().trim();
        let address: String = address.chars().take(64).collect();
        inner.check_key(&address).map_err(|_| {
            tracing::warn!(client.address = address, "too many logins from one address");
            Refusal::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", "Too many logins from this address, try again later")
        })
    }
}
