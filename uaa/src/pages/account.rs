//! What a user does with the own account: passcode, approvals.

use super::{Browser, browser::not_logged_in, login::wants_html, page, refused, templates, templates::ApprovedClient};
use crate::{
    authority::Uaa,
    extract::FormBody,
    refusal::{Refusal, Result},
    settings::seconds,
};
use serde::Deserialize;
use std::{collections::BTreeMap, sync::Arc};
use virga_model::Sha256Digest;
use virga_serve::axum::{
    Json,
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse as _, Response},
};
use virga_store::uaa::{
    approvals,
    codes::{self, CodeRow, Kind},
    refresh_tokens,
};

/// Letters and digits that look like no other.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// 80 bits, in a form that can be typed.
const PASSCODE_LETTERS: usize = 16;

/// A code for people to type.
pub(super) fn typed_code() -> String {
    let bytes = rand::random::<[u8; PASSCODE_LETTERS]>();
    // 256 is a multiple of 32: every letter is as likely as the others.
    bytes.iter().filter_map(|byte| LETTERS.get(usize::from(byte % 32))).map(|letter| char::from(*letter)).collect()
}

/// `GET /passcode`: a code in place of name and password, once.
pub(crate) async fn passcode(State(uaa): State<Arc<Uaa>>, headers: HeaderMap, browser: Browser) -> Result<Response> {
    let html = wants_html(&headers);
    let user = match browser.logged_in(&uaa) {
        Ok((_, user)) => user,
        Err(_) if !html && browser.session.is_none() => return Err(not_logged_in()),
        Err(response) => return Ok(*response),
    };
    let (passcode, now) = (typed_code(), uaa.now());
    let row = CodeRow {
        code_hash: Sha256Digest::of(passcode.as_bytes()),
        kind: Kind::Passcode,
        created_at: now,
        expires_at: now.checked_add(seconds(uaa.settings.passcode_seconds)).map_err(Refusal::internal)?,
        user: Some(user.guid),
        data: String::new(),
    };
    let mut transaction = uaa.store.begin().await?;
    codes::insert(&mut transaction, &row).await?;
    transaction.commit().await?;
    if html {
        return Ok(page(&browser, &templates::Passcode { passcode: &passcode, minutes: uaa.settings.passcode_seconds.div_ceil(60) }));
    }
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(passcode)).into_response())
}

/// `GET /profile`
pub(crate) async fn profile(State(uaa): State<Arc<Uaa>>, browser: Browser) -> Result<Response> {
    show_profile(&uaa, &browser, None).await
}

async fn show_profile(uaa: &Uaa, browser: &Browser, message: Option<&str>) -> Result<Response> {
    let user = match browser.logged_in(uaa) {
        Ok((_, user)) => user,
        Err(response) => return Ok(*response),
    };
    let approvals = approvals::list(&mut *uaa.store.read().await?, user.guid, uaa.now()).await?;
    let mut clients: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for approval in approvals.into_iter().filter(|approval| approval.approved) {
        clients.entry(approval.client_id).or_default().push(approval.scope);
    }
    let clients = clients.into_iter().map(|(client_id, scopes)| ApprovedClient { client_id, scopes: scopes.join(", ") });
    let template = templates::Profile {
        csrf: browser.csrf(),
        username: &user.username,
        origin: &user.origin,
        has_password: user.origin == "uaa",
        clients: clients.collect(),
        message,
    };
    Ok(page(browser, &template))
}

#[derive(Deserialize)]
pub(crate) struct RevokeForm {
    csrf: Option<String>,
    client_id: Option<String>,
}

/// `POST /profile`: takes back what a client was let do, and the refresh tokens it got.
pub(crate) async fn revoke(State(uaa): State<Arc<Uaa>>, browser: Browser, FormBody(form): FormBody<RevokeForm>) -> Result<Response> {
    if let Err(refusal) = browser.check(form.csrf.as_deref().unwrap_or_default()) {
        return Ok(refused(&browser, &refusal));
    }
    let user = match browser.logged_in(&uaa) {
        Ok((_, user)) => user,
        Err(response) => return Ok(*response),
    };
    let client_id = form.client_id.unwrap_or_default();
    let mut transaction = uaa.store.begin().await?;
    approvals::delete(&mut transaction, user.guid, &client_id).await?;
    refresh_tokens::delete_of_client(&mut transaction, &client_id, Some(user.guid)).await?;
    transaction.commit().await?;
    show_profile(&uaa, &browser, Some("The application no longer has access.")).await
}
