//! Groups, and who is in them beyond the groups that every user is in.

use crate::{
    Connection, Result,
    record::{self, Record, Values},
    row::{Columns as _, micros},
    uaa::scim::{Listing, page},
};
use sqlx::any::AnyRow;
use std::collections::BTreeMap;
use virga_model::{Timestamp, UaaGroupGuid, UserGuid};

/// One group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UaaGroupRow {
    /// Its guid.
    pub guid: UaaGroupGuid,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Its name, which is also a scope; another that differs only by case is the same.
    pub display_name: String,
    /// What it is for.
    pub description: String,
    /// SCIM's version.
    pub version: u32,
}

impl Record for UaaGroupRow {
    record::head!(UaaGroupGuid);
    const TABLE: &'static str = "uaa_groups";
    const FIXED: &'static [&'static str] = &[];

    fn values(&self) -> Result<Values> {
        Ok(Values::new()
            .set("display_name", self.display_name.as_str())
            .set("name_key", self.display_name.to_lowercase())
            .set("description", self.description.as_str())
            .set("version", self.version))
    }

    fn from_row(row: &AnyRow) -> Result<Self> {
        Ok(Self {
            guid: row.parsed("guid")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
            display_name: row.text("display_name")?,
            description: row.text("description")?,
            version: row.count("version")?,
        })
    }
}

record::functions!(UaaGroupRow);

/// Makes sure that a group of this name is there.
///
/// # Errors
/// Those of the database.
pub async fn ensure(db: &mut Connection, display_name: &str, now: Timestamp) -> Result<()> {
    sqlx::query(
        "INSERT INTO uaa_groups (guid, created_at, updated_at, display_name, name_key, description, version) \
         VALUES ($1, $2, $2, $3, $4, '', 0) ON CONFLICT DO NOTHING",
    )
    .bind(UaaGroupGuid::random().to_string())
    .bind(micros(now))
    .bind(display_name.to_owned())
    .bind(display_name.to_lowercase())
    .execute(db)
    .await?;
    Ok(())
}

/// The names of groups that have members but no row.
///
/// # Errors
/// Those of the database.
pub async fn list_without_row(db: &mut Connection) -> Result<Vec<String>> {
    let query = sqlx::query(
        "SELECT DISTINCT group_name FROM uaa_group_members WHERE NOT EXISTS \
         (SELECT guid FROM uaa_groups WHERE name_key = LOWER(uaa_group_members.group_name))",
    );
    query.fetch_all(db).await?.iter().map(|row| row.text("group_name")).collect()
}

/// The group of this name, whatever its case.
///
/// # Errors
/// Those of the database.
pub async fn find_by_name(db: &mut Connection, display_name: &str) -> Result<Option<UaaGroupRow>> {
    record::first(db, "WHERE name_key = $1", [display_name.to_lowercase().into()]).await
}

/// The groups that fit, and how many there are on all pages.
///
/// # Errors
/// Those of the database.
pub async fn list(db: &mut Connection, listing: &Listing) -> Result<(Vec<UaaGroupRow>, u64)> {
    page(db, "uaa_groups", "guid", listing, UaaGroupRow::from_row).await
}

/// One user in one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The user.
    pub user: UserGuid,
    /// `uaa`, or the identity provider that put the user in.
    pub origin: String,
}

/// The members of a group, by guid.
///
/// # Errors
/// Those of the database.
pub async fn members(db: &mut Connection, group: &str) -> Result<Vec<Member>> {
    Ok(members_of_many(db, &[group]).await?.into_values().next().unwrap_or_default())
}

/// The members of several groups, by the group's name, in one query.
///
/// # Errors
/// Those of the database.
pub async fn members_of_many(db: &mut Connection, groups: &[&str]) -> Result<BTreeMap<String, Vec<Member>>> {
    let mut select = crate::select::Select::new("t.group_name, t.user_guid, t.origin", "uaa_group_members t");
    select.and_in("t.group_name", groups, "");
    let read = |row: &AnyRow| Ok((row.text("group_name")?, Member { user: row.parsed("user_guid")?, origin: row.text("origin")? }));
    let mut members: BTreeMap<String, Vec<Member>> = BTreeMap::new();
    for (group, member) in select.all(db, "t.group_name, t.user_guid", read).await? {
        members.entry(group).or_default().push(member);
    }
    Ok(members)
}

/// One group of one user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The group's guid, where it has a row.
    pub guid: Option<UaaGroupGuid>,
    /// The group's name.
    pub name: String,
}

/// The groups of several users, by the group's name, in one query.
///
/// # Errors
/// Those of the database.
pub async fn of_users(db: &mut Connection, users: &[UserGuid]) -> Result<BTreeMap<UserGuid, Vec<Membership>>> {
    let mut select = crate::select::Select::new(
        "t.user_guid, t.group_name, g.guid",
        "uaa_group_members t LEFT JOIN uaa_groups g ON g.name_key = LOWER(t.group_name)",
    );
    select.and_in("t.user_guid", users, "");
    let read = |row: &AnyRow| Ok((row.parsed("user_guid")?, Membership { guid: row.opt_parsed("guid")?, name: row.text("group_name")? }));
    let mut groups: BTreeMap<UserGuid, Vec<Membership>> = BTreeMap::new();
    for (user, membership) in select.all(db, "t.group_name", read).await? {
        groups.entry(user).or_default().push(membership);
    }
    Ok(groups)
}

/// The rows of the groups of these names, in one query.
///
/// # Errors
/// Those of the database.
pub async fn named(db: &mut Connection, names: &[&str]) -> Result<Vec<Membership>> {
    let keys: Vec<String> = names.iter().map(|name| name.to_lowercase()).collect();
    let mut select = crate::select::Select::new("t.guid, t.display_name", "uaa_groups t");
    select.and_in("t.name_key", &keys, "");
    select.all(db, "t.name_key", |row| Ok(Membership { guid: row.opt_parsed("guid")?, name: row.text("display_name")? })).await
}

/// The groups of a user, by name.
///
/// # Errors
/// Those of the database.
pub async fn of_user(db: &mut Connection, user: UserGuid) -> Result<Vec<String>> {
    let query = sqlx::query("SELECT group_name FROM uaa_group_members WHERE user_guid = $1 ORDER BY group_name").bind(user.to_string());
    query.fetch_all(db).await?.iter().map(|row| row.text("group_name")).collect()
}

/// Puts a user into a group on behalf of an identity provider. False when the user is in it already.
///
/// # Errors
/// [`crate::StoreError::Reference`] when there is no such user; those of the database.
pub async fn add(db: &mut Connection, user: UserGuid, group: &str, origin: &str) -> Result<bool> {
    let query = sqlx::query("INSERT INTO uaa_group_members (group_name, user_guid, origin) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
        .bind(group.to_owned())
        .bind(user.to_string())
        .bind(origin.to_owned());
    Ok(query.execute(db).await?.rows_affected() > 0)
}

/// Takes a user out of a group. False when the user was not in it.
///
/// # Errors
/// Those of the database.
pub async fn remove(db: &mut Connection, user: UserGuid, group: &str) -> Result<bool> {
    let query = sqlx::query("DELETE FROM uaa_group_members WHERE group_name = $1 AND user_guid = $2");
    Ok(query.bind(group.to_owned()).bind(user.to_string()).execute(db).await?.rows_affected() > 0)
}

/// Takes everybody out of a group.
///
/// # Errors
/// Those of the database.
pub async fn remove_all(db: &mut Connection, group: &str) -> Result<()> {
    sqlx::query("DELETE FROM uaa_group_members WHERE group_name = $1").bind(group.to_owned()).execute(db).await?;
    Ok(())
}

/// Gives the members of a group to the name it has now.
///
/// # Errors
/// Those of the database.
pub async fn rename_members(db: &mut Connection, from: &str, to: &str) -> Result<()> {
    sqlx::query("UPDATE uaa_group_members SET group_name = $1 WHERE group_name = $2")
        .bind(to.to_owned())
        .bind(from.to_owned())
        .execute(db)
        .await?;
    Ok(())
}

/// Makes the groups that this identity provider put the user into exactly these; what others did stays.
///
/// # Errors
/// [`crate::StoreError::Reference`] when there is no such user; those of the database.
pub async fn replace_of_origin(db: &mut Connection, user: UserGuid, origin: &str, groups: &[String]) -> Result<()> {
    sqlx::query("DELETE FROM uaa_group_members WHERE user_guid = $1 AND origin = $2")
        .bind(user.to_string())
        .bind(origin.to_owned())
        .execute(&mut *db)
        .await?;
    for group in groups {
        add(db, user, group, origin).await?;
    }
    Ok(())
}
