//! Roles: which user may do what, where.

use crate::{
    Connection, Result,
    row::{Columns as _, micros},
    select::{Listing, Page, Select, Visible},
};
use sqlx::any::AnyRow;
use virga_model::{OrgGuid, RoleGuid, SpaceGuid, Timestamp, UserGuid, state::RoleType};

/// One role of one user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleRow {
    /// Its guid.
    pub guid: RoleGuid,
    /// When it was given.
    pub created_at: Timestamp,
    /// As `created_at`: roles do not change.
    pub updated_at: Timestamp,
    /// Which role.
    pub kind: RoleType,
    /// Who has it.
    pub user: UserGuid,
    /// Where.
    pub scope: RoleScope,
}

/// Where a role holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoleScope {
    /// In an organization; never together with a space.
    Organization(OrgGuid),
    /// In a space.
    Space(SpaceGuid),
}

impl RoleScope {
    /// Its organization, where it is one.
    #[must_use]
    pub fn organization(self) -> Option<OrgGuid> {
        match self {
            Self::Organization(guid) => Some(guid),
            Self::Space(_) => None,
        }
    }

    /// Its space, where it is one.
    #[must_use]
    pub fn space(self) -> Option<SpaceGuid> {
        match self {
            Self::Organization(_) => None,
            Self::Space(guid) => Some(guid),
        }
    }
}

impl std::fmt::Display for RoleScope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Organization(guid) => guid.fmt(f),
            Self::Space(guid) => guid.fmt(f),
        }
    }
}

impl RoleRow {
    /// From a row with every column.
    ///
    /// # Errors
    /// [`crate::StoreError::Corrupt`].
    pub fn from_row(row: &AnyRow) -> Result<Self> {
        let scope = match row.opt_parsed("organization_guid")? {
            Some(organization) => RoleScope::Organization(organization),
            None => RoleScope::Space(row.parsed("space_guid")?),
        };
        Ok(Self {
            guid: row.parsed("guid")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
            kind: row.parsed("type")?,
            user: row.parsed("user_guid")?,
            scope,
        })
    }
}

/// Writes a role; false when the user has it already.
///
/// # Errors
/// [`crate::StoreError::Reference`] where user, organization or space is not there; those of the database.
pub async fn insert(db: &mut Connection, role: &RoleRow) -> Result<bool> {
    let done = sqlx::query(
        "INSERT INTO roles (guid, created_at, updated_at, type, user_guid, scope_guid, organization_guid, space_guid) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (user_guid, scope_guid, type) DO NOTHING",
    )
    .bind(role.guid.to_string())
    .bind(micros(role.created_at))
    .bind(micros(role.updated_at))
    .bind(role.kind.as_str())
    .bind(role.user.to_string())
    .bind(role.scope.to_string())
    .bind(role.scope.organization().map(|guid| guid.to_string()))
    .bind(role.scope.space().map(|guid| guid.to_string()))
    .execute(db)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// One role.
///
/// # Errors
/// Those of the database.
pub async fn find(db: &mut Connection, guid: RoleGuid) -> Result<Option<RoleRow>> {
    let row = sqlx::query("SELECT * FROM roles WHERE guid = $1").bind(guid.to_string()).fetch_optional(db).await?;
    row.as_ref().map(RoleRow::from_row).transpose()
}

/// Deletes a role; false when there was none.
///
/// # Errors
/// Those of the database.
pub async fn delete(db: &mut Connection, guid: RoleGuid) -> Result<bool> {
    let done = sqlx::query("DELETE FROM roles WHERE guid = $1").bind(guid.to_string()).execute(db).await?;
    Ok(done.rows_affected() > 0)
}

/// Deletes every role of an organization or space itself.
///
/// # Errors
/// Those of the database.
pub async fn delete_in(db: &mut Connection, scope: RoleScope) -> Result<()> {
    sqlx::query("DELETE FROM roles WHERE scope_guid = $1").bind(scope.to_string()).execute(db).await?;
    Ok(())
}

/// What a user is in a space and in its organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The organization (of the space).
    pub organization: OrgGuid,
    /// Whether it is suspended.
    pub suspended: bool,
    /// Whether the space is.
    pub is_space_suspended: bool,
    /// The roles there.
    pub roles: Vec<RoleType>,
}

impl Standing {
    fn from_rows(rows: &[AnyRow]) -> Result<Option<Self>> {
        let Some(first) = rows.first() else { return Ok(None) };
        let roles = rows.iter().filter_map(|row| row.opt_parsed("type").transpose()).collect::<Result<_>>()?;
        Ok(Some(Self {
            organization: first.parsed("organization_guid")?,
            suspended: first.flag("suspended")?,
            is_space_suspended: first.flag("is_space_suspended")?,
            roles,
        }))
    }
}

/// What a user (or nobody) is in a space; `None` where there is no such space.
///
/// # Errors
/// Those of the database.
pub async fn in_space(db: &mut Connection, user: Option<UserGuid>, space: SpaceGuid) -> Result<Option<Standing>> {
    let query = sqlx::query(
        "SELECT s.organization_guid, o.suspended, s.suspended AS is_space_suspended, r.type FROM spaces s \
         JOIN organizations o ON o.guid = s.organization_guid \
         LEFT JOIN roles r ON r.user_guid = $1 AND r.scope_guid IN (s.guid, s.organization_guid) WHERE s.guid = $2",
    );
    let rows = query.bind(user.map(|guid| guid.to_string()).unwrap_or_default()).bind(space.to_string()).fetch_all(db).await?;
    Standing::from_rows(&rows)
}

/// What a user (or nobody) is in an organization, roles in its spaces included; `None` where there is no such organization.
///
/// # Errors
/// Those of the database.
pub async fn in_organization(db: &mut Connection, user: Option<UserGuid>, organization: OrgGuid) -> Result<Option<Standing>> {
    let query = sqlx::query(
        "SELECT o.guid AS organization_guid, o.suspended, CAST(0 AS BIGINT) AS is_space_suspended, r.type FROM organizations o \
         LEFT JOIN roles r ON r.user_guid = $1 AND (r.organization_guid = o.guid OR r.space_guid IN (SELECT s.guid FROM spaces s WHERE s.organization_guid = $2)) \
         WHERE o.guid = $2",
    );
    let user = user.map(|guid| guid.to_string()).unwrap_or_default();
    let rows = query.bind(user).bind(organization.to_string()).fetch_all(db).await?;
    Standing::from_rows(&rows)
}

/// Which roles a list is to hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoleFilter {
    /// Of these types.
    pub types: Option<Vec<String>>,
    /// Of these users.
    pub users: Option<Vec<String>>,
    /// In these organizations themselves.
    pub organizations: Option<Vec<String>>,
    /// In these spaces.
    pub spaces: Option<Vec<String>>,
}

/// A page of roles.
///
/// # Errors
/// Those of the database.
pub async fn list(db: &mut Connection, filter: &RoleFilter, visible: Visible, listing: &Listing) -> Result<Page<RoleRow>> {
    let mut select = Select::new("t.*", "roles t");
    select
        .and_in_if("t.type", filter.types.as_deref())
        .and_in_if("t.user_guid", filter.users.as_deref())
        .and_in_if("t.organization_guid", filter.organizations.as_deref())
        .and_in_if("t.space_guid", filter.spaces.as_deref())
        .and_listing(listing);
    let seen = "t.organization_guid IN (SELECT organization_guid FROM roles WHERE user_guid = ? AND organization_guid IS NOT NULL) \
                OR t.space_guid IN (SELECT space_guid FROM roles WHERE user_guid = ? AND space_guid IS NOT NULL \
                UNION SELECT s.guid FROM roles r JOIN spaces s ON s.organization_guid = r.organization_guid \
                WHERE r.user_guid = ? AND r.type = 'organization_manager')";
    select.and_visible(seen, visible, 3);
    select.page(db, listing, RoleRow::from_row).await
}

/// How many roles a user has in the spaces of an organization.
///
/// # Errors
/// Those of the database.
pub async fn count_in_spaces_of(db: &mut Connection, user: UserGuid, organization: OrgGuid) -> Result<u64> {
    let mut select = Select::new("t.*", "roles t");
    select.and("t.user_guid = ?", [user.into()]);
    select.and("t.space_guid IN (SELECT guid FROM spaces WHERE organization_guid = ?)", [organization.to_string().into()]);
    select.count(db).await
}
