//! Identity providers of others, by OpenID Connect: their users log in at the provider's own page and are known here by a shadow
//! user of the provider's origin.

mod client;
pub(crate) mod login;
mod shadow;

pub(crate) use client::{Provider, ProviderError, verify_own};
pub(crate) use shadow::user_of_claims;

use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use url::{Host, Url};
use virga_serve::{Clock, Secret};

/// Time for one request to a provider.
const TIMEOUT: Duration = Duration::from_secs(10);

/// One identity provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProviderSettings {
    /// Its issuer URL; the rest is read from `<issuer>/.well-known/openid-configuration`. `https`, except on this machine.
    pub issuer: String,
    /// What it calls this platform.
    pub client_id: String,
    /// The secret it gave this platform.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<Secret<String>>,
    /// What is asked for besides `openid`.
    pub scopes: Vec<String>,
    /// What the login page says. Default: the origin.
    pub text: String,
    /// Whether the login page shows it.
    pub show_link: bool,
    /// The claim with the user's name; without it `preferred_username`, `email` or `sub`, whichever comes first.
    pub username_claim: String,
    /// The claim with the names of the user's groups at the provider; none takes no groups over.
    pub groups_claim: String,
    /// Groups here by a group there. Taken over at every login.
    pub group_mapping: BTreeMap<String, Vec<String>>,
    /// Whether users unknown here are let in; otherwise an administrator creates them first (`cf create-user --origin`).
    pub add_shadow_users: bool,
}

impl Default for ProviderSettings {
    fn default() -> Self {
        Self {
            issuer: String::new(),
            client_id: String::new(),
            client_secret: None,
            scopes: vec!["email".to_owned(), "profile".to_owned()],
            text: String::new(),
            show_link: true,
            username_claim: String::new(),
            groups_claim: String::new(),
            group_mapping: BTreeMap::new(),
            add_shadow_users: true,
        }
    }
}

impl ProviderSettings {
    pub(crate) fn check(&self, origin: &str) -> Result<(), String> {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if origin.is_empty() || origin.len() > 36 || !origin.chars().all(fits) || matches!(origin, "uaa" | "ldap" | "unknown") {
            return Err(format!("uaa.providers.{origin}: an origin has 1 to 36 letters, digits, - _ . and is not uaa, ldap, unknown"));
        }
        let url = Url::parse(&self.issuer).map_err(|error| format!("uaa.providers.{origin}.issuer: it is no URL ({error})"))?;
        let is_here = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        if url.scheme() != "https" && !(url.scheme() == "http" && is_here) {
            return Err(format!("uaa.providers.{origin}.issuer: it must begin with https:"));
        }
        if self.client_id.is_empty() {
            return Err(format!("uaa.providers.{origin}.client_id: it must not be empty"));
        }
        Ok(())
    }
}

/// The providers of the settings, by origin.
pub(crate) struct Providers(BTreeMap<String, Provider>);

impl Providers {
    pub(crate) fn new(settings: &BTreeMap<String, ProviderSettings>, clock: Arc<dyn Clock>) -> Result<Self, String> {
        if settings.is_empty() {
            return Ok(Self(BTreeMap::new()));
        }
        // A provider's answer is never a reason to ask somebody else.
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(TIMEOUT).build();
        let http = http.map_err(|error| format!("uaa.providers: requests cannot be made ({error})"))?;
        let provider = |(origin, settings): (&String, &ProviderSettings)| {
            (origin.clone(), Provider::new(origin.clone(), settings.clone(), http.clone(), Arc::clone(&clock)))
        };
        Ok(Self(settings.iter().map(provider).collect()))
    }

    pub(crate) fn find(&self, origin: &str) -> Option<&Provider> {
        self.0.get(origin)
    }

    pub(crate) fn find_by_issuer(&self, issuer: &str) -> Option<&Provider> {
        self.0.values().find(|provider| provider.settings.issuer.trim_end_matches('/') == issuer.trim_end_matches('/'))
    }

    /// Origin and text of those that the login page shows.
    pub(crate) fn links(&self) -> impl Iterator<Item = (&str, &str)> {
        let shown = self.0.values().filter(|provider| provider.settings.show_link);
        shown.map(|provider| {
            let text = if provider.settings.text.is_empty() { provider.origin.as_str() } else { provider.settings.text.as_str() };
            (provider.origin.as_str(), text)
        })
    }
}
