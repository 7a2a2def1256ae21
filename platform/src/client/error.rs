//! What can go wrong between the command line and the API.

use reqwest::StatusCode;
use serde::Deserialize;

/// One entry of the API's error envelope.
#[derive(Debug, Clone, Deserialize)]
pub struct ErrorItem {
    /// The number clients match on.
    #[serde(default)]
    pub code: u32,
    /// `CF-…`.
    #[serde(default)]
    pub title: String,
    /// The sentence for people.
    pub detail: String,
}

/// A failed call, in words for the person at the terminal.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No API was chosen yet.
    #[error("No API endpoint set. Use 'virga login -a URL' to set an endpoint.")]
    NoApi,
    /// Nobody is logged in, or the login has run out.
    #[error("Not logged in. Use 'virga login' to log in.")]
    NotLoggedIn,
    /// The connection failed; nothing is known about the outcome.
    #[error("Request error: {0}")]
    Transport(String),
    /// The API refused, in its own words.
    #[error("{}", sentences(.errors))]
    Api {
        /// HTTP status.
        status: StatusCode,
        /// What it said.
        errors: Vec<ErrorItem>,
    },
    /// The UAA refused.
    #[error("{description}")]
    Uaa {
        /// HTTP status.
        status: StatusCode,
        /// The OAuth 2 error word.
        error: String,
        /// Its sentence.
        description: String,
    },
    /// An answer that is not of the API.
    #[error("Unexpected response from {url}: {status}\n{body}")]
    Unexpected {
        /// Who answered.
        url: String,
        /// HTTP status.
        status: StatusCode,
        /// The first part of the body.
        body: String,
    },
    /// A background job failed.
    #[error("{}", sentences(.0))]
    Job(Vec<ErrorItem>),
}

impl ClientError {
    /// Whether the API said that the thing does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Api { status, .. } if *status == StatusCode::NOT_FOUND)
    }

    /// Whether the same call may well succeed in a moment.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Transport(_) => true,
            Self::Api { status, .. } | Self::Unexpected { status, .. } => matches!(status.as_u16(), 502..=504),
            _ => false,
        }
    }

    /// Whether an access token was refused that may only be too old (cf-api error 1000).
    pub fn is_stale_token(&self) -> bool {
        matches!(self, Self::Api { errors, .. } if errors.iter().any(|e| e.code == 1000 || e.title == "CF-InvalidAuthToken"))
    }
}

impl From<reqwest::Error> for ClientError {
    /// reqwest hides the cause ("error sending request"); people need the whole chain.
    fn from(error: reqwest::Error) -> Self {
        let mut text = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        Self::Transport(text)
    }
}

fn sentences(errors: &[ErrorItem]) -> String {
    match errors {
        [] => "The server gave no reason.".to_owned(),
        [one] => one.detail.clone(),
        many => many.iter().map(|e| format!("{} ({})", e.detail, e.title)).collect::<Vec<_>>().join("\n"),
    }
}
