//! Who has a role in one organization or space.

use super::{read::filter, view};
use crate::{Result, answer, list::ListQuery};
use virga_serve::axum::response::Response;
use virga_store::{
    Connection,
    roles::RoleScope,
    select::Visible,
    users::{self, UserFilter},
};

/// A page of them by [`super::LIST`], for a caller who may see the organization or space: such a caller sees all of them.
///
/// # Errors
/// 400 for parameters that are not right.
pub(crate) async fn members(db: &mut Connection, scope: RoleScope, query: &ListQuery) -> Result<Response> {
    let filter = UserFilter { member_of: Some(scope), ..filter(query)? };
    let page = users::list(db, &filter, Visible::All, &query.listing).await?;
    Ok(answer::ok(query.render(&page, |user| view(&query.base, user))))
}
