//! The two ways to the code: a browser with a session, and a bearer token (`cf ssh-code`).

use super::{
    code::{self, CodeData},
    redirect,
    request::{AuthorizeQuery, AuthorizeRequest, ClientError},
};
use crate::{
    authority::Uaa,
    extract::{FormBody, QueryFields},
    pages::{self, Browser, templates},
    refusal::{Refusal, Result},
    settings::seconds,
    tokens::{
        grants::{granted_to_user, may_have_tokens},
        login::must_change_password,
    },
    users::user_of,
};
use std::{collections::BTreeSet, sync::Arc};
use virga_model::Timestamp;
use virga_serve::{
    auth::bearer_token,
    axum::{
        extract::{RawQuery, State},
        http::HeaderMap,
        response::{IntoResponse as _, Response},
    },
};
use virga_store::uaa::{
    approvals::{self, ApprovalRow},
    clients::UaaClientRow,
    users::UaaUserRow,
};

/// A request of a user who is logged in and may be asked.
struct Ready {
    user: UaaUserRow,
    auth_time: Timestamp,
    /// What the user may have of what is asked for.
    scopes: Vec<String>,
    /// Of these, what the user has not approved yet.
    open: Vec<String>,
}

/// `GET /oauth/authorize`
pub(crate) async fn show(
    State(uaa): State<Arc<Uaa>>,
    QueryFields(query): QueryFields<AuthorizeQuery>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
    browser: Browser,
) -> Result<Response> {
    if let Some(token) = bearer_token(&headers) {
        return with_token(&uaa, query, token).await;
    }
    if let Some(elsewhere) = browser.elsewhere() {
        return Ok(elsewhere);
    }
    let raw = raw.unwrap_or_default();
    let (request, ready) = match begin(&uaa, &browser, query, &raw).await? {
        Ok(begun) => begun,
        Err(answer) => return Ok(*answer),
    };
    if ready.open.is_empty() {
        return give(&uaa, &request, &ready.user, ready.scopes, ready.auth_time, &[]).await;
    }
    if request.prompts("none") {
        return Ok(request.answer_error(&ClientError::new("interaction_required", "The user must approve the client")));
    }
    Ok(ask(&browser, &request, &ready, &raw))
}

/// Checks a request up to the user's approval; otherwise the answer to give.
async fn begin(uaa: &Uaa, browser: &Browser, query: AuthorizeQuery, raw: &str) -> Result<Result<(AuthorizeRequest, Ready), Box<Response>>> {
    let answer = |response: Response| Ok(Err(Box::new(response)));
    let request = match AuthorizeRequest::read(uaa, query).await {
        Ok(request) => request,
        Err(refusal) => return answer(pages::refused(browser, &refusal)),
    };
    if let Err(error) = request.check(true) {
        return answer(request.answer_error(&error));
    }
    let here = format!("/oauth/authorize?{raw}");
    let Some((session, user)) = browser.session.clone() else {
        let silent = request.prompts("none");
        let nobody = || request.answer_error(&ClientError::new("login_required", "Nobody is logged in"));
        return answer(if silent { nobody() } else { log_in(uaa, &request, &here) });
    };
    // The form of the approval page comes from somebody who has just logged in.
    if request.prompts("login") && browser.is_get() {
        return answer(pages::to_login(&here.replace("prompt=login", "prompt="), true));
    }
    if must_change_password(uaa, &user) {
        return answer(pages::to("/change_password", &[("next", &here)]));
    }
    let scopes = match scopes(uaa, &request, &user).await {
        Ok(scopes) => scopes,
        Err(refusal) if refusal.status().is_client_error() => return answer(request.answer_error(&(&refusal).into())),
        Err(refusal) => return Err(refusal),
    };
    let open = if request.prompts("consent") { scopes.clone() } else { unapproved(uaa, &request.client, &user, &scopes).await? };
    Ok(Ok((request, Ready { user, auth_time: session.created_at, scopes, open })))
}

fn log_in(uaa: &Uaa, request: &AuthorizeRequest, here: &str) -> Response {
    let hint: Option<serde_json::Value> = request.query.login_hint.as_deref().and_then(|hint| serde_json::from_str(hint).ok());
    let origin = hint.as_ref().and_then(|hint| hint.get("origin")).and_then(serde_json::Value::as_str).unwrap_or_default();
    if uaa.providers.find(origin).is_some() {
        return pages::to(&format!("/login/start/{origin}"), &[("next", here)]);
    }
    pages::to_login(here, false)
}

fn ask(browser: &Browser, request: &AuthorizeRequest, ready: &Ready, raw: &str) -> Response {
    let client = &request.client;
    let page = templates::Approve {
        csrf: browser.csrf(),
        username: &ready.user.username,
        client: if client.name.is_empty() { &client.client_id } else { &client.name },
        open: &ready.open,
        granted: &ready.scopes.iter().filter(|scope| !ready.open.contains(scope)).cloned().collect::<Vec<_>>(),
        request: raw,
    };
    pages::page_with_action(browser, &page, Some(&redirect::form_action(&request.redirect)))
}

/// `POST /oauth/authorize`: the form of the approval page.
pub(crate) async fn answer(
    State(uaa): State<Arc<Uaa>>,
    browser: Browser,
    FormBody(form): FormBody<Vec<(String, String)>>,
) -> Result<Response> {
    let field = |name: &str| form.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str()).unwrap_or_default();
    let raw = field("request");
    let query = match browser.check(field("csrf")).and_then(|()| read_query(raw)) {
        Ok(query) => query,
        Err(refusal) => return Ok(pages::refused(&browser, &refusal)),
    };
    let (request, ready) = match begin(&uaa, &browser, query, raw).await? {
        Ok(begun) => begun,
        Err(answer) => return Ok(*answer),
    };
    let chosen: BTreeSet<&str> = form.iter().filter(|(name, _)| name == "scope").map(|(_, value)| value.as_str()).collect();
    let (approved, refused): (Vec<String>, Vec<String>) = ready.open.into_iter().partition(|scope| chosen.contains(scope.as_str()));
    let scopes: Vec<String> = ready.scopes.into_iter().filter(|scope| !refused.contains(scope)).collect();
    if field("answer") != "approve" || scopes.is_empty() {
        return Ok(request.answer_error(&ClientError::new("access_denied", "User denied access")));
    }
    give(&uaa, &request, &ready.user, scopes, ready.auth_time, &approved).await
}

/// The request that the approval page was shown for.
fn read_query(raw: &str) -> Result<AuthorizeQuery> {
    let uri = format!("/?{raw}").parse().map_err(|_| Refusal::invalid_request("The request is malformed"))?;
    let query = virga_serve::axum::extract::Query::try_from_uri(&uri).map_err(|error| Refusal::invalid_request(error.body_text()))?;
    Ok(query.0)
}

/// A bearer token of a user gets a code for a client that needs no approval, with no more scopes than the token has.
async fn with_token(uaa: &Uaa, query: AuthorizeQuery, token: &str) -> Result<Response> {
    let claims = uaa.verifier().verify(token).await?;
    let request = AuthorizeRequest::read(uaa, query).await?;
    let Some(id) = claims.user_id.as_deref().filter(|_| claims.scope.iter().any(|scope| scope == "uaa.user")) else {
        return Err(Refusal::denied("The token must be a user's and have the scope uaa.user"));
    };
    if let Err(error) = request.check(false) {
        return Ok(request.answer_error(&error));
    }
    let user = user_of(&mut *uaa.store.read().await?, id).await?;
    let mut scopes = scopes(uaa, &request, &user).await?;
    scopes.retain(|scope| claims.scope.contains(scope));
    if scopes.is_empty() || !unapproved(uaa, &request.client, &user, &scopes).await?.is_empty() {
        return Err(Refusal::denied("The user has not approved this client"));
    }
    let auth_time = claims.auth_time.and_then(|time| Timestamp::from_second(time).ok()).unwrap_or_else(|| uaa.now());
    give(uaa, &request, &user, scopes, auth_time, &[]).await
}

async fn scopes(uaa: &Uaa, request: &AuthorizeRequest, user: &UaaUserRow) -> Result<Vec<String>> {
    may_have_tokens(uaa, &request.client, user)?;
    granted_to_user(uaa, &request.client, user, request.query.scope.as_deref()).await
}

/// The scopes that the user must be asked about.
async fn unapproved(uaa: &Uaa, client: &UaaClientRow, user: &UaaUserRow, scopes: &[String]) -> Result<Vec<String>> {
    if client.autoapprove.iter().any(|scope| scope == "true") {
        return Ok(Vec::new());
    }
    let known = approvals::list(&mut *uaa.store.read().await?, user.guid, uaa.now()).await?;
    let approved = |scope: &String| {
        client.autoapprove.contains(scope)
            || known.iter().any(|known| known.approved && known.client_id == client.client_id && known.scope == *scope)
    };
    Ok(scopes.iter().filter(|scope| !approved(scope)).cloned().collect())
}

/// Writes down what was approved just now, and sends the code.
async fn give(
    uaa: &Uaa,
    request: &AuthorizeRequest,
    user: &UaaUserRow,
    scopes: Vec<String>,
    auth_time: Timestamp,
    approved: &[String],
) -> Result<Response> {
    let now = uaa.now();
    let data = CodeData {
        client_id: request.client.client_id.clone(),
        redirect_uri: request.query.redirect_uri.clone(),
        scopes,
        nonce: request.query.nonce.clone(),
        challenge: request.query.code_challenge.clone(),
        auth_time: auth_time.as_second(),
    };
    let mut transaction = uaa.store.begin().await?;
    for scope in approved {
        let approval = ApprovalRow {
            user: user.guid,
            client_id: request.client.client_id.clone(),
            scope: scope.clone(),
            approved: true,
            updated_at: now,
            expires_at: now.checked_add(seconds(uaa.settings.approval_seconds)).map_err(Refusal::internal)?,
        };
        approvals::save(&mut transaction, &approval).await?;
    }
    let code = code::create(uaa, &mut transaction, user.guid, &data).await?;
    transaction.commit().await?;
    Ok(request.answer_code(&code).into_response())
}
