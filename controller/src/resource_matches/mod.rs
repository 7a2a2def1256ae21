//! `POST /v3/resource_matches`: which files of an app the platform has already.

use crate::{
    Access, Controller, Result, answer,
    packages::{assemble::MatchedResource, request::MatchResources},
    request::{is_enabled, require_feature},
};
use serde_json::{Value, json};
use virga_contract::ApiError;
use virga_serve::{
    Json,
    axum::{extract::State, response::Response},
};
use virga_store::resources;

/// Entries of one request; the CLI sends as many at most.
const MAX_ENTRIES: usize = 5_000;

/// Gives back those of the files that need not be sent, as they came.
///
/// # Errors
/// 422 for more entries than the limit, 403 while the flag `app_bits_upload` is off.
pub async fn create(State(controller): State<Controller>, access: Access, Json(request): Json<MatchResources>) -> Result<Response> {
    if request.resources.len() > MAX_ENTRIES {
        return Err(ApiError::unprocessable(format!("Resources is limited to {MAX_ENTRIES} entries")).into());
    }
    let mut matched: Vec<Value> = Vec::new();
    let mut db = controller.store.read().await?;
    require_feature(&mut db, &access, "app_bits_upload").await?;
    if is_enabled(&mut db, "resource_matching").await? {
        for sent in request.resources {
            // What cannot be read is not known, which is a fine answer to give.
            let Ok(resource) = serde_json::from_value::<MatchedResource>(sent.clone()) else { continue };
            let Ok(sha1) = resource.sha1() else { continue };
            if resources::find(&mut db, &sha1, resource.size_in_bytes).await?.is_some() {
                matched.push(sent);
            }
        }
    }
    Ok(answer::created(json!({ "resources": matched })))
}
