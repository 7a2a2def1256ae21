//! `GET /Users` and `GET /ids/Users`.

use super::{
    attributes::{ATTRIBUTES, OF_IDS},
    view,
};
use crate::{
    authority::Uaa,
    extract::QueryFields,
    refusal::{Refusal, Result},
    scim::ListQuery,
};
use serde_json::{Value, json};
use std::sync::Arc;
use virga_serve::axum::{Json, extract::State, http::StatusCode};
use virga_store::uaa::{
    scim::{Filter, Operator},
    users,
};

pub(crate) async fn list(State(uaa): State<Arc<Uaa>>, QueryFields(query): QueryFields<ListQuery>) -> Result<Json<Value>> {
    let listing = query.listing(ATTRIBUTES, "created")?;
    let mut db = uaa.store.read().await?;
    let (rows, total) = users::list(&mut db, &listing).await?;
    let resources = view::users_json(&mut db, &rows).await?;
    Ok(Json(query.answer(resources, total)))
}

/// Names of ids and ids of names. Only exact questions, so that nobody reads all users through it; inactive users are not
/// found.
pub(crate) async fn ids(State(uaa): State<Arc<Uaa>>, QueryFields(query): QueryFields<ListQuery>) -> Result<Json<Value>> {
    let refused = |text: &str| Refusal::new(StatusCode::BAD_REQUEST, "invalid_filter", format!("Invalid filter expression: {text}"));
    if query.filter.as_deref().unwrap_or_default().trim().is_empty() {
        return Err(refused("a filter is required"));
    }
    let listing = query.listing(OF_IDS, "username")?;
    if !exact(&listing.filter) {
        return Err(refused("only eq, joined by and, or, is allowed here, with an id or a userName in every alternative"));
    }
    let (rows, total) = users::list(&mut *uaa.store.read().await?, &listing).await?;
    let resources = rows.iter().filter(|user| user.active);
    let resources: Vec<_> = resources.map(|user| json!({"id": user.guid, "userName": user.username, "origin": user.origin})).collect();
    let hidden = u64::try_from(rows.len() - resources.len()).unwrap_or_default();
    Ok(Json(query.answer(resources, total.saturating_sub(hidden))))
}

/// Whether whatever fits has one of the ids or names that the filter spells out.
fn exact(filter: &Filter) -> bool {
    match filter {
        Filter::Compare(column, Operator::Equal, _) => column.name != "origin",
        Filter::And(left, right) => (exact(left) && plain(right)) || (plain(left) && exact(right)),
        Filter::Or(left, right) => exact(left) && exact(right),
        _ => false,
    }
}

/// Whether it is made of equalities only.
fn plain(filter: &Filter) -> bool {
    match filter {
        Filter::Compare(_, Operator::Equal, _) => true,
        Filter::And(left, right) | Filter::Or(left, right) => plain(left) && plain(right),
        _ => false,
    }
}
