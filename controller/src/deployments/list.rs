//! `GET /v3/deployments`.

use super::view;
use crate::{
    Access, Controller, Result, answer,
    list::{ListRequest, ListSpec},
};
use virga_model::state::DeploymentState;
use virga_serve::axum::{extract::State, response::Response};
use virga_store::deployments::{self, DeploymentFilter};

const SPEC: ListSpec = ListSpec::new(&["app_guids", "states", "status_reasons", "status_values"]);

/// The deployments the caller may see.
///
/// # Errors
/// 400 `BadQueryParameter`.
pub async fn list(State(controller): State<Controller>, access: Access, request: ListRequest) -> Result<Response> {
    let query = request.parse(&SPEC)?;
    let (states, values, reasons) = (query.values("states"), query.values("status_values"), query.values("status_reasons"));
    let asked = |filter: &Option<Vec<String>>, word: &str| filter.as_ref().is_none_or(|words| words.iter().any(|asked| asked == word));
    let wanted = |state: &&DeploymentState| {
        let (value, reason) = view::status(**state);
        asked(&states, state.as_str()) && asked(&values, value) && asked(&reasons, reason)
    };
    let filter = DeploymentFilter {
        states: Some(DeploymentState::ALL.iter().filter(wanted).map(ToString::to_string).collect()),
        of: query.of_apps(),
    };
    let page = deployments::list(&mut *controller.store.read().await?, &filter, access.visible(), &query.listing).await?;
    Ok(answer::ok(query.render(&page, |deployment| view::deployment(&query.base, deployment))))
}
