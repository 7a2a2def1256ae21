//! What every grant asks of client, user and scopes; and the simple grants: client credentials, refresh token.

use super::{
    TokenForm,
    client::AskingClient,
    issue::{Granted, TokenResponse, respond, succeed},
    login,
};
use crate::{
    authority::Uaa,
    refusal::{Refusal, Result},
    settings::seconds,
    users::groups_of,
};
use serde_json::Value;
use virga_model::Sha256Digest;
use virga_serve::axum::http::StatusCode;
use virga_store::uaa::{
    clients::UaaClientRow,
    refresh_tokens::{self, RefreshTokenRow},
    users::{self, UaaUserRow},
};

pub(crate) fn may_use(client: &UaaClientRow, grant: &str) -> Result<()> {
    if client.grant_types.iter().any(|allowed| allowed == grant) {
        return Ok(());
    }
    Err(Refusal::new(StatusCode::UNAUTHORIZED, "invalid_client", format!("Unauthorized grant type: {grant}")))
}

/// Whether the user may have tokens of this client now.
pub(crate) fn may_have_tokens(uaa: &Uaa, client: &UaaClientRow, user: &UaaUserRow) -> Result<()> {
    if client.allowed_providers.as_ref().is_some_and(|providers| !providers.contains(&user.origin)) {
        return Err(Refusal::new(StatusCode::UNAUTHORIZED, "unauthorized", "The client is not for users of this identity provider"));
    }
    if login::must_change_password(uaa, user) {
        let text = "Your password must be changed before you can log in: use the page /change_password";
        return Err(Refusal::new(StatusCode::UNAUTHORIZED, "unauthorized", text));
    }
    Ok(())
}

/// What is asked for of what there is. No `scope`, or an empty one, asks for everything; one that the client may never
/// have is an error, one that only this user lacks is left out.
pub(crate) fn granted(asked: Option<&str>, allowed: &[String], held: impl Fn(&str) -> bool) -> Result<Vec<String>> {
    let asked: Vec<&str> = asked.unwrap_or_default().split_whitespace().collect();
    if let Some(strange) = asked.iter().find(|scope| !allowed.iter().any(|allowed| allowed == *scope)) {
        let strange: String = strange.chars().take(255).collect();
        let text = format!("Invalid scope: {strange}. Did you know that you can get default scopes by simply sending no value?");
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "invalid_scope", text));
    }
    let wanted = |scope: &&String| (asked.is_empty() || asked.contains(&scope.as_str())) && held(scope);
    let granted: Vec<String> = allowed.iter().filter(wanted).cloned().collect();
    if granted.is_empty() {
        let text = "The user is not allowed any of the requested scopes";
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "invalid_scope", text));
    }
    Ok(granted)
}

/// Whether the user is in every group that the client requires of its users (`required_user_groups`).
fn check_required_groups(client: &UaaClientRow, groups: &[String]) -> Result<()> {
    let required = client.extra.get("required_user_groups").and_then(Value::as_array);
    let missing = required.into_iter().flatten().any(|group| group.as_str().is_none_or(|group| !groups.iter().any(|held| held == group)));
    if !missing {
        return Ok(());
    }
    Err(Refusal::new(StatusCode::BAD_REQUEST, "invalid_scope", "User does not meet the client's required group criteria."))
}

/// What the user may have of what the client may ask for.
pub(crate) async fn granted_to_user(uaa: &Uaa, client: &UaaClientRow, user: &UaaUserRow, asked: Option<&str>) -> Result<Vec<String>> {
    let groups = groups_of(&mut *uaa.store.read().await?, user.guid).await?;
    check_required_groups(client, &groups)?;
    granted(asked, &client.scopes, |scope| groups.iter().any(|group| group == scope))
}

pub(super) fn client_credentials(uaa: &Uaa, client: &UaaClientRow, form: &TokenForm) -> Result<TokenResponse> {
    may_use(client, "client_credentials")?;
    if client.secret_hash.is_none() {
        return Err(Refusal::new(StatusCode::UNAUTHORIZED, "invalid_client", "A client without a secret gets no tokens of its own"));
    }
    let scopes = granted(form.scope.as_deref(), &client.authorities, |_| true)?;
    let granted = Granted { client, user: None, scopes, grant_type: "client_credentials", auth_time: None, nonce: None, id_token: false };
    respond(uaa, &granted, None)
}

/// The refresh token stays the same (the UAA's default): several commands of one user refresh side by side. Where it rotates, the
/// old one is good a little longer, and after that its use ends the whole family: one of the two who used it is a thief.
pub(super) async fn refresh_token(uaa: &Uaa, asking: &AskingClient, form: TokenForm) -> Result<TokenResponse> {
    let client = &asking.row;
    may_use(client, "refresh_token")?;
    let token = form.refresh_token.ok_or_else(|| Refusal::invalid_request("Missing refresh_token"))?;
    let row = refresh_tokens::find(&mut *uaa.store.read().await?, Sha256Digest::of(token.expose().as_bytes())).await?;
    let row = row.filter(|row| row.client_id == client.client_id && row.expires_at > uaa.now()).ok_or_else(void)?;
    if is_stolen(uaa, &row) {
        end_family(uaa, &row).await?;
        return Err(void());
    }
    let mut db = uaa.store.read().await?;
    let user = users::find(&mut db, row.user).await?.filter(|user| user.active).ok_or_else(void)?;
    let groups = groups_of(&mut db, user.guid).await?;
    drop(db);
    may_have_tokens(uaa, client, &user)?;
    check_required_groups(client, &groups)?;
    let still = |scope: &str| client.scopes.iter().any(|held| held == scope) && groups.iter().any(|group| group == scope);
    let scopes = granted(form.scope.as_deref(), &row.scopes, still)?;
    let unproven = client.secret_hash.is_some() && !asking.is_proven;
    let next = if client.rotate_refresh_tokens || uaa.settings.rotate_refresh_tokens || unproven {
        let mut transaction = uaa.store.begin().await?;
        // Read again: whoever came between has ended the family, or made this token an old one.
        let now = refresh_tokens::find(&mut transaction, row.token_hash).await?.ok_or_else(void)?;
        if is_stolen(uaa, &now) {
            drop(transaction);
            end_family(uaa, &now).await?;
            return Err(void());
        }
        let next = succeed(uaa, &mut transaction, &now).await?;
        transaction.commit().await?;
        next
    } else {
        token.expose().clone()
    };
    let granted = Granted {
        client,
        user: Some(&user),
        id_token: row.grant_type == "authorization_code",
        scopes,
        grant_type: &row.grant_type,
        auth_time: Some(row.auth_time),
        nonce: None,
    };
    respond(uaa, &granted, Some(next))
}

fn void() -> Refusal {
    Refusal::invalid_token("The token expired, was revoked, or the token ID is incorrect. Please log back in to re-authenticate.")
}

fn is_stolen(uaa: &Uaa, token: &RefreshTokenRow) -> bool {
    let grace = seconds(uaa.settings.refresh_grace_seconds);
    token.used_at.is_some_and(|used| used.checked_add(grace).is_ok_and(|end| end < uaa.now()))
}

async fn end_family(uaa: &Uaa, token: &RefreshTokenRow) -> Result<()> {
    tracing::warn!(user.guid = %token.user, client.id = token.client_id, "a refresh token was used again after its time: all that followed from it are void");
    let mut transaction = uaa.store.begin().await?;
    refresh_tokens::delete_family(&mut transaction, token).await?;
    Ok(transaction.commit().await?)
}
