//! The three calls.

use super::{query, view};
use crate::{Access, Controller, Result, SpaceRight, answer, apps::lookup};
use serde_json::{Map, Value, json};
use virga_contract::ApiError;
use virga_model::AppGuid;
use virga_serve::{
    Path,
    axum::{
        extract::{RawQuery, State},
        response::Response,
    },
};
use virga_store::{
    apps::{self, AppFilter},
    select::Listing,
};

/// The version that clients take this for; from 2.0.0 on they use the path prefix `/api/v1`.
const VERSION: &str = "3.0.10";

/// `GET /api/v1/info`.
pub async fn info(State(controller): State<Controller>) -> Response {
    answer::ok(json!({ "version": VERSION, "vm_uptime": controller.log_cache.uptime_seconds().to_string() }))
}

/// `GET /api/v1/read/:source`.
///
/// # Errors
/// 404 for what is no app the caller may see; 500 for a query that cannot be answered.
pub async fn read(
    State(controller): State<Controller>,
    access: Access,
    Path(source): Path<String>,
    RawQuery(text): RawQuery,
) -> Result<Response> {
    let not_found = || ApiError::not_found("Source");
    let app: AppGuid = source.parse().map_err(|_| not_found())?;
    let mut db = controller.store.read().await?;
    lookup::of(&mut db, &access, SpaceRight::See, app, "Source").await?;
    let placement = apps::placement(&mut db, app).await?.ok_or_else(not_found)?;
    drop(db);
    let query = query::parse(&text.unwrap_or_default())?;
    let batch = controller.log_cache.read(app, &query).map_err(|problem| query::invalid(&problem))?;
    let batch: Vec<Value> = batch.iter().map(|envelope| view::envelope(envelope, &placement)).collect();
    Ok(answer::ok(json!({ "envelopes": { "batch": batch } })))
}

/// `GET /api/v1/meta`: of the apps the caller may see.
///
/// # Errors
/// Those of the database.
pub async fn meta(State(controller): State<Controller>, access: Access) -> Result<Response> {
    let held = controller.log_cache.meta();
    let mut shown = Map::new();
    let mut db = controller.store.read().await?;
    // Far below the databases' limit on bound values.
    for sources in held.chunks(500) {
        let guids = sources.iter().map(|source| source.app.to_string()).collect();
        let listing = Listing { guids: Some(guids), ..Listing::everything() };
        let visible = apps::list(&mut db, &AppFilter::default(), access.visible(), &listing).await?;
        for source in sources.iter().filter(|source| visible.rows.iter().any(|app| app.guid == source.app)) {
            shown.insert(source.app.to_string(), view::meta(source));
        }
    }
    Ok(answer::ok(json!({ "meta": shown })))
}
