//! Reading network policies.

use super::{manages_all, view};
use crate::{Access, Controller, Result, answer};
use serde::Deserialize;
use virga_serve::{
    Query,
    axum::{extract::State, response::Response},
};
use virga_store::network_policies;

/// Parameters of the list.
#[derive(Debug, Deserialize)]
pub struct ListQuery {
    /// Guids of apps that are source or destination, separated by commas.
    id: Option<String>,
    source_id: Option<String>,
    dest_id: Option<String>,
}

/// `GET /networking/v1/external/policies`: those the caller manages or may read; `id` keeps those of some apps.
///
/// # Errors
/// Those of the database.
pub async fn list(State(controller): State<Controller>, access: Access, Query(query): Query<ListQuery>) -> Result<Response> {
    let guids = |text: &String| text.split(',').map(str::to_owned).collect::<Vec<_>>();
    let (any, sources, destinations) =
        (query.id.as_ref().map(guids), query.source_id.as_ref().map(guids), query.dest_id.as_ref().map(guids));
    let developer = if manages_all(&access) || access.reads_all() { None } else { access.user() };
    let mut policies = if developer.is_none() && !manages_all(&access) && !access.reads_all() {
        Vec::new()
    } else {
        network_policies::list(&mut *controller.store.read().await?, any.as_deref(), developer).await?
    };
    let names = |list: &Option<Vec<String>>, guid: String| list.as_ref().is_none_or(|list| list.contains(&guid));
    policies.retain(|policy| names(&sources, policy.source.to_string()) && names(&destinations, policy.destination.to_string()));
    Ok(answer::ok(view(&policies)))
}
