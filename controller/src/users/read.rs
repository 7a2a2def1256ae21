//! Reading users.

use super::view;
use crate::{
    Access, Controller, Result, answer,
    list::{ListQuery, ListRequest, ListSpec},
};
use virga_contract::{ApiError, ErrorCode};
use virga_model::UserGuid;
use virga_serve::{
    Base, Path,
    axum::{extract::State, response::Response},
};
use virga_store::{
    Connection,
    select::Listing,
    uaa,
    users::{self, UserFilter, UserRow},
};

pub(crate) const LIST: ListSpec = ListSpec::new(&["usernames", "partial_usernames", "origins"]);

/// `GET /v3/users`.
///
/// # Errors
/// 400 for parameters that are not right.
pub async fn list(State(controller): State<Controller>, access: Access, request: ListRequest) -> Result<Response> {
    let query = request.parse(&LIST)?;
    let filter = filter(&query)?;
    let mut db = controller.store.read().await?;
    let page = users::list(&mut db, &filter, access.visible(), &query.listing).await?;
    Ok(answer::ok(query.render(&page, |user| view(&query.base, user))))
}

/// The filters of a list of users.
pub(super) fn filter(query: &ListQuery) -> Result<UserFilter> {
    let filter = UserFilter {
        usernames: query.values("usernames"),
        partial_usernames: query.values("partial_usernames"),
        origins: query.values("origins"),
        member_of: None,
    };
    if filter.usernames.is_some() && filter.partial_usernames.is_some() {
        let detail = "The query parameter is invalid: Usernames and partial_usernames cannot be used together";
        return Err(ApiError::new(ErrorCode::BadQueryParameter, detail).into());
    }
    Ok(filter)
}

/// `GET /v3/users/:guid`.
///
/// # Errors
/// 404 `User not found`.
pub async fn show(State(controller): State<Controller>, access: Access, base: Base, Path(guid): Path<String>) -> Result<Response> {
    let mut db = controller.store.read().await?;
    Ok(answer::ok(view(&base, &visible(&mut db, &access, guid_of(&guid)).await?)))
}

/// The guid that a caller wrote: that of a user, or the id of a client.
pub(crate) fn guid_of(text: &str) -> UserGuid {
    text.parse().unwrap_or_else(|_| UserGuid::of_client(text))
}

/// The same for somebody new: a client must be one of the UAA's.
pub(crate) async fn guid_that_may_be(db: &mut Connection, text: &str) -> Result<Option<UserGuid>> {
    if let Ok(guid) = text.parse() {
        return Ok(Some(guid));
    }
    Ok(uaa::clients::find(db, text).await?.map(|client| UserGuid::of_client(&client.client_id)))
}

pub(super) async fn visible(db: &mut Connection, access: &Access, guid: UserGuid) -> Result<UserRow> {
    let listing = Listing { guids: Some(vec![guid.to_string()]), ..Listing::everything() };
    let page = users::list(db, &UserFilter::default(), access.visible(), &listing).await?;
    Ok(page.rows.into_iter().next().ok_or_else(|| ApiError::not_found("User"))?)
}
