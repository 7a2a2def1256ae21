//! Environment variables of every running app, or of every staging.

use crate::{
    Connection, Result,
    row::{Columns as _, json, micros},
};
use std::collections::BTreeMap;
use virga_model::Timestamp;

/// One group: `running` or `staging`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VariableGroupRow {
    /// Its variables.
    pub variables: BTreeMap<String, String>,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// One group; `None` where it was never set.
///
/// # Errors
/// Those of the database.
pub async fn find(db: &mut Connection, name: &str) -> Result<Option<VariableGroupRow>> {
    let query = sqlx::query("SELECT variables, updated_at FROM environment_variable_groups WHERE name = $1").bind(name.to_owned());
    let Some(row) = query.fetch_optional(db).await? else { return Ok(None) };
    Ok(Some(VariableGroupRow { variables: row.json("variables")?, updated_at: row.time("updated_at")? }))
}

/// Writes a group whole.
///
/// # Errors
/// Those of the database.
pub async fn save(db: &mut Connection, name: &str, group: &VariableGroupRow) -> Result<()> {
    sqlx::query(
        "INSERT INTO environment_variable_groups (name, variables, updated_at) VALUES ($1, $2, $3) \
         ON CONFLICT (name) DO UPDATE SET variables = excluded.variables, updated_at = excluded.updated_at",
    )
    .bind(name.to_owned())
    .bind(json("variables", &group.variables)?)
    .bind(micros(group.updated_at))
    .execute(db)
    .await?;
    Ok(())
}
