//! Changing a password, and setting a new one with a code that an operator made. No mail is sent from here.

use super::{Browser, account::typed_code, local, login::start_session, page, redirect, refused, templates};
use crate::{
    authority::Uaa,
    extract::{FormBody, JsonBody, QueryFields},
    refusal::{Refusal, Result},
    scim,
    settings::seconds,
    users::{password, user_of},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use virga_model::Sha256Digest;
use virga_serve::{
    Base, Secret,
    axum::{
        Json,
        extract::State,
        http::{HeaderMap, StatusCode},
        response::Response,
    },
};
use virga_store::uaa::{
    codes::{self, CodeRow, Kind},
    users,
};

#[derive(Deserialize)]
pub(crate) struct NextQuery {
    next: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct ChangeForm {
    csrf: Option<String>,
    next: Option<String>,
    current_password: Option<Secret<String>>,
    new_password: Option<Secret<String>>,
    confirm_password: Option<Secret<String>>,
}

fn both_alike(new: Option<Secret<String>>, confirmed: Option<Secret<String>>) -> Result<Secret<String>> {
    let new = new.unwrap_or_default();
    if confirmed.unwrap_or_default() == new {
        return Ok(new);
    }
    Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_password", "The two new passwords are not the same."))
}

fn change_form(uaa: &Uaa, browser: &Browser, next: &str, message: Option<&str>) -> Response {
    let Some((_, user)) = &browser.session else { return super::to_login(next, false) };
    let required = crate::tokens::login::must_change_password(uaa, user);
    page(browser, &templates::ChangePassword { csrf: browser.csrf(), next, username: &user.username, required, message })
}

/// `GET /change_password`
pub(crate) async fn show_change(State(uaa): State<Arc<Uaa>>, QueryFields(query): QueryFields<NextQuery>, browser: Browser) -> Response {
    match browser.logged_in(&uaa) {
        Ok(_) => change_form(&uaa, &browser, &local(query.next.as_deref()), None),
        Err(response) => *response,
    }
}

/// `POST /change_password`: ends every session and token of the user, and begins a new session here.
pub(crate) async fn change(
    State(uaa): State<Arc<Uaa>>,
    headers: HeaderMap,
    browser: Browser,
    FormBody(form): FormBody<ChangeForm>,
) -> Result<Response> {
    let next = local(form.next.as_deref());
    let user = match browser.logged_in(&uaa) {
        Ok((_, user)) => user,
        Err(response) => return Ok(*response),
    };
    let changed = async {
        browser.check(form.csrf.as_deref().unwrap_or_default())?;
        uaa.limiter.check(&headers)?;
        let new = both_alike(form.new_password, form.confirm_password)?;
        uaa.settings.password.check(&new)?;
        let turn = uaa.passwords.turn().await?;
        password::change_own(&uaa, &turn, user, &form.current_password.unwrap_or_default(), &new).await
    };
    match changed.await {
        Ok(()) => {
            let mut response = redirect(&next);
            start_session(&uaa, &browser, response.headers_mut(), user).await?;
            Ok(response)
        }
        Err(refusal) if refusal.status().is_client_error() => {
            let message = match refusal.description() {
                "Bad credentials" => "The current password is wrong.",
                other => other,
            };
            let mut response = change_form(&uaa, &browser, &next, Some(message));
            *response.status_mut() = refusal.status();
            Ok(response)
        }
        Err(refusal) => Ok(refused(&browser, &refusal)),
    }
}

/// `GET /forgot_password`: whom to ask.
pub(crate) async fn forgot(browser: Browser) -> Response {
    browser.elsewhere().unwrap_or_else(|| page(&browser, &templates::ForgotPassword))
}

#[derive(Deserialize)]
pub(crate) struct CodeQuery {
    code: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct ResetForm {
    csrf: Option<String>,
    code: Option<Secret<String>>,
    new_password: Option<Secret<String>>,
    confirm_password: Option<Secret<String>>,
}

/// `GET /reset_password`
pub(crate) async fn show_reset(QueryFields(query): QueryFields<CodeQuery>, browser: Browser) -> Response {
    if let Some(elsewhere) = browser.elsewhere() {
        return elsewhere;
    }
    let code: String = query.code.unwrap_or_default().chars().take(64).collect();
    page(&browser, &templates::ResetPassword { csrf: browser.csrf(), code: &code, message: None })
}

/// `POST /reset_password`: the code is used up only by a new password that will do.
pub(crate) async fn reset(
    State(uaa): State<Arc<Uaa>>,
    headers: HeaderMap,
    browser: Browser,
    FormBody(form): FormBody<ResetForm>,
) -> Result<Response> {
    let code = form.code.unwrap_or_default();
    let done = async {
        browser.check(form.csrf.as_deref().unwrap_or_default())?;
        uaa.limiter.check(&headers)?;
        let new = both_alike(form.new_password, form.confirm_password)?;
        uaa.settings.password.check(&new)?;
        let turn = uaa.passwords.turn().await?;
        let hash = Sha256Digest::of(code.expose().trim().as_bytes());
        let mut transaction = uaa.store.begin().await?;
        let taken = codes::take(&mut transaction, Kind::PasswordReset, hash, uaa.now()).await?;
        transaction.commit().await?;
        let invalid = || Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_code", "The code is wrong, was used, or is too old.");
        let guid = taken.and_then(|code| code.user).ok_or_else(invalid)?;
        let user = users::find(&mut *uaa.store.read().await?, guid).await?.filter(|user| user.active).ok_or_else(invalid)?;
        password::set(&uaa, &turn, &user, &new).await
    };
    match done.await {
        Ok(()) => Ok(redirect("/login")),
        Err(refusal) if refusal.status().is_client_error() => {
            let template = templates::ResetPassword { csrf: browser.csrf(), code: code.expose(), message: Some(refusal.description()) };
            let mut response = page(&browser, &template);
            *response.status_mut() = refusal.status();
            Ok(response)
        }
        Err(refusal) => Ok(refused(&browser, &refusal)),
    }
}

/// `POST /password_resets` with a user name or id as a JSON string: a code, and the link to hand on to the user.
pub(crate) async fn reset_code(
    State(uaa): State<Arc<Uaa>>,
    base: Base,
    JsonBody(name): JsonBody<String>,
) -> Result<(StatusCode, Json<Value>)> {
    let mut transaction = uaa.store.begin().await?;
    let user = match users::find_by_name(&mut transaction, &name, "uaa").await? {
        Some(user) => user,
        None => user_of(&mut transaction, &name).await?,
    };
    if user.origin != "uaa" || !user.active {
        return Err(scim::not_found(format!("User {name} has no password here")));
    }
    let (code, now) = (typed_code(), uaa.now());
    let row = CodeRow {
        code_hash: Sha256Digest::of(code.as_bytes()),
        kind: Kind::PasswordReset,
        created_at: now,
        expires_at: now.checked_add(seconds(uaa.settings.password_reset_seconds)).map_err(Refusal::internal)?,
        user: Some(user.guid),
        data: String::new(),
    };
    codes::insert(&mut transaction, &row).await?;
    transaction.commit().await?;
    tracing::info!(user.guid = %user.guid, "a code to reset a password was made");
    let link = format!("{}/reset_password?code={code}", base.login);
    Ok((StatusCode::CREATED, Json(json!({"code": code, "user_id": user.guid, "link": link}))))
}
