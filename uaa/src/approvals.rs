//! `/approvals`: what the user of a token let clients do.

use crate::{
    authority::Uaa,
    extract::QueryFields,
    refusal::{Refusal, Result},
    scim,
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use virga_model::UserGuid;
use virga_serve::{
    auth::Claims,
    axum::{Extension, Json, extract::State},
};
use virga_store::uaa::approvals;

fn user_of(claims: &Claims) -> Result<UserGuid> {
    claims.identity().user.ok_or_else(|| Refusal::denied("This token is no user's"))
}

pub(crate) async fn list(State(uaa): State<Arc<Uaa>>, Extension(claims): Extension<Claims>) -> Result<Json<Value>> {
    let approvals = approvals::list(&mut *uaa.store.read().await?, user_of(&claims)?, uaa.now()).await?;
    let json = approvals.iter().map(|approval| {
        json!({
            "userId": approval.user,
            "clientId": approval.client_id,
            "scope": approval.scope,
            "status": if approval.approved { "APPROVED" } else { "DENIED" },
            "lastUpdatedAt": scim::time(approval.updated_at),
            "expiresAt": scim::time(approval.expires_at),
        })
    });
    Ok(Json(json.collect()))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ApprovalQuery {
    client_id: String,
}

pub(crate) async fn delete(
    State(uaa): State<Arc<Uaa>>,
    Extension(claims): Extension<Claims>,
    QueryFields(query): QueryFields<ApprovalQuery>,
) -> Result<Json<Value>> {
    let user = user_of(&claims)?;
    let mut transaction = uaa.store.begin().await?;
    approvals::delete(&mut transaction, user, &query.client_id).await?;
    transaction.commit().await?;
    Ok(Json(json!({"status": "ok", "message": format!("Approvals of user {user} and client {} revoked", query.client_id)})))
}
