//! Who is in which group, beyond the groups that every user is in.

use crate::{Connection, Result, row::Columns as _};
use virga_model::UserGuid;

/// The groups of a user, by name.
///
/// # Errors
/// Those of the database.
pub async fn list(db: &mut Connection, user: UserGuid) -> Result<Vec<String>> {
    let query = sqlx::query("SELECT group_name FROM uaa_group_members WHERE user_guid = $1 ORDER BY group_name").bind(user.to_string());
    query.fetch_all(db).await?.iter().map(|row| row.text("group_name")).collect()
}

/// Puts a user into a group; once more changes nothing.
///
/// # Errors
/// [`crate::StoreError::Reference`] when there is no such user; those of the database.
pub async fn add(db: &mut Connection, user: UserGuid, group: &str) -> Result<()> {
    sqlx::query("INSERT INTO uaa_group_members (group_name, user_guid) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(group.to_owned())
        .bind(user.to_string())
        .execute(db)
        .await?;
    Ok(())
}
