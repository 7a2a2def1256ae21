//! `POST /Users`.

use super::{groups_of, view};
use crate::{
    authority::Uaa,
    passwords::MAX_PASSWORD_BYTES,
    refusal::{Refusal, Result},
};
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;
use virga_model::{Timestamp, UserGuid};
use virga_serve::{
    Secret,
    axum::{
        Json,
        body::Bytes,
        extract::{State, rejection::BytesRejection},
        http::StatusCode,
    },
};
use virga_store::{
    StoreError,
    uaa::users::{self, UaaUserRow},
};

/// Longest name, email or origin, bytes.
const MAX_TEXT_BYTES: usize = 255;

/// What a client may say about a new user; SCIM's other members are left alone, as in the UAA.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CreateUser {
    user_name: String,
    #[serde(default)]
    password: Option<Secret<String>>,
    #[serde(default)]
    origin: Option<String>,
    #[serde(default)]
    name: Name,
    #[serde(default)]
    emails: Vec<Email>,
    #[serde(default)]
    active: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Name {
    family_name: Option<String>,
    given_name: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Email {
    value: String,
    #[serde(default)]
    primary: bool,
}

fn invalid(description: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, "invalid_scim_resource", description)
}

/// Whether this may be a new password.
pub(super) fn check_new_password(password: &Secret<String>) -> Result<()> {
    let text = match password.expose().len() {
        0 => "Password must be at least 1 characters in length.".to_owned(),
        1..=MAX_PASSWORD_BYTES => return Ok(()),
        _ => format!("Password must be no more than {MAX_PASSWORD_BYTES} characters in length."),
    };
    Err(Refusal::new(StatusCode::BAD_REQUEST, "invalid_password", text))
}

impl CreateUser {
    /// The row, without a password yet.
    fn into_row(self, now: Timestamp) -> Result<UaaUserRow> {
        let email = self.emails.iter().find(|email| email.primary).or(self.emails.first()).map(|email| email.value.clone());
        let row = UaaUserRow {
            guid: UserGuid::random(),
            created_at: now,
            updated_at: now,
            email: email.unwrap_or_else(|| self.user_name.clone()),
            username: self.user_name,
            origin: self.origin.filter(|origin| !origin.is_empty()).unwrap_or_else(|| "uaa".to_owned()),
            given_name: self.name.given_name.unwrap_or_default(),
            family_name: self.name.family_name.unwrap_or_default(),
            password_hash: None,
            password_changed_at: now,
            active: self.active.unwrap_or(true),
            failed_logins: 0,
            last_failed_at: Timestamp::UNIX_EPOCH,
        };
        if row.username.trim().is_empty() {
            return Err(invalid("A username must be provided."));
        }
        for (what, text) in [
            ("username", &row.username),
            ("origin", &row.origin),
            ("email", &row.email),
            ("given name", &row.given_name),
            ("family name", &row.family_name),
        ] {
            if text.len() > MAX_TEXT_BYTES || text.chars().any(char::is_control) {
                return Err(invalid(format!("The {what} is too long or has control characters in it.")));
            }
        }
        Ok(row)
    }
}

pub(crate) async fn create(State(uaa): State<Arc<Uaa>>, body: Result<Bytes, BytesRejection>) -> Result<(StatusCode, Json<Value>)> {
    let body = body.map_err(|error| Refusal::invalid_request(error.body_text()))?;
    let mut request: CreateUser = serde_json::from_slice(&body).map_err(|error| invalid(error.to_string()))?;
    let password = request.password.take();
    let mut user = request.into_row(uaa.now())?;
    if user.origin == "uaa" {
        let password = password.unwrap_or_default();
        check_new_password(&password)?;
        user.password_hash = Some(uaa.passwords.turn().await?.hash(&password).await?);
    }
    let mut transaction = uaa.store.begin().await?;
    users::insert(&mut transaction, &user).await.map_err(|error| match error {
        StoreError::Unique { .. } => {
            let text = format!("Username already in use: {}", user.username);
            Refusal::new(StatusCode::CONFLICT, "scim_resource_already_exists", text)
        }
        error => error.into(),
    })?;
    let groups = groups_of(&mut transaction, user.guid).await?;
    transaction.commit().await?;
    Ok((StatusCode::CREATED, Json(view::user_json(&user, &groups))))
}
