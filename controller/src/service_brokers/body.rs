//! What bodies say of a broker, and their rules.

use crate::{Result, request::ToOne};
use serde::Deserialize;
use virga_broker::BrokerUrl;
use virga_contract::ApiError;

/// Most characters of a name, a user name, a password.
const MAX_CHARS: usize = 255;
/// Most characters of a URL.
const MAX_URL_CHARS: usize = 2_048;

/// `authentication`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Authentication {
    /// `basic`.
    #[serde(rename = "type")]
    kind: String,
    /// What the broker asks for.
    pub(super) credentials: BasicCredentials,
}

/// `authentication.credentials`.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BasicCredentials {
    pub(super) username: String,
    pub(super) password: String,
}

impl std::fmt::Debug for BasicCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BasicCredentials")
    }
}

/// `relationships` of a new broker.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BrokerRelationships {
    pub(super) space: ToOne,
}

/// Gathers every sentence about what is wrong.
#[derive(Debug, Default)]
pub(super) struct Check(Vec<String>);

impl Check {
    pub fn name(&mut self, name: &str) {
        if name.is_empty() {
            self.0.push("Name must not be empty string".to_owned());
        }
        self.length("Name", name);
        if name.chars().any(char::is_control) {
            self.0.push("Name must contain only printable characters".to_owned());
        }
    }

    pub fn url(&mut self, url: &str) {
        if url.chars().count() > MAX_URL_CHARS {
            return self.0.push(format!("Url is too long (maximum is {MAX_URL_CHARS} characters)"));
        }
        // The parser would leave them out without a word.
        if url.chars().any(|letter| letter.is_control() || letter.is_whitespace()) {
            return self.0.push("Url may not have spaces or control characters".to_owned());
        }
        if let Err(error) = url.parse::<BrokerUrl>() {
            self.0.push(error.to_string());
        }
    }

    pub fn authentication(&mut self, authentication: &Authentication) {
        if authentication.kind != "basic" {
            self.0.push("Authentication authentication.type must be one of [\"basic\"]".to_owned());
        }
        self.length("Authentication authentication.credentials.username", &authentication.credentials.username);
        self.length("Authentication authentication.credentials.password", &authentication.credentials.password);
        let BasicCredentials { username, password } = &authentication.credentials;
        if username.contains(':') || username.chars().chain(password.chars()).any(char::is_control) {
            self.0.push("Authentication authentication.credentials may not have control characters, nor the username a colon".to_owned());
        }
    }

    fn length(&mut self, what: &str, text: &str) {
        if text.chars().count() > MAX_CHARS {
            self.0.push(format!("{what} is too long (maximum is {MAX_CHARS} characters)"));
        }
    }

    /// # Errors
    /// 422 with everything that is wrong.
    pub fn end(self) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(ApiError::unprocessable_all(self.0).into()) }
    }
}
