//! Tokens: password and refresh grants of the public client `cf`.

use super::{Client, ClientError, Result, checked, decode};
use serde::Deserialize;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A token with less life than this is refreshed first, as `cf` does.
const SHORTEST_LIFE: Duration = Duration::from_secs(60);

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
    #[serde(default)]
    refresh_token: String,
}

impl Client {
    /// Logs in and keeps the tokens.
    pub async fn log_in(&self, user: &str, password: &str) -> anyhow::Result<()> {
        let form = [("grant_type", "password"), ("username", user), ("password", password)];
        let answer = self.grant(&form).await?;
        self.update(|session| {
            session.access_token = answer.access_token;
            session.refresh_token = answer.refresh_token;
        })
    }

    /// An access token with some life left.
    pub async fn token(&self) -> Result<String> {
        let session = self.session();
        if session.api.is_empty() {
            return Err(ClientError::NoApi);
        }
        if session.access_token.is_empty() {
            return Err(ClientError::NotLoggedIn);
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let expiry = session.claim("exp").and_then(|exp| exp.as_u64()).map_or(Duration::MAX, Duration::from_secs);
        if now + SHORTEST_LIFE < expiry { Ok(session.access_token) } else { self.refresh(&session.access_token).await }
    }

    /// A new access token in place of `stale`; whoever comes second takes what the first one got.
    pub async fn refresh(&self, stale: &str) -> Result<String> {
        let _one = self.refreshing.lock().await;
        let session = self.session();
        if session.access_token != stale && !session.access_token.is_empty() {
            return Ok(session.access_token);
        }
        if session.refresh_token.is_empty() {
            return Err(ClientError::NotLoggedIn);
        }
        let form = [("grant_type", "refresh_token"), ("refresh_token", session.refresh_token.as_str())];
        let answer = match self.grant(&form).await {
            Ok(answer) => answer,
            Err(ClientError::Uaa { .. }) => return Err(ClientError::NotLoggedIn),
            Err(error) => return Err(error),
        };
        let token = answer.access_token.clone();
        let kept = self.update(|session| {
            session.access_token = answer.access_token;
            if !answer.refresh_token.is_empty() {
                session.refresh_token = answer.refresh_token;
            }
        });
        kept.map_err(|error| ClientError::Transport(format!("{error:#}")))?;
        Ok(token)
    }

    /// Makes the tokens void. Nothing to do where nobody is logged in.
    pub async fn revoke(&self) -> Result<()> {
        for name in self.session().token_names() {
            let login = self.session().login;
            let answer = self.send(|http| http.delete(format!("{login}/oauth/token/revoke/{}", super::encode(&name)))).await;
            match answer {
                // Gone already, as a token of an earlier login may be.
                Ok(_) | Err(ClientError::NotLoggedIn | ClientError::Uaa { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn grant(&self, form: &[(&str, &str)]) -> Result<TokenAnswer> {
        let login = self.session().login;
        if login.is_empty() {
            return Err(ClientError::NoApi);
        }
        let request = self.http.post(format!("{login}/oauth/token")).basic_auth("cf", Some("")).header("Accept", "application/json");
        decode(checked(request.form(form).send().await?).await?).await
    }
}
