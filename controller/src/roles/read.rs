//! Reading roles.

use super::view::view;
use crate::{
    Access, Controller, Result, answer,
    list::{ListRequest, ListSpec, include},
    spaces, users,
};
use std::collections::BTreeSet;
use virga_contract::ApiError;
use virga_model::RoleGuid;
use virga_serve::{
    Base, Path,
    axum::{extract::State, response::Response},
};
use virga_store::{
    roles::{self, RoleFilter},
    select::{Listing, Visible},
};

const LIST: ListSpec = ListSpec::new(&["types", "user_guids", "organization_guids", "space_guids"])
    .includes(&["user", "organization", "space"])
    .without_labels();

/// `GET /v3/roles`.
///
/// # Errors
/// 400 for parameters that are not right.
pub async fn list(State(controller): State<Controller>, access: Access, request: ListRequest) -> Result<Response> {
    let query = request.parse(&LIST)?;
    let mut db = controller.store.read().await?;
    let filter = RoleFilter {
        types: query.values("types"),
        users: query.values("user_guids"),
        organizations: query.values("organization_guids"),
        spaces: query.values("space_guids"),
    };
    let page = roles::list(&mut db, &filter, access.visible(), &query.listing).await?;
    let mut body = query.render(&page, |role| view(&query.base, role));
    let only = |guids: BTreeSet<String>| Listing { guids: Some(guids.into_iter().collect()), ..Listing::everything() };
    if query.includes("user") {
        let listing = only(page.rows.iter().map(|role| role.user.to_string()).collect());
        let found = virga_store::users::list(&mut db, &Default::default(), Visible::All, &listing).await?;
        include(&mut body, "users", found.rows.iter().map(|user| users::view(&query.base, user)).collect());
    }
    if query.includes("organization") {
        let guids = page.rows.iter().filter_map(|role| role.scope.organization());
        include(&mut body, "organizations", spaces::organizations_of(&mut db, &query.base, guids).await?);
    }
    if query.includes("space") {
        let listing = only(page.rows.iter().filter_map(|role| role.scope.space()).map(|guid| guid.to_string()).collect());
        let found = virga_store::spaces::list(&mut db, None, None, Visible::All, &listing).await?;
        include(&mut body, "spaces", found.rows.iter().map(|space| spaces::view(&query.base, space)).collect());
    }
    Ok(answer::ok(body))
}

/// `GET /v3/roles/:guid`.
///
/// # Errors
/// 404.
pub async fn show(State(controller): State<Controller>, access: Access, base: Base, Path(guid): Path<RoleGuid>) -> Result<Response> {
    let mut db = controller.store.read().await?;
    let listing = Listing { guids: Some(vec![guid.to_string()]), ..Listing::everything() };
    let page = roles::list(&mut db, &RoleFilter::default(), access.visible(), &listing).await?;
    let role = page.rows.first().ok_or_else(|| ApiError::not_found("Role"))?;
    Ok(answer::ok(view(&base, role)))
}
