//! Shadow users: what is known here of a user of another provider.

use super::client::Provider;
use crate::{
    authority::Uaa,
    refusal::{Refusal, Result},
};
use serde_json::Value;
use std::collections::BTreeSet;
use virga_model::UserGuid;
use virga_store::{
    StoreError,
    uaa::{
        groups,
        users::{self, UaaUserRow},
    },
};

/// Longest name that is taken over, bytes.
const MAX_TEXT_BYTES: usize = 255;

/// The user that a provider's claims are about, made or brought up to date, with the groups that the mapping gives. A user is
/// known by the provider's `sub`; one that an administrator made by name is linked at the first login.
pub(crate) async fn user_of_claims(uaa: &Uaa, provider: &Provider, claims: &Value) -> Result<UaaUserRow> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str).filter(|text| fits(text));
    let subject = text("sub").ok_or_else(|| Refusal::denied("The identity provider does not say who the user is"))?;
    let names = match provider.settings.username_claim.as_str() {
        "" => ["preferred_username", "email", "sub"].as_slice(),
        claim => &[claim],
    };
    let username = names.iter().find_map(|name| text(name));
    let username = username.ok_or_else(|| Refusal::denied("The identity provider does not say the user's name"))?;
    let now = uaa.now();
    let mut transaction = uaa.store.begin().await?;
    let known = match users::find_by_external_id(&mut transaction, subject, &provider.origin).await? {
        Some(user) => Some(user),
        None => users::find_by_name(&mut transaction, username, &provider.origin).await?,
    };
    let taken = || Refusal::denied(format!("Another user of {} has this name already", provider.origin));
    if known.as_ref().is_some_and(|user| !user.external_id.is_empty() && user.external_id != subject) {
        return Err(taken());
    }
    let mut user = match &known {
        Some(user) if !user.active => return Err(Refusal::denied("This account is not active")),
        Some(user) => user.clone(),
        None if provider.settings.add_shadow_users => UaaUserRow::new(UserGuid::random(), now, username, &provider.origin),
        None => return Err(Refusal::denied(format!("The user {username} of {} is not known here; ask an operator", provider.origin))),
    };
    username.clone_into(&mut user.username);
    subject.clone_into(&mut user.external_id);
    text("email").unwrap_or(username).clone_into(&mut user.email);
    user.verified = claims.get("email_verified").and_then(Value::as_bool).unwrap_or(false);
    text("given_name").unwrap_or_default().clone_into(&mut user.given_name);
    text("family_name").unwrap_or_default().clone_into(&mut user.family_name);
    let written = match &known {
        None => users::insert(&mut transaction, &user).await,
        Some(before) if *before == user => Ok(()),
        Some(_) => {
            user.version = user.version.saturating_add(1);
            users::update(&mut transaction, &mut user, now).await
        }
    };
    written.map_err(|error| match error {
        StoreError::Unique { .. } => taken(),
        error => error.into(),
    })?;
    if !provider.settings.groups_claim.is_empty() {
        let groups = mapped(provider, claims);
        for group in &groups {
            groups::ensure(&mut transaction, group, now).await?;
        }
        groups::replace_of_origin(&mut transaction, user.guid, &provider.origin, &groups).await?;
    }
    transaction.commit().await?;
    Ok(user)
}

fn fits(text: &str) -> bool {
    !text.trim().is_empty() && text.len() <= MAX_TEXT_BYTES && !text.chars().any(char::is_control)
}

/// The groups here of the groups there; a single name counts as a list of one.
fn mapped(provider: &Provider, claims: &Value) -> Vec<String> {
    let theirs = match claims.get(&provider.settings.groups_claim) {
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(name)) => vec![name.as_str()],
        _ => Vec::new(),
    };
    let ours = theirs.into_iter().filter_map(|name| provider.settings.group_mapping.get(name)).flatten().cloned();
    ours.collect::<BTreeSet<_>>().into_iter().collect()
}
