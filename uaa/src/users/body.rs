//! What a client may say about a user; SCIM's other members are left alone, as in the UAA.

use crate::{
    refusal::Result,
    scim::{self, invalid},
};
use serde::Deserialize;
use virga_model::{Timestamp, UserGuid};
use virga_serve::Secret;
use virga_store::uaa::users::UaaUserRow;

/// Longest name, email or origin, bytes.
const MAX_TEXT_BYTES: usize = 255;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserBody {
    user_name: Option<String>,
    pub(super) password: Option<Secret<String>>,
    origin: Option<String>,
    external_id: Option<String>,
    name: Option<Name>,
    emails: Option<Vec<Email>>,
    phone_numbers: Option<Vec<Phone>>,
    active: Option<bool>,
    verified: Option<bool>,
    #[serde(default)]
    meta: Meta,
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

#[derive(Debug, Deserialize)]
struct Phone {
    value: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Meta {
    /// Attributes that a PATCH takes away.
    attributes: Vec<String>,
}

impl UserBody {
    /// Reads it; what is no user is 400 `invalid_scim_resource`.
    pub(super) fn read(bytes: &[u8]) -> Result<Self> {
        serde_json::from_slice(bytes).map_err(|error| invalid(error.to_string()))
    }

    fn email(&self) -> Option<String> {
        let emails = self.emails.as_deref().unwrap_or_default();
        emails.iter().find(|email| email.primary).or(emails.first()).map(|email| email.value.clone())
    }

    fn phone(&self) -> Option<String> {
        let phones = self.phone_numbers.as_deref()?;
        Some(phones.first().map(|phone| phone.value.clone()).unwrap_or_default())
    }

    /// A new user, without a password yet.
    pub(super) fn create(&self, now: Timestamp) -> Result<UaaUserRow> {
        let username = self.user_name.clone().unwrap_or_default();
        let origin = self.origin.clone().filter(|origin| !origin.is_empty()).unwrap_or_else(|| "uaa".to_owned());
        let mut row = UaaUserRow::new(UserGuid::random(), now, &username, &origin);
        row.email = self.email().unwrap_or_else(|| username.clone());
        row.phone = self.phone().unwrap_or_default();
        row.external_id = self.external_id.clone().unwrap_or_default();
        row.active = self.active.unwrap_or(true);
        row.verified = self.verified.unwrap_or(true);
        if let Some(name) = &self.name {
            row.given_name = name.given_name.clone().unwrap_or_default();
            row.family_name = name.family_name.clone().unwrap_or_default();
        }
        check(row)
    }

    /// The user as a PUT would have it.
    pub(super) fn replace(&self, user: &UaaUserRow) -> Result<UaaUserRow> {
        if self.user_name.is_none() {
            return Err(invalid("A username must be provided."));
        }
        let email = self.email().ok_or_else(|| invalid("An email must be provided."))?;
        let mut row = self.merge(user)?;
        row.email = email;
        row.phone = self.phone().unwrap_or_default();
        let name = self.name.as_ref();
        row.given_name = name.and_then(|name| name.given_name.clone()).unwrap_or_default();
        row.family_name = name.and_then(|name| name.family_name.clone()).unwrap_or_default();
        check(row)
    }

    /// The user as a PATCH would have it: first `meta.attributes` are taken away, then what is given is set.
    pub(super) fn merge(&self, user: &UaaUserRow) -> Result<UaaUserRow> {
        let mut row = user.clone();
        for attribute in &self.meta.attributes {
            match attribute.to_ascii_lowercase().as_str() {
                "name" => {
                    row.given_name.clear();
                    row.family_name.clear();
                }
                "name.givenname" => row.given_name.clear(),
                "name.familyname" => row.family_name.clear(),
                "phonenumbers" => row.phone.clear(),
                "externalid" => row.external_id.clear(),
                // The email that stays is the one that a user without any has.
                "emails" => row.email = row.username.clone(),
                _ => return Err(invalid(format!("Attribute {attribute} cannot be removed using \"Meta.attributes\""))),
            }
        }
        let set = |field: &mut String, value: Option<String>| {
            if let Some(value) = value {
                *field = value;
            }
        };
        set(&mut row.username, self.user_name.clone());
        set(&mut row.email, self.email());
        set(&mut row.phone, self.phone());
        set(&mut row.external_id, self.external_id.clone());
        if let Some(name) = &self.name {
            set(&mut row.given_name, name.given_name.clone());
            set(&mut row.family_name, name.family_name.clone());
        }
        row.active = self.active.unwrap_or(row.active);
        row.verified = self.verified.unwrap_or(row.verified);
        if self.origin.as_ref().is_some_and(|origin| !origin.is_empty() && *origin != user.origin) {
            return Err(invalid("The origin of a user cannot be changed."));
        }
        check(row)
    }
}

fn check(row: UaaUserRow) -> Result<UaaUserRow> {
    if row.username.trim().is_empty() {
        return Err(invalid("A username must be provided."));
    }
    for (what, text) in [
        ("username", &row.username),
        ("origin", &row.origin),
        ("email", &row.email),
        ("given name", &row.given_name),
        ("family name", &row.family_name),
        ("phone number", &row.phone),
        ("external id", &row.external_id),
    ] {
        if text.len() > MAX_TEXT_BYTES || text.chars().any(char::is_control) {
            return Err(invalid(format!("The {what} is too long or has control characters in it.")));
        }
    }
    Ok(row)
}

/// 409 where the name is taken.
pub(super) fn taken(error: virga_store::StoreError, username: &str) -> crate::refusal::Refusal {
    match error {
        virga_store::StoreError::Unique { .. } => scim::exists(format!("Username already in use: {username}")),
        error => error.into(),
    }
}
