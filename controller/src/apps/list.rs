//! `GET /v3/apps`.

use super::view;
use crate::{
    Access, Controller, Result, answer,
    list::{ListQuery, ListRequest, ListSpec, include},
};
use serde_json::Value;
use std::collections::BTreeSet;
use virga_serve::axum::{extract::State, response::Response};
use virga_store::{
    Connection,
    apps::{self, AppFilter, AppRow},
    organizations::{self, OrganizationFilter},
    select::{Listing, Visible},
    spaces,
};

/// What apps can be listed with.
pub(super) const INCLUDES: &[&str] = &["space", "org", "space.organization"];
const SPEC: ListSpec = ListSpec::new(&["names", "organization_guids", "space_guids", "stacks", "lifecycle_type"])
    .order_by(&["name", "state"])
    .includes(INCLUDES);

/// The apps the caller may see.
///
/// # Errors
/// 400 `BadQueryParameter`.
pub async fn list(State(controller): State<Controller>, access: Access, request: ListRequest) -> Result<Response> {
    let query = request.parse(&SPEC)?;
    let mut filter = AppFilter {
        names: query.values("names"),
        organizations: query.values("organization_guids"),
        spaces: query.values("space_guids"),
        stacks: query.values("stacks"),
    };
    if query.values("lifecycle_type").is_some_and(|kinds| !kinds.iter().any(|kind| kind == "buildpack")) {
        // Every app is of lifecycle buildpack.
        filter.names = Some(Vec::new());
    }
    let mut db = controller.store.read().await?;
    let page = apps::list(&mut db, &filter, access.visible(), &query.listing).await?;
    let mut body = query.render(&page, |app| view::app(&query.base, app));
    add_included(&mut db, &query, &page.rows, &mut body).await?;
    Ok(answer::ok(body))
}

/// Adds the spaces and organizations that were asked for.
///
/// # Errors
/// Those of the database.
pub(super) async fn add_included(db: &mut Connection, query: &ListQuery, apps: &[AppRow], body: &mut Value) -> Result<()> {
    let organizations_too = query.includes("org") || query.includes("space.organization");
    if !organizations_too && !query.includes("space") {
        return Ok(());
    }
    // Who sees an app sees its space and organization.
    let listing = |guids: BTreeSet<String>| Listing { guids: Some(guids.into_iter().collect()), ..Listing::everything() };
    let places = listing(apps.iter().map(|app| app.space.to_string()).collect());
    let spaces = spaces::list(db, None, None, Visible::All, &places).await?.rows;
    include(body, "spaces", spaces.iter().map(|space| crate::spaces::view(&query.base, space)).collect());
    if organizations_too {
        let owners = listing(spaces.iter().map(|space| space.organization.to_string()).collect());
        let owners = organizations::list(db, &OrganizationFilter::default(), Visible::All, &owners).await?.rows;
        include(body, "organizations", owners.iter().map(|owner| crate::organizations::view(&query.base, owner)).collect());
    }
    Ok(())
}
