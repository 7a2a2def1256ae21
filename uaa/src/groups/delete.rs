//! `DELETE /Groups/:id`. Answers with the group that was.

use super::{group_of, view};
use crate::{authority::Uaa, refusal::Result, scim::Expected};
use std::sync::Arc;
use virga_serve::axum::{
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use virga_store::uaa::groups;

pub(crate) async fn delete(State(uaa): State<Arc<Uaa>>, Path(id): Path<String>, headers: HeaderMap) -> Result<Response> {
    let expected = Expected::of(&headers)?.unwrap_or(Expected::Any);
    let mut transaction = uaa.store.begin().await?;
    let group = group_of(&mut transaction, &id).await?;
    expected.check(group.version)?;
    let answer = view::answer(&mut transaction, &group, StatusCode::OK).await?;
    groups::remove_all(&mut transaction, &group.display_name).await?;
    groups::delete(&mut transaction, group.guid).await?;
    transaction.commit().await?;
    tracing::info!(group.name = group.display_name, "group deleted");
    Ok(answer)
}
