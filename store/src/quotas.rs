//! What quotas of organizations and of spaces share: their limits, and what counts against them.

use crate::{
    Connection, Result,
    record::Values,
    row::{Columns as _, truth},
};
use sqlx::{AssertSqlSafe, any::AnyRow};
use virga_model::{AppGuid, OrgGuid, SpaceGuid};

/// Limits; `None` is unlimited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaLimits {
    /// Memory of all started instances and running tasks together, MB.
    pub total_memory_in_mb: Option<i64>,
    /// Memory of one instance or task, MB.
    pub per_process_memory_in_mb: Option<i64>,
    /// Started instances.
    pub total_instances: Option<i64>,
    /// Running tasks of the organization or space.
    pub per_app_tasks: Option<i64>,
    /// Bytes of log per second of all instances and tasks together.
    pub log_rate_limit_in_bytes_per_second: Option<i64>,
    /// Whether services that cost money may be used.
    pub paid_services_allowed: bool,
    /// Service instances.
    pub total_service_instances: Option<i64>,
    /// Service keys.
    pub total_service_keys: Option<i64>,
    /// Routes.
    pub total_routes: Option<i64>,
    /// Routes with a port of their own.
    pub total_reserved_ports: Option<i64>,
}

impl Default for QuotaLimits {
    fn default() -> Self {
        Self {
            total_memory_in_mb: None,
            per_process_memory_in_mb: None,
            total_instances: None,
            per_app_tasks: None,
            log_rate_limit_in_bytes_per_second: None,
            paid_services_allowed: true,
            total_service_instances: None,
            total_service_keys: None,
            total_routes: None,
            total_reserved_ports: None,
        }
    }
}

impl QuotaLimits {
    /// Adds the columns to a row's.
    #[must_use]
    pub fn put_into(&self, values: Values) -> Values {
        values
            .set("total_memory_in_mb", self.total_memory_in_mb)
            .set("per_process_memory_in_mb", self.per_process_memory_in_mb)
            .set("total_instances", self.total_instances)
            .set("per_app_tasks", self.per_app_tasks)
            .set("log_rate_limit_in_bytes_per_second", self.log_rate_limit_in_bytes_per_second)
            .set("paid_services_allowed", truth(self.paid_services_allowed))
            .set("total_service_instances", self.total_service_instances)
            .set("total_service_keys", self.total_service_keys)
            .set("total_routes", self.total_routes)
            .set("total_reserved_ports", self.total_reserved_ports)
    }

    /// From the columns.
    ///
    /// # Errors
    /// [`crate::StoreError::Corrupt`].
    pub fn from_row(row: &AnyRow) -> Result<Self> {
        Ok(Self {
            total_memory_in_mb: row.opt_int("total_memory_in_mb")?,
            per_process_memory_in_mb: row.opt_int("per_process_memory_in_mb")?,
            total_instances: row.opt_int("total_instances")?,
            per_app_tasks: row.opt_int("per_app_tasks")?,
            log_rate_limit_in_bytes_per_second: row.opt_int("log_rate_limit_in_bytes_per_second")?,
            paid_services_allowed: row.flag("paid_services_allowed")?,
            total_service_instances: row.opt_int("total_service_instances")?,
            total_service_keys: row.opt_int("total_service_keys")?,
            total_routes: row.opt_int("total_routes")?,
            total_reserved_ports: row.opt_int("total_reserved_ports")?,
        })
    }
}

/// What a quota holds for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuotaScope {
    /// Every organization together: the platform.
    Everything,
    /// An organization.
    Organization(OrgGuid),
    /// A space.
    Space(SpaceGuid),
}

impl QuotaScope {
    /// A condition on the space in `column`, with the guid as `$1`.
    fn condition(self, column: &str) -> String {
        match self {
            Self::Everything => format!("$1 = '' AND {column} = {column}"),
            Self::Organization(_) => format!("{column} IN (SELECT guid FROM spaces WHERE organization_guid = $1)"),
            Self::Space(_) => format!("{column} = $1"),
        }
    }

    fn guid(self) -> String {
        match self {
            Self::Everything => String::new(),
            Self::Organization(guid) => guid.to_string(),
            Self::Space(guid) => guid.to_string(),
        }
    }
}

/// What started processes, or tasks that are to run or run, are promised together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Promised {
    /// Instances, or tasks.
    pub count: u64,
    /// Megabytes of memory.
    pub memory_in_mb: u64,
    /// Bytes of log per second of those with a limit.
    pub log_rate_limit_in_bytes_per_second: i64,
    /// How many have no limit on their log.
    pub without_log_limit: u64,
}

impl Promised {
    fn from_row(row: &AnyRow) -> Result<Self> {
        Ok(Self {
            count: row.count("number")?,
            memory_in_mb: row.count("memory")?,
            log_rate_limit_in_bytes_per_second: row.int("log_rate")?,
            without_log_limit: row.count("unlimited")?,
        })
    }
}

/// What the processes of started apps are promised.
///
/// # Errors
/// Those of the database.
pub async fn processes(db: &mut Connection, scope: QuotaScope) -> Result<Promised> {
    let sql = format!(
        "SELECT CAST(COALESCE(SUM(p.instances), 0) AS BIGINT) AS number, \
         CAST(COALESCE(SUM(p.memory_in_mb * p.instances), 0) AS BIGINT) AS memory, \
         CAST(COALESCE(SUM(CASE WHEN p.log_rate_limit_in_bytes_per_second >= 0 \
         THEN p.log_rate_limit_in_bytes_per_second * p.instances ELSE 0 END), 0) AS BIGINT) AS log_rate, \
         CAST(COALESCE(SUM(CASE WHEN p.log_rate_limit_in_bytes_per_second < 0 THEN p.instances ELSE 0 END), 0) AS BIGINT) AS unlimited \
         FROM apps a JOIN processes p ON p.app_guid = a.guid WHERE a.state = 'STARTED' AND {}",
        scope.condition("a.space_guid")
    );
    Promised::from_row(&sqlx::query(AssertSqlSafe(sql)).bind(scope.guid()).fetch_one(db).await?)
}

/// What tasks that are to run or run are promised.
///
/// # Errors
/// Those of the database.
pub async fn tasks(db: &mut Connection, scope: QuotaScope) -> Result<Promised> {
    let sql = format!(
        "SELECT COUNT(*) AS number, CAST(COALESCE(SUM(k.memory_in_mb), 0) AS BIGINT) AS memory, \
         CAST(COALESCE(SUM(CASE WHEN k.log_rate_limit_in_bytes_per_second >= 0 \
         THEN k.log_rate_limit_in_bytes_per_second ELSE 0 END), 0) AS BIGINT) AS log_rate, \
         CAST(COALESCE(SUM(CASE WHEN k.log_rate_limit_in_bytes_per_second < 0 THEN 1 ELSE 0 END), 0) AS BIGINT) AS unlimited \
         FROM tasks k JOIN apps a ON a.guid = k.app_guid WHERE k.state IN ('PENDING', 'RUNNING') AND {}",
        scope.condition("a.space_guid")
    );
    Promised::from_row(&sqlx::query(AssertSqlSafe(sql)).bind(scope.guid()).fetch_one(db).await?)
}

/// Routes: all of them, and those that hold a port of their own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RouteUse {
    /// All.
    pub routes: u64,
    /// With a port.
    pub reserved_ports: u64,
}

/// The routes there are.
///
/// # Errors
/// Those of the database.
pub async fn routes(db: &mut Connection, scope: QuotaScope) -> Result<RouteUse> {
    let sql = format!(
        "SELECT COUNT(*) AS routes, CAST(COALESCE(SUM(CASE WHEN t.port > 0 THEN 1 ELSE 0 END), 0) AS BIGINT) AS ports FROM routes t \
         WHERE {}",
        scope.condition("t.space_guid")
    );
    let row = sqlx::query(AssertSqlSafe(sql)).bind(scope.guid()).fetch_one(db).await?;
    Ok(RouteUse { routes: row.count("routes")?, reserved_ports: row.count("ports")? })
}

/// Instances of service plans.
///
/// # Errors
/// Those of the database.
pub async fn service_instances(db: &mut Connection, scope: QuotaScope) -> Result<u64> {
    let condition = scope.condition("t.space_guid");
    let sql = format!("SELECT COUNT(*) AS total FROM service_instances t WHERE t.type = 'managed' AND {condition}");
    sqlx::query(AssertSqlSafe(sql)).bind(scope.guid()).fetch_one(db).await?.count("total")
}

/// Service keys.
///
/// # Errors
/// Those of the database.
pub async fn service_keys(db: &mut Connection, scope: QuotaScope) -> Result<u64> {
    let condition = scope.condition("i.space_guid");
    let sql = format!(
        "SELECT COUNT(*) AS total FROM service_credential_bindings t JOIN service_instances i ON i.guid = t.service_instance_guid \
         WHERE t.type = 'key' AND {condition}"
    );
    sqlx::query(AssertSqlSafe(sql)).bind(scope.guid()).fetch_one(db).await?.count("total")
}

/// How many private domains an organization owns, or all own.
///
/// # Errors
/// Those of the database.
pub async fn private_domains(db: &mut Connection, organization: Option<OrgGuid>) -> Result<u64> {
    let query = match organization {
        Some(guid) => sqlx::query("SELECT COUNT(*) AS total FROM domains WHERE organization_guid = $1").bind(guid.to_string()),
        None => sqlx::query("SELECT COUNT(*) AS total FROM domains WHERE organization_guid IS NOT NULL"),
    };
    query.fetch_one(db).await?.count("total")
}

/// Memory of the largest instance that the app runs, MB (0 where it has none), and whether any has no limit on its log.
///
/// # Errors
/// Those of the database.
pub async fn of_app(db: &mut Connection, app: AppGuid) -> Result<(u64, bool)> {
    let sql = "SELECT CAST(COALESCE(MAX(memory_in_mb), 0) AS BIGINT) AS largest, \
               CAST(COALESCE(MIN(log_rate_limit_in_bytes_per_second), 0) AS BIGINT) AS log_rate \
               FROM processes WHERE app_guid = $1 AND instances > 0";
    let row = sqlx::query(sql).bind(app.to_string()).fetch_one(db).await?;
    Ok((row.count("largest")?, row.int("log_rate")? < 0))
}

/// Which quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuotaKind {
    /// One of organizations.
    Organization,
    /// One of spaces.
    Space,
}

/// Names of the organizations (or spaces) with this quota that hold a process without a limit on its log; sorted.
///
/// # Errors
/// Those of the database.
pub async fn with_unlimited_logs(db: &mut Connection, kind: QuotaKind, quota: virga_model::QuotaGuid) -> Result<Vec<String>> {
    let sql = match kind {
        QuotaKind::Organization => {
            "SELECT DISTINCT o.name FROM organizations o JOIN spaces s ON s.organization_guid = o.guid JOIN apps a ON a.space_guid = s.guid \
             JOIN processes p ON p.app_guid = a.guid WHERE o.quota_guid = $1 AND p.log_rate_limit_in_bytes_per_second < 0 ORDER BY o.name"
        }
        QuotaKind::Space => {
            "SELECT DISTINCT s.name FROM spaces s JOIN apps a ON a.space_guid = s.guid JOIN processes p ON p.app_guid = a.guid \
             WHERE s.quota_guid = $1 AND p.log_rate_limit_in_bytes_per_second < 0 ORDER BY s.name"
        }
    };
    sqlx::query(sql).bind(quota.to_string()).fetch_all(db).await?.iter().map(|row| row.text("name")).collect()
}

/// Lets one transaction at a time decide what still fits into the quotas of an organization: others wait here for its end.
///
/// # Errors
/// Those of the database.
pub async fn lock(db: &mut Connection, organization: OrgGuid) -> Result<()> {
    // An update that changes nothing is the one lock that both databases have.
    sqlx::query("UPDATE organizations SET suspended = suspended WHERE guid = $1").bind(organization.to_string()).execute(db).await?;
    Ok(())
}
