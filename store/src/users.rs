//! Users as the Cloud Controller knows them.

use crate::{
    Connection, Result,
    metadata::Metadata,
    record::{self, Record, Values},
    roles::RoleScope,
    row::{Columns as _, micros},
    select::{Listing, Page, Select, Visible},
};
use sqlx::any::AnyRow;
use std::collections::HashMap;
use virga_model::{Timestamp, UserGuid};

/// One user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRow {
    /// The UAA's guid of the user.
    pub guid: UserGuid,
    /// When the Cloud Controller came to know the user.
    pub created_at: Timestamp,
    /// When that was last changed.
    pub updated_at: Timestamp,
    /// Name in the UAA.
    pub username: Option<String>,
    /// Identity provider, `uaa` for the own one.
    pub origin: Option<String>,
    /// Of a client of the UAA, its id; known to [`list`] alone.
    pub client_id: Option<String>,
    /// Labels and annotations.
    pub metadata: Metadata,
}

impl Record for UserRow {
    record::head!(UserGuid);
    const TABLE: &'static str = "users";
    const FIXED: &'static [&'static str] = &["username", "origin"];

    fn values(&self) -> Result<Values> {
        Values::new().set("username", self.username.clone()).set("origin", self.origin.clone()).metadata(&self.metadata)
    }

    fn from_row(row: &AnyRow) -> Result<Self> {
        Ok(Self {
            guid: row.parsed("guid")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
            username: row.opt_text("username")?,
            origin: row.opt_text("origin")?,
            client_id: None,
            metadata: Metadata::from_row(row)?,
        })
    }
}

record::functions!(UserRow);

/// A user of the UAA, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UaaName {
    /// Guid.
    pub guid: UserGuid,
    /// Name.
    pub username: String,
    /// Identity provider.
    pub origin: String,
}

fn uaa_name(row: &AnyRow) -> Result<UaaName> {
    Ok(UaaName { guid: row.parsed("guid")?, username: row.text("username")?, origin: row.text("origin")? })
}

/// The users of this name in the UAA; one per origin.
///
/// # Errors
/// Those of the database.
pub async fn named_in_uaa(db: &mut Connection, username: &str, origin: Option<&str>) -> Result<Vec<UaaName>> {
    let mut select = Select::new("t.guid, t.username, t.origin", "uaa_users t");
    select.and("t.username_key = ?", [username.to_lowercase().into()]);
    if let Some(origin) = origin {
        select.and("t.origin = ?", [origin.into()]);
    }
    select.all(db, "t.origin, t.guid", uaa_name).await
}

/// The user of this guid in the UAA.
///
/// # Errors
/// Those of the database.
pub async fn known_to_uaa(db: &mut Connection, guid: UserGuid) -> Result<Option<UaaName>> {
    let row = sqlx::query("SELECT guid, username, origin FROM uaa_users WHERE guid = $1").bind(guid.to_string()).fetch_optional(db).await?;
    row.as_ref().map(uaa_name).transpose()
}

/// Makes the user known, with the name as it is now. What else is known of it stays.
///
/// # Errors
/// Those of the database.
pub async fn save_name(db: &mut Connection, user: UserGuid, username: Option<&str>, origin: Option<&str>, now: Timestamp) -> Result<()> {
    sqlx::query(
        "INSERT INTO users (guid, created_at, updated_at, username, origin, labels, annotations) VALUES ($1, $2, $2, $3, $4, '{}', '{}') \
         ON CONFLICT (guid) DO UPDATE SET username = COALESCE(excluded.username, users.username), \
         origin = COALESCE(excluded.origin, users.origin)",
    )
    .bind(user.to_string())
    .bind(micros(now))
    .bind(username.map(str::to_owned))
    .bind(origin.map(str::to_owned))
    .execute(db)
    .await?;
    Ok(())
}

/// Which users a list is to hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserFilter {
    /// Of these names.
    pub usernames: Option<Vec<String>>,
    /// Whose names hold one of these texts.
    pub partial_usernames: Option<Vec<String>>,
    /// Of these identity providers.
    pub origins: Option<Vec<String>>,
    /// With a role in this organization or space itself.
    pub member_of: Option<RoleScope>,
}

/// A page of users: to a user, themselves and those who share an organization or space with them.
///
/// # Errors
/// Those of the database.
pub async fn list(db: &mut Connection, filter: &UserFilter, visible: Visible, listing: &Listing) -> Result<Page<UserRow>> {
    let mut select = Select::new("t.*", "users t");
    select.and_in_if("t.origin", filter.origins.as_deref()).and_listing(listing);
    if let Some(names) = &filter.usernames {
        // The UAA tells names apart by more than case.
        let names: Vec<String> = names.iter().map(|name| name.to_lowercase()).collect();
        select.and_in("LOWER(t.username)", &names, "");
    }
    if let Some(scope) = filter.member_of {
        select.and("t.guid IN (SELECT user_guid FROM roles WHERE scope_guid = ?)", [scope.to_string().into()]);
    }
    if let Some(parts) = &filter.partial_usernames {
        let likes = vec!["LOWER(t.username) LIKE ? ESCAPE '!'"; parts.len()].join(" OR ");
        let escaped = |part: &String| part.to_lowercase().replace('!', "!!").replace('%', "!%").replace('_', "!_");
        select.and(&likes, parts.iter().map(|part| format!("%{}%", escaped(part)).into()));
    }
    let seen =
        "t.guid = ? OR t.guid IN (SELECT user_guid FROM roles WHERE scope_guid IN (SELECT scope_guid FROM roles WHERE user_guid = ?))";
    select.and_visible(seen, visible, 2);
    let mut page = select.page(db, listing, UserRow::from_row).await?;
    if page.rows.iter().any(|user| user.username.is_none()) {
        let clients = sqlx::query("SELECT client_id FROM uaa_clients").fetch_all(db).await?;
        let ids = clients.iter().map(|row| row.text("client_id")).collect::<Result<Vec<_>>>()?;
        let ids: HashMap<UserGuid, String> = ids.into_iter().map(|id| (UserGuid::of_client(&id), id)).collect();
        for user in page.rows.iter_mut().filter(|user| user.username.is_none()) {
            user.client_id = ids.get(&user.guid).cloned();
        }
    }
    Ok(page)
}
