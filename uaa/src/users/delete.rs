//! `DELETE /Users/:id`. Answers with the user that was: the `cf` CLI cannot read an empty answer here.

use super::{user_of, view};
use crate::{authority::Uaa, refusal::Result, scim::Expected};
use std::sync::Arc;
use virga_serve::axum::{
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use virga_store::uaa::{failed_logins, users};

pub(crate) async fn delete(State(uaa): State<Arc<Uaa>>, Path(id): Path<String>, headers: HeaderMap) -> Result<Response> {
    let expected = Expected::of(&headers)?.unwrap_or(Expected::Any);
    let mut transaction = uaa.store.begin().await?;
    let user = user_of(&mut transaction, &id).await?;
    expected.check(user.version)?;
    let answer = view::answer(&mut transaction, &user, StatusCode::OK).await?;
    users::delete(&mut transaction, user.guid).await?;
    failed_logins::forget(&mut transaction, &user.origin, &user.username).await?;
    transaction.commit().await?;
    uaa.standing.forget();
    tracing::info!(user.guid = %user.guid, "user deleted");
    Ok(answer)
}
