//! Settings of the UAA. Each has a default; `docs/uaa.md` and `docs/limits.md` list them.

use crate::{password_policy::PasswordPolicy, providers::ProviderSettings};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};
use virga_serve::Secret;

/// Settings of the UAA.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UaaSettings {
    /// Failed logins in a row that lock an account.
    pub lockout_failures: u32,
    /// How long it stays locked after the last of them, seconds.
    pub lockout_seconds: u32,
    /// A failure this long after the one before begins a new count, seconds.
    pub lockout_window_seconds: u32,
    /// Passwords checked at the same time; each takes a core and 19 MiB.
    pub password_checks: usize,
    /// Further password checks that may wait; more are answered 429.
    pub password_queue: usize,
    /// Logins by password, code or client secret that one address may try in a minute; more are answered 429. 0 is any number.
    pub logins_per_minute: u32,
    /// Life of an access token of the client `cf`, seconds.
    pub cf_access_token_seconds: u32,
    /// Life of a refresh token of the client `cf`, seconds.
    pub cf_refresh_token_seconds: u32,
    /// Life of an access token of a client that says nothing else, seconds.
    pub access_token_seconds: u32,
    /// Life of a refresh token of a client that says nothing else, seconds.
    pub refresh_token_seconds: u32,
    /// Longest life of an access token a client may ask for; also how long a key that signs no more still verifies, seconds.
    pub max_access_token_seconds: u32,
    /// Longest life of a refresh token a client may ask for, seconds.
    pub max_refresh_token_seconds: u32,
    /// Whether every refresh gives a new refresh token, for all clients. Clients can ask for it by themselves.
    pub rotate_refresh_tokens: bool,
    /// A rotated refresh token is still good for this long, for requests that were under way, seconds. Used later, it counts
    /// as stolen, and the tokens that followed from it are void.
    pub refresh_grace_seconds: u32,
    /// Whether access tokens say `revocable`, on which `cf logout` revokes them.
    pub revocable_tokens: bool,
    /// Life of an authorization code, seconds.
    pub code_seconds: u32,
    /// Life of a one-time passcode, seconds.
    pub passcode_seconds: u32,
    /// Life of a code to reset a password, seconds.
    pub password_reset_seconds: u32,
    /// Time for a login at another provider, seconds.
    pub provider_login_seconds: u32,
    /// Life of a browser's session, seconds.
    pub session_seconds: u32,
    /// How long a user's approval of a client counts, seconds.
    pub approval_seconds: u32,
    /// A new signing key takes over after so many days; 0 is never by itself.
    pub key_rotation_days: u32,
    /// A new key is published this long before it signs, seconds; at least 30, because every process must know it by then.
    pub key_overlap_seconds: u32,
    /// Secret of the client `admin`, which may administer everything here. Without it there is no such client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admin_client_secret: Option<Secret<String>>,
    /// What a new password must look like.
    pub password: PasswordPolicy,
    /// Identity providers (OpenID Connect) by origin.
    pub providers: BTreeMap<String, ProviderSettings>,
}

impl Default for UaaSettings {
    /// The lockout is the UAA's own default policy: 5 failures, 5 minutes, counted within an hour. Lives of tokens of `cf` are
    /// cf-deployment's.
    fn default() -> Self {
        Self {
            lockout_failures: 5,
            lockout_seconds: 300,
            lockout_window_seconds: 3_600,
            password_checks: 2,
            password_queue: 64,
            logins_per_minute: 600,
            cf_access_token_seconds: 1_200,
            cf_refresh_token_seconds: 2_592_000,
            access_token_seconds: 43_200,
            refresh_token_seconds: 2_592_000,
            max_access_token_seconds: 2_592_000,
            max_refresh_token_seconds: 31_536_000,
            rotate_refresh_tokens: false,
            refresh_grace_seconds: 60,
            revocable_tokens: true,
            code_seconds: 300,
            passcode_seconds: 300,
            password_reset_seconds: 3_600,
            provider_login_seconds: 600,
            session_seconds: 28_800,
            approval_seconds: 2_592_000,
            key_rotation_days: 0,
            key_overlap_seconds: 60,
            admin_client_secret: None,
            password: PasswordPolicy::default(),
            providers: BTreeMap::new(),
        }
    }
}

impl UaaSettings {
    /// What of it contradicts itself.
    ///
    /// # Errors
    /// The key and the rule.
    pub fn check(&self) -> Result<(), String> {
        let positive = [
            ("lockout_failures", self.lockout_failures),
            ("cf_access_token_seconds", self.cf_access_token_seconds),
            ("cf_refresh_token_seconds", self.cf_refresh_token_seconds),
            ("access_token_seconds", self.access_token_seconds),
            ("refresh_token_seconds", self.refresh_token_seconds),
            ("code_seconds", self.code_seconds),
            ("passcode_seconds", self.passcode_seconds),
            ("password_reset_seconds", self.password_reset_seconds),
            ("provider_login_seconds", self.provider_login_seconds),
            ("session_seconds", self.session_seconds),
        ];
        if let Some((key, _)) = positive.iter().find(|(_, value)| *value == 0) {
            return Err(format!("uaa.{key}: must be at least 1"));
        }
        if self.key_overlap_seconds < 30 {
            return Err("uaa.key_overlap_seconds: must be at least 30".to_owned());
        }
        if self.access_token_seconds.max(self.cf_access_token_seconds) > self.max_access_token_seconds {
            return Err("uaa.max_access_token_seconds: must not be less than another life of an access token".to_owned());
        }
        if self.refresh_token_seconds.max(self.cf_refresh_token_seconds) > self.max_refresh_token_seconds {
            return Err("uaa.max_refresh_token_seconds: must not be less than another life of a refresh token".to_owned());
        }
        self.password.check_policy()?;
        self.providers.iter().try_for_each(|(origin, provider)| provider.check(origin))
    }
}

/// Seconds as a span of time.
pub(crate) fn seconds(seconds: u32) -> Duration {
    Duration::from_secs(seconds.into())
}
