//! Reading roles.

use super::view::view;
use crate::{
    Access, Controller, Result, answer,
    list::{ListRequest, ListSpec, asked_for, include},
    spaces, users,
};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeSet;
use virga_contract::ApiError;
use virga_model::RoleGuid;
use virga_serve::{
    Base, Path, Query,
    axum::{extract::State, response::Response},
};
use virga_store::{
    Connection,
    roles::{self, RoleFilter, RoleRow},
    select::{Listing, Visible},
};

const INCLUDES: &[&str] = &["user", "organization", "space"];
const LIST: ListSpec = ListSpec::new(&["types", "user_guids", "organization_guids", "space_guids"]).includes(INCLUDES).without_labels();

/// `GET /v3/roles`.
///
/// # Errors
/// 400 for parameters that are not right.
pub async fn list(State(controller): State<Controller>, access: Access, request: ListRequest) -> Result<Response> {
    let query = request.parse(&LIST)?;
    let mut db = controller.store.read().await?;
    let filter = RoleFilter {
        types: query.values("types"),
        users: query.values("user_guids").map(|users| users.iter().map(|user| users::guid_of(user).to_string()).collect()),
        organizations: query.values("organization_guids"),
        spaces: query.values("space_guids"),
    };
    let page = roles::list(&mut db, &filter, access.visible(), &query.listing).await?;
    let mut body = query.render(&page, |role| view(&query.base, role));
    let asked: Vec<&str> = INCLUDES.iter().copied().filter(|include| query.includes(include)).collect();
    add_included(&mut db, &query.base, &mut body, &page.rows, &asked).await?;
    Ok(answer::ok(body))
}

/// Adds what was asked for to a page of roles or to one.
async fn add_included(db: &mut Connection, base: &Base, body: &mut Value, rows: &[RoleRow], asked: &[&str]) -> Result<()> {
    let only = |guids: BTreeSet<String>| Listing { guids: Some(guids.into_iter().collect()), ..Listing::everything() };
    if asked.contains(&"user") {
        let listing = only(rows.iter().map(|role| role.user.to_string()).collect());
        let found = virga_store::users::list(db, &Default::default(), Visible::All, &listing).await?;
        include(body, "users", found.rows.iter().map(|user| users::view(base, user)).collect());
    }
    if asked.contains(&"organization") {
        let guids = rows.iter().filter_map(|role| role.scope.organization());
        include(body, "organizations", spaces::organizations_of(db, base, guids).await?);
    }
    if asked.contains(&"space") {
        let listing = only(rows.iter().filter_map(|role| role.scope.space()).map(|guid| guid.to_string()).collect());
        let found = virga_store::spaces::list(db, None, None, Visible::All, &listing).await?;
        include(body, "spaces", found.rows.iter().map(|space| spaces::view(base, space)).collect());
    }
    Ok(())
}

/// Parameters of `GET /v3/roles/:guid`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShowQuery {
    include: Option<String>,
}

/// `GET /v3/roles/:guid`.
///
/// # Errors
/// 404, 400 for an `include` that is none.
pub async fn show(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<RoleGuid>,
    Query(query): Query<ShowQuery>,
) -> Result<Response> {
    let asked = asked_for(query.include.as_deref(), INCLUDES)?;
    let mut db = controller.store.read().await?;
    let listing = Listing { guids: Some(vec![guid.to_string()]), ..Listing::everything() };
    let page = roles::list(&mut db, &RoleFilter::default(), access.visible(), &listing).await?;
    let role = page.rows.first().ok_or_else(|| ApiError::not_found("Role"))?;
    let mut body = view(&base, role);
    add_included(&mut db, &base, &mut body, &page.rows, &asked).await?;
    Ok(answer::ok(body))
}
