//! Labels and annotations, which most resources have.

use crate::{Connection, Result, row};
use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use std::collections::BTreeMap;

/// `metadata` of the v3 API. Its rules (lengths, characters) are the controller's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// Short, selectable.
    pub labels: BTreeMap<String, String>,
    /// Long, not selectable.
    pub annotations: BTreeMap<String, String>,
}

impl Metadata {
    /// From the columns `labels` and `annotations`.
    ///
    /// # Errors
    /// [`crate::StoreError::Corrupt`].
    pub fn from_row(row: &AnyRow) -> Result<Self> {
        use crate::row::Columns as _;
        Ok(Self { labels: row.json("labels")?, annotations: row.json("annotations")? })
    }

    /// What the column `labels` takes.
    ///
    /// # Errors
    /// None in practice: maps of texts have a JSON form.
    pub fn labels_json(&self) -> Result<String> {
        row::json("labels", &self.labels)
    }

    /// What the column `annotations` takes.
    ///
    /// # Errors
    /// None in practice: maps of texts have a JSON form.
    pub fn annotations_json(&self) -> Result<String> {
        row::json("annotations", &self.annotations)
    }
}

/// Makes the index of labels say what `labels` says of the resource. Call it wherever a row's labels are written; with an
/// empty map wherever a row is deleted.
///
/// # Errors
/// Those of the database.
pub async fn index_labels(db: &mut Connection, resource_guid: &str, labels: &BTreeMap<String, String>) -> Result<()> {
    sqlx::query("DELETE FROM resource_labels WHERE resource_guid = $1").bind(resource_guid).execute(&mut *db).await?;
    for (key, value) in labels {
        sqlx::query("INSERT INTO resource_labels (resource_guid, key, value) VALUES ($1, $2, $3)")
            .bind(resource_guid)
            .bind(key.as_str())
            .bind(value.as_str())
            .execute(&mut *db)
            .await?;
    }
    Ok(())
}
