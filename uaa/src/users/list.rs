//! `GET /Users`.

use super::{filter, groups_of, view};
use crate::{
    authority::Uaa,
    refusal::{Refusal, Result},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use virga_serve::axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
};
use virga_store::uaa::users;

/// Users of one page at most, and without `count`.
const MAX_COUNT: u32 = 500;
const DEFAULT_COUNT: u32 = 100;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListQuery {
    filter: Option<String>,
    /// From 1.
    start_index: Option<u32>,
    count: Option<u32>,
}

pub(crate) async fn list(State(uaa): State<Arc<Uaa>>, query: Result<Query<ListQuery>, QueryRejection>) -> Result<Json<Value>> {
    let Query(query) = query.map_err(|error| Refusal::invalid_request(error.body_text()))?;
    let filter = query.filter.as_deref().filter(|filter| !filter.trim().is_empty()).map(filter::parse).transpose()?;
    let start = query.start_index.unwrap_or(1).max(1);
    let count = query.count.unwrap_or(DEFAULT_COUNT).min(MAX_COUNT);
    let mut db = uaa.store.read().await?;
    let (rows, total) = users::list(&mut db, &filter.unwrap_or_default(), start - 1, count).await?;
    let mut resources = Vec::with_capacity(rows.len());
    for user in &rows {
        let groups = groups_of(&mut db, user.guid).await?;
        resources.push(view::user_json(user, &groups));
    }
    Ok(Json(json!({
        "resources": resources,
        "startIndex": start,
        "itemsPerPage": count,
        "totalResults": total,
        "schemas": [view::SCHEMA],
    })))
}
