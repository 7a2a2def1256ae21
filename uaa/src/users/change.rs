//! `PUT /Users/:id` and `PATCH /Users/:id`.

use super::{
    body::{UserBody, taken},
    user_of, view,
};
use crate::{
    authority::Uaa,
    refusal::{Refusal, Result},
    scim::Expected,
};
use std::sync::Arc;
use virga_serve::{
    auth::Claims,
    axum::{
        Extension,
        body::Bytes,
        extract::{Path, State, rejection::BytesRejection},
        http::{HeaderMap, Method, StatusCode},
        response::Response,
    },
};
use virga_store::uaa::{
    sessions,
    users::{self, UaaUserRow},
};

pub(crate) async fn update(
    State(uaa): State<Arc<Uaa>>,
    Path(id): Path<String>,
    Extension(claims): Extension<Claims>,
    method: Method,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response> {
    let expected = Expected::required(&headers, method.as_str())?;
    let body = UserBody::read(&body.map_err(|error| Refusal::invalid_request(error.body_text()))?)?;
    let mut transaction = uaa.store.begin().await?;
    let user = user_of(&mut transaction, &id).await?;
    expected.check(user.version)?;
    let mut changed = if method == Method::PUT { body.replace(&user)? } else { body.merge(&user)? };
    let writes = claims.scope.iter().any(|scope| scope == "scim.write" || scope == "uaa.admin");
    if !writes {
        only_own_name(&user, &changed)?;
    }
    changed.version = user.version.saturating_add(1);
    users::update(&mut transaction, &mut changed, uaa.now()).await.map_err(|error| taken(error, &changed.username))?;
    if !changed.active {
        sessions::delete_of_user(&mut transaction, user.guid).await?;
    }
    // The Cloud Controller shows the name as it is now.
    if changed.username != user.username && virga_store::users::find(&mut transaction, user.guid).await?.is_some() {
        virga_store::users::save_name(&mut transaction, user.guid, Some(&changed.username), Some(&changed.origin), uaa.now()).await?;
    }
    let answer = view::answer(&mut transaction, &changed, StatusCode::OK).await?;
    transaction.commit().await?;
    uaa.standing.forget();
    Ok(answer)
}

/// Without `scim.write`, users change their own first and last name and telephone number, and nothing else.
fn only_own_name(user: &UaaUserRow, changed: &UaaUserRow) -> Result<()> {
    let allowed = UaaUserRow {
        given_name: changed.given_name.clone(),
        family_name: changed.family_name.clone(),
        phone: changed.phone.clone(),
        ..user.clone()
    };
    if user.origin == "uaa" && allowed == *changed {
        return Ok(());
    }
    let text = "You are only allowed to change your own name and telephone number";
    Err(Refusal::new(StatusCode::FORBIDDEN, "insufficient_scope", text))
}
