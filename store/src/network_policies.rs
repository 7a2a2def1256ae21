//! Network policies: which app may reach which by internal routes.

use crate::{
    Connection, Result,
    row::{Columns as _, micros},
    select::Select,
};
use sqlx::any::AnyRow;
use virga_model::{AppGuid, Timestamp, UserGuid};

/// One policy; it goes with either of its apps.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetworkPolicyRow {
    /// Who asks.
    pub source: AppGuid,
    /// Who answers.
    pub destination: AppGuid,
    /// `tcp` or `udp`.
    pub protocol: String,
    /// First of the destination's ports.
    pub first_port: u16,
    /// Last of them.
    pub last_port: u16,
}

impl NetworkPolicyRow {
    fn from_row(row: &AnyRow) -> Result<Self> {
        Ok(Self {
            source: row.parsed("source_guid")?,
            destination: row.parsed("destination_guid")?,
            protocol: row.text("protocol")?,
            first_port: row.count("first_port")?,
            last_port: row.count("last_port")?,
        })
    }
}

/// Writes a policy; one that is there already stays as it is.
///
/// # Errors
/// [`crate::StoreError::Reference`] where an app is not there; those of the database.
pub async fn insert(db: &mut Connection, policy: &NetworkPolicyRow, now: Timestamp) -> Result<()> {
    sqlx::query(
        "INSERT INTO network_policies (source_guid, destination_guid, protocol, first_port, last_port, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (source_guid, destination_guid, protocol, first_port, last_port) DO NOTHING",
    )
    .bind(policy.source.to_string())
    .bind(policy.destination.to_string())
    .bind(policy.protocol.clone())
    .bind(i64::from(policy.first_port))
    .bind(i64::from(policy.last_port))
    .bind(micros(now))
    .execute(db)
    .await?;
    Ok(())
}

/// Deletes exactly this policy; false when there was none.
///
/// # Errors
/// Those of the database.
pub async fn delete(db: &mut Connection, policy: &NetworkPolicyRow) -> Result<bool> {
    let done = sqlx::query(
        "DELETE FROM network_policies WHERE source_guid = $1 AND destination_guid = $2 AND protocol = $3 \
         AND first_port = $4 AND last_port = $5",
    )
    .bind(policy.source.to_string())
    .bind(policy.destination.to_string())
    .bind(policy.protocol.clone())
    .bind(i64::from(policy.first_port))
    .bind(i64::from(policy.last_port))
    .execute(db)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// How many policies have this source.
///
/// # Errors
/// Those of the database.
pub async fn count_of_source(db: &mut Connection, source: AppGuid) -> Result<u64> {
    let query = sqlx::query("SELECT COUNT(*) AS total FROM network_policies WHERE source_guid = $1");
    query.bind(source.to_string()).fetch_one(db).await?.count("total")
}

/// The policies between started apps.
///
/// # Errors
/// Those of the database.
pub async fn list_of_started(db: &mut Connection) -> Result<Vec<NetworkPolicyRow>> {
    let from = "network_policies t JOIN apps s ON s.guid = t.source_guid JOIN apps d ON d.guid = t.destination_guid";
    let mut select = Select::new("t.*", from);
    select.and("s.state = 'STARTED' AND d.state = 'STARTED'", []);
    select.all(db, "t.source_guid, t.destination_guid, t.protocol, t.first_port, t.last_port", NetworkPolicyRow::from_row).await
}

/// The policies, oldest first: with `apps`, those whose source or destination is one of them (texts, because what callers
/// wrote may be no guids); with `developer`, those between apps of spaces in which the user is a developer.
///
/// # Errors
/// Those of the database.
pub async fn list(db: &mut Connection, apps: Option<&[String]>, developer: Option<UserGuid>) -> Result<Vec<NetworkPolicyRow>> {
    const OWN: &str = "IN (SELECT a.guid FROM apps a JOIN roles r ON r.space_guid = a.space_guid \
                       WHERE r.user_guid = ? AND r.type = 'space_developer')";
    let mut select = Select::new("t.*", "network_policies t");
    if let Some(apps) = apps {
        let marks = vec!["?"; apps.len()].join(", ");
        let condition =
            if apps.is_empty() { "1 = 0".to_owned() } else { format!("t.source_guid IN ({marks}) OR t.destination_guid IN ({marks})") };
        select.and(&condition, apps.iter().chain(apps).map(|guid| guid.as_str().into()));
    }
    if let Some(user) = developer {
        select.and(&format!("t.source_guid {OWN}"), [user.into()]).and(&format!("t.destination_guid {OWN}"), [user.into()]);
    }
    let order = "t.created_at, t.source_guid, t.destination_guid, t.protocol, t.first_port, t.last_port";
    select.all(db, order, NetworkPolicyRow::from_row).await
}
