//! What users let clients do on their behalf.

use crate::{
    Connection, Result,
    row::{Columns as _, micros, truth},
};
use virga_model::{Timestamp, UserGuid};

/// One answer of a user about one scope of one client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalRow {
    /// Who answered.
    pub user: UserGuid,
    /// The client that asked.
    pub client_id: String,
    /// What it asked for.
    pub scope: String,
    /// The answer.
    pub approved: bool,
    /// When it was given.
    pub updated_at: Timestamp,
    /// It counts until then.
    pub expires_at: Timestamp,
}

/// Writes an answer, over an earlier one.
///
/// # Errors
/// [`crate::StoreError::Reference`] when there is no such user; those of the database.
pub async fn save(db: &mut Connection, approval: &ApprovalRow) -> Result<()> {
    sqlx::query(
        "INSERT INTO uaa_approvals (user_guid, client_id, scope, approved, updated_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (user_guid, client_id, scope) DO UPDATE SET approved = excluded.approved, updated_at = excluded.updated_at, \
         expires_at = excluded.expires_at",
    )
    .bind(approval.user.to_string())
    .bind(approval.client_id.clone())
    .bind(approval.scope.clone())
    .bind(truth(approval.approved))
    .bind(micros(approval.updated_at))
    .bind(micros(approval.expires_at))
    .execute(db)
    .await?;
    Ok(())
}

/// A user's answers that still count, by client and scope.
///
/// # Errors
/// Those of the database.
pub async fn list(db: &mut Connection, user: UserGuid, now: Timestamp) -> Result<Vec<ApprovalRow>> {
    let query = sqlx::query(
        "SELECT client_id, scope, approved, updated_at, expires_at FROM uaa_approvals WHERE user_guid = $1 AND expires_at > $2 \
         ORDER BY client_id, scope",
    );
    let rows = query.bind(user.to_string()).bind(micros(now)).fetch_all(db).await?;
    let approval = |row: &sqlx::any::AnyRow| {
        Ok(ApprovalRow {
            user,
            client_id: row.text("client_id")?,
            scope: row.text("scope")?,
            approved: row.flag("approved")?,
            updated_at: row.time("updated_at")?,
            expires_at: row.time("expires_at")?,
        })
    };
    rows.iter().map(approval).collect()
}

/// Forgets a user's answers to a client. False when there were none.
///
/// # Errors
/// Those of the database.
pub async fn delete(db: &mut Connection, user: UserGuid, client_id: &str) -> Result<bool> {
    let query = sqlx::query("DELETE FROM uaa_approvals WHERE user_guid = $1 AND client_id = $2");
    Ok(query.bind(user.to_string()).bind(client_id.to_owned()).execute(db).await?.rows_affected() > 0)
}

/// Forgets every answer to a client.
///
/// # Errors
/// Those of the database.
pub async fn delete_of_client(db: &mut Connection, client_id: &str) -> Result<()> {
    sqlx::query("DELETE FROM uaa_approvals WHERE client_id = $1").bind(client_id.to_owned()).execute(db).await?;
    Ok(())
}
