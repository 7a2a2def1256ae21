//! Reading router groups.

use super::{missing, view};
use crate::{Controller, Result, answer};
use serde::Deserialize;
use serde_json::Value;
use virga_serve::{
    Path, Query,
    axum::{extract::State, response::Response},
};
use virga_store::router_groups;

/// Parameters of the list.
#[derive(Debug, Deserialize)]
pub struct ListQuery {
    name: Option<String>,
}

/// `GET /routing/v1/router_groups`: all, or the one of a name.
///
/// # Errors
/// 401 without the scope, 404 for a name that none has.
pub async fn list(State(controller): State<Controller>, Query(query): Query<ListQuery>) -> Result<Response> {
    let mut groups = router_groups::list(&mut *controller.store.read().await?).await?;
    if let Some(name) = query.name {
        groups.retain(|group| group.name == name);
        if groups.is_empty() {
            return Err(missing(&name).into());
        }
    }
    Ok(answer::ok(Value::Array(groups.iter().map(view).collect())))
}

/// `GET /routing/v1/router_groups/:guid`.
///
/// # Errors
/// 401 without the scope, 404.
pub async fn show(State(controller): State<Controller>, Path(guid): Path<String>) -> Result<Response> {
    let unknown = || missing(&guid);
    let parsed = guid.parse().map_err(|_| unknown())?;
    let group = router_groups::find(&mut *controller.store.read().await?, parsed).await?.ok_or_else(unknown)?;
    Ok(answer::ok(view(&group)))
}
