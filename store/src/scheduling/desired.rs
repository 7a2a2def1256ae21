//! The desired state: started apps, their processes, routes and rules.

use super::{CHUNK, marks, tuples};
use crate::{
    Connection, Result,
    metadata::Metadata,
    row::{Columns as _, micros},
};
use serde_json::Value;
use sqlx::{AssertSqlSafe, any::AnyRow};
use std::collections::{BTreeMap, HashMap};
use virga_model::{
    AppGuid, DestinationGuid, OrgGuid, ProcessGuid, RouteGuid, Sha256Digest, SpaceGuid, Timestamp,
    egress::EgressRule,
    process::HealthCheck,
    route::{LoadBalancing, RouteProtocol},
    state::AppState,
};

/// A process: what may change while its instances run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredRow {
    /// The process.
    pub process: ProcessGuid,
    /// `web`, …
    pub process_type: String,
    /// Changes whenever instances must be replaced.
    pub version: String,
    /// Instances wanted; may be 0.
    pub instances: u32,
    /// Its app.
    pub app: AppGuid,
    /// Whether the app should run.
    pub is_started: bool,
    /// Name of the app.
    pub app_name: String,
    /// Space of the app.
    pub space: SpaceGuid,
    /// Organization of the space.
    pub organization: OrgGuid,
}

impl DesiredRow {
    fn from_row(row: &AnyRow) -> Result<Self> {
        Ok(Self {
            process: row.parsed("guid")?,
            process_type: row.text("type")?,
            version: row.text("version")?,
            instances: row.count("instances")?,
            app: row.parsed("app_guid")?,
            is_started: row.parsed::<AppState>("state")? == AppState::Started,
            app_name: row.text("app_name")?,
            space: row.parsed("space_guid")?,
            organization: row.parsed("organization_guid")?,
        })
    }
}

macro_rules! desired {
    ($where:literal) => {
        concat!(
            "SELECT p.guid, p.type, p.version, p.instances, a.guid AS app_guid, a.state, a.name AS app_name, a.space_guid, \
             s.organization_guid FROM processes p JOIN apps a ON a.guid = p.app_guid JOIN spaces s ON s.guid = a.space_guid WHERE ",
            $where
        )
    };
}

/// Every process of every started app.
///
/// # Errors
/// Those of the database.
pub async fn list_desired(db: &mut Connection) -> Result<Vec<DesiredRow>> {
    let rows = sqlx::query(desired!("a.state = 'STARTED'")).fetch_all(db).await?;
    rows.iter().map(DesiredRow::from_row).collect()
}

/// Every process that was changed, or whose app was, at `since` or later; of stopped apps too. Some come twice.
///
/// # Errors
/// Those of the database.
pub async fn list_desired_since(db: &mut Connection, since: Timestamp) -> Result<Vec<DesiredRow>> {
    // Two statements, each with an index; one with OR would read everything.
    let mut rows = sqlx::query(desired!("p.updated_at >= $1")).bind(micros(since)).fetch_all(&mut *db).await?;
    rows.extend(sqlx::query(desired!("a.updated_at >= $1")).bind(micros(since)).fetch_all(db).await?);
    rows.iter().map(DesiredRow::from_row).collect()
}

/// How many rows [`list_desired`] would find.
///
/// # Errors
/// Those of the database.
pub async fn count_desired(db: &mut Connection) -> Result<u64> {
    let sql = "SELECT COUNT(*) AS total FROM processes p JOIN apps a ON a.guid = p.app_guid WHERE a.state = 'STARTED'";
    sqlx::query(sql).fetch_one(db).await?.count("total")
}

/// Everything else that the instances of a process are told once, at their start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecRow {
    /// The process.
    pub process: ProcessGuid,
    /// Its version when this was read.
    pub version: String,
    /// `web`, …
    pub process_type: String,
    /// The user's own command.
    pub command: Option<String>,
    /// Memory of one instance.
    pub memory_in_mb: u64,
    /// Disk of one instance.
    pub disk_in_mb: u64,
    /// -1 is unlimited.
    pub log_rate_limit_in_bytes_per_second: i64,
    /// Liveness.
    pub health_check: HealthCheck,
    /// Readiness.
    pub readiness_health_check: HealthCheck,
    /// Archive of the droplet: the process's own, else the app's.
    pub droplet: Sha256Digest,
    /// Commands of the droplet by process type.
    pub droplet_process_types: BTreeMap<String, String>,
    /// Its app.
    pub app: AppGuid,
    /// Name of the app.
    pub app_name: String,
    /// The app's own variables.
    pub app_environment: BTreeMap<String, String>,
    /// Features of the app that are not as by default.
    pub app_features: BTreeMap<String, bool>,
    /// Labels and annotations of the app.
    pub app_metadata: Metadata,
    /// Space of the app.
    pub space: SpaceGuid,
    /// Its name.
    pub space_name: String,
    /// Organization of the space.
    pub organization: OrgGuid,
    /// Its name.
    pub organization_name: String,
}

impl SpecRow {
    fn from_row(row: &AnyRow) -> Result<Self> {
        Ok(Self {
            process: row.parsed("guid")?,
            version: row.text("version")?,
            process_type: row.text("type")?,
            command: row.opt_text("command")?,
            memory_in_mb: row.count("memory_in_mb")?,
            disk_in_mb: row.count("disk_in_mb")?,
            log_rate_limit_in_bytes_per_second: row.int("log_rate_limit_in_bytes_per_second")?,
            health_check: row.json("health_check")?,
            readiness_health_check: row.json("readiness_health_check")?,
            droplet: row.parsed("digest")?,
            droplet_process_types: row.json("process_types")?,
            app: row.parsed("app_guid")?,
            app_name: row.text("app_name")?,
            app_environment: row.json("environment")?,
            app_features: row.json("features")?,
            app_metadata: Metadata::from_row(row)?,
            space: row.parsed("space_guid")?,
            space_name: row.text("space_name")?,
            organization: row.parsed("organization_guid")?,
            organization_name: row.text("organization_name")?,
        })
    }
}

/// The specs of these processes; those without a staged droplet are left out.
///
/// # Errors
/// Those of the database.
pub async fn list_specs(db: &mut Connection, processes: &[ProcessGuid]) -> Result<Vec<SpecRow>> {
    let mut specs = Vec::with_capacity(processes.len());
    for chunk in processes.chunks(CHUNK) {
        let sql = format!(
            "SELECT p.guid, p.version, p.type, p.command, p.memory_in_mb, p.disk_in_mb, p.log_rate_limit_in_bytes_per_second, \
             p.health_check, p.readiness_health_check, d.digest, d.process_types, a.guid AS app_guid, a.name AS app_name, \
             a.environment, a.features, a.labels, a.annotations, a.space_guid, s.name AS space_name, s.organization_guid, \
             o.name AS organization_name FROM processes p JOIN apps a ON a.guid = p.app_guid JOIN spaces s ON s.guid = a.space_guid \
             JOIN organizations o ON o.guid = s.organization_guid JOIN droplets d ON d.guid = COALESCE(p.droplet_guid, a.droplet_guid) \
             WHERE d.state = 'STAGED' AND d.digest IS NOT NULL AND p.guid IN ({})",
            marks(chunk.len())
        );
        let query = chunk.iter().fold(sqlx::query(AssertSqlSafe(sql)), |query, guid| query.bind(guid.to_string()));
        for row in query.fetch_all(&mut *db).await? {
            specs.push(SpecRow::from_row(&row)?);
        }
    }
    Ok(specs)
}

/// A destination of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredRouteRow {
    /// The destination.
    pub destination: DestinationGuid,
    /// The route.
    pub route: RouteGuid,
    /// Its host; may be empty or `*`.
    pub host: String,
    /// Name of its domain.
    pub domain: String,
    /// Its path; may be empty.
    pub path: String,
    /// Of a TCP route.
    pub port: Option<u16>,
    /// Whether only apps reach it.
    pub is_internal: bool,
    /// Where its requests go first.
    pub route_service: Option<String>,
    /// Its own choice of balancing.
    pub balancing: Option<LoadBalancing>,
    /// The app it leads to.
    pub app: AppGuid,
    /// The process type it leads to.
    pub process_type: String,
    /// 1 to 100.
    pub weight: Option<u8>,
    /// Protocol towards the instance.
    pub protocol: RouteProtocol,
}

impl DesiredRouteRow {
    fn from_row(row: &AnyRow) -> Result<Self> {
        Ok(Self {
            destination: row.parsed("destination_guid")?,
            route: row.parsed("guid")?,
            host: row.text("host")?,
            domain: row.text("domain")?,
            path: row.text("path")?,
            port: row.opt_count("route_port")?.filter(|port| *port > 0),
            is_internal: row.flag("internal")?,
            route_service: row.opt_text("route_service_url")?,
            balancing: row.opt_json::<Value>("options")?.as_ref().and_then(LoadBalancing::of_options),
            app: row.parsed("app_guid")?,
            process_type: row.text("process_type")?,
            weight: row.opt_count("weight")?,
            protocol: row.parsed("protocol")?,
        })
    }
}

macro_rules! destinations {
    ($columns:literal, $where:literal) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM route_destinations t JOIN routes r ON r.guid = t.route_guid JOIN domains d ON d.guid = r.domain_guid \
             LEFT JOIN service_route_bindings b ON b.route_guid = r.guid WHERE ",
            $where
        )
    };
    ($where:literal) => {
        destinations!(
            "t.guid AS destination_guid, r.guid, r.host, d.name AS domain, d.internal, r.path, r.port AS route_port, r.options, t.app_guid, \
             t.process_type, t.weight, t.protocol, b.route_service_url",
            $where
        )
    };
}

/// Every destination of every route, of stopped apps too.
///
/// # Errors
/// Those of the database.
pub async fn list_desired_routes(db: &mut Connection) -> Result<Vec<DesiredRouteRow>> {
    let rows = sqlx::query(destinations!("1 = 1")).fetch_all(db).await?;
    rows.iter().map(DesiredRouteRow::from_row).collect()
}

/// Of these, what was changed at `since` or later.
///
/// # Errors
/// Those of the database.
pub async fn list_desired_routes_since(db: &mut Connection, since: Timestamp) -> Result<Vec<DesiredRouteRow>> {
    let rows = sqlx::query(destinations!("t.updated_at >= $1")).bind(micros(since)).fetch_all(db).await?;
    rows.iter().map(DesiredRouteRow::from_row).collect()
}

/// How many rows [`list_desired_routes`] would find.
///
/// # Errors
/// Those of the database.
pub async fn count_desired_routes(db: &mut Connection) -> Result<u64> {
    sqlx::query(destinations!("COUNT(*) AS total", "1 = 1")).fetch_one(db).await?.count("total")
}

/// Where running apps may connect to: the rules of security groups.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunningRules {
    everywhere: Vec<EgressRule>,
    /// Of groups that are bound to single spaces, besides those that hold everywhere.
    in_space: HashMap<SpaceGuid, Vec<EgressRule>>,
}

impl RunningRules {
    /// Those that hold in a space.
    #[must_use]
    pub fn of(&self, space: SpaceGuid) -> Vec<EgressRule> {
        let own = self.in_space.get(&space).map_or(&[][..], Vec::as_slice);
        [&self.everywhere, own].concat()
    }

    /// Whether nothing is allowed anywhere.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.everywhere.is_empty() && self.in_space.is_empty()
    }
}

/// The rules of all security groups that hold for running apps.
///
/// # Errors
/// Those of the database.
pub async fn list_running_rules(db: &mut Connection) -> Result<RunningRules> {
    let mut rules = RunningRules::default();
    let rows = sqlx::query("SELECT rules FROM security_groups WHERE running_default = 1 ORDER BY name").fetch_all(&mut *db).await?;
    for row in &rows {
        rules.everywhere.extend(row.json::<Vec<EgressRule>>("rules")?);
    }
    let bound = "SELECT b.space_guid, g.rules FROM security_group_spaces b JOIN security_groups g ON g.guid = b.security_group_guid \
                 WHERE b.phase = 'running' AND g.running_default = 0 ORDER BY g.name";
    for row in &sqlx::query(bound).fetch_all(db).await? {
        rules.in_space.entry(row.parsed("space_guid")?).or_default().extend(row.json::<Vec<EgressRule>>("rules")?);
    }
    Ok(rules)
}

/// The environment variable group of running apps.
///
/// # Errors
/// Those of the database.
pub async fn running_variables(db: &mut Connection) -> Result<BTreeMap<String, String>> {
    let row = sqlx::query("SELECT variables FROM environment_variable_groups WHERE name = 'running'").fetch_optional(db).await?;
    row.map(|row| row.json("variables")).transpose().map(Option::unwrap_or_default)
}

/// What the instances of one version of a process are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinnedRow {
    /// The process.
    pub process: ProcessGuid,
    /// Its version.
    pub version: String,
    /// JSON, the scheduler's own, sealed.
    pub spec: String,
}

/// Every pinned spec.
///
/// # Errors
/// Those of the database.
pub async fn list_pinned(db: &mut Connection) -> Result<Vec<PinnedRow>> {
    let rows = sqlx::query("SELECT guid, version, spec FROM desired_processes").fetch_all(db).await?;
    let read = |row: &AnyRow| Ok(PinnedRow { process: row.parsed("guid")?, version: row.text("version")?, spec: row.text("spec")? });
    rows.iter().map(read).collect()
}

/// Writes pinned specs, over those of older versions.
///
/// # Errors
/// Those of the database.
pub async fn write_pinned(db: &mut Connection, rows: &[PinnedRow]) -> Result<()> {
    for chunk in rows.chunks(CHUNK) {
        let sql = format!(
            "INSERT INTO desired_processes (guid, version, spec) VALUES {} \
             ON CONFLICT (guid) DO UPDATE SET version = excluded.version, spec = excluded.spec",
            tuples(chunk.len(), 3)
        );
        let query = chunk.iter().fold(sqlx::query(AssertSqlSafe(sql)), |query, row| {
            query.bind(row.process.to_string()).bind(row.version.clone()).bind(row.spec.clone())
        });
        query.execute(&mut *db).await?;
    }
    Ok(())
}

/// Forgets pinned specs.
///
/// # Errors
/// Those of the database.
pub async fn delete_pinned(db: &mut Connection, processes: &[ProcessGuid]) -> Result<()> {
    for chunk in processes.chunks(CHUNK) {
        let sql = format!("DELETE FROM desired_processes WHERE guid IN ({})", marks(chunk.len()));
        let query = chunk.iter().fold(sqlx::query(AssertSqlSafe(sql)), |query, guid| query.bind(guid.to_string()));
        query.execute(&mut *db).await?;
    }
    Ok(())
}
