//! Feature flags, where they differ from their default.

use crate::{
    Connection, Result,
    row::{Columns as _, micros, truth},
};
use sqlx::any::AnyRow;
use virga_model::Timestamp;

/// One flag that was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeatureFlagRow {
    /// Its name.
    pub name: String,
    /// Whether it is on.
    pub enabled: bool,
    /// What users read when it stops them.
    pub custom_error_message: Option<String>,
    /// When it was last set.
    pub updated_at: Timestamp,
}

impl FeatureFlagRow {
    /// From a row with every column.
    ///
    /// # Errors
    /// [`crate::StoreError::Corrupt`].
    pub fn from_row(row: &AnyRow) -> Result<Self> {
        Ok(Self {
            name: row.text("name")?,
            enabled: row.flag("enabled")?,
            custom_error_message: row.opt_text("custom_error_message")?,
            updated_at: row.time("updated_at")?,
        })
    }
}

/// Sets a flag.
///
/// # Errors
/// Those of the database.
pub async fn save(db: &mut Connection, flag: &FeatureFlagRow) -> Result<()> {
    sqlx::query(
        "INSERT INTO feature_flags (name, enabled, custom_error_message, updated_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (name) DO UPDATE SET enabled = excluded.enabled, \
         custom_error_message = excluded.custom_error_message, updated_at = excluded.updated_at",
    )
    .bind(flag.name.clone())
    .bind(truth(flag.enabled))
    .bind(flag.custom_error_message.clone())
    .bind(micros(flag.updated_at))
    .execute(db)
    .await?;
    Ok(())
}

/// One flag, where it was set.
///
/// # Errors
/// Those of the database.
pub async fn find(db: &mut Connection, name: &str) -> Result<Option<FeatureFlagRow>> {
    let row = sqlx::query("SELECT * FROM feature_flags WHERE name = $1").bind(name.to_owned()).fetch_optional(db).await?;
    row.as_ref().map(FeatureFlagRow::from_row).transpose()
}

/// Every flag that was set.
///
/// # Errors
/// Those of the database.
pub async fn list(db: &mut Connection) -> Result<Vec<FeatureFlagRow>> {
    let rows = sqlx::query("SELECT * FROM feature_flags ORDER BY name").fetch_all(db).await?;
    rows.iter().map(FeatureFlagRow::from_row).collect()
}
