//! What apps were promised, and since when: an event for every process that starts, stops or changes its size while it runs, for
//! every task and every staging. Operators bill by them.
//!
//! Who changes processes or tasks of an app calls [`note`] at the end of the transaction: it compares what runs with what the
//! last event said of it (table `app_usage`) and writes what differs. Called twice it writes nothing more.

use crate::{
    Connection, Result, apps,
    row::{Columns as _, micros},
    select::{Listing, Page, Select},
};
use sqlx::any::AnyRow;
use std::collections::BTreeMap;
use virga_model::{AppGuid, EventGuid, Timestamp};

const STARTED: &str = "STARTED";
const STOPPED: &str = "STOPPED";

/// One event. Guids are texts: what they name may be long gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppUsageEventRow {
    /// Its guid.
    pub guid: EventGuid,
    /// Later than that of every event before.
    pub created_at: Timestamp,
    /// `STARTED`, `STOPPED`, `TASK_STARTED`, `TASK_STOPPED`, `STAGING_STARTED`, `STAGING_STOPPED`, `BUILDPACK_SET`.
    pub state: String,
    /// What it was before.
    pub previous_state: Option<String>,
    /// Guid and name of the app.
    pub app: (String, String),
    /// Guid and type of the process.
    pub process: (Option<String>, Option<String>),
    /// Guid and name of the space.
    pub space: (String, String),
    /// Guid of the organization.
    pub organization: String,
    /// Guid and name of the buildpack.
    pub buildpack: (Option<String>, Option<String>),
    /// Guid and name of the task.
    pub task: (Option<String>, Option<String>),
    /// Memory of one instance, MB, and what it was before.
    pub memory_in_mb: (u64, Option<u64>),
    /// Instances, and how many there were before.
    pub instances: (u64, Option<u64>),
}

impl AppUsageEventRow {
    fn from_row(row: &AnyRow) -> Result<Self> {
        Ok(Self {
            guid: row.parsed("guid")?,
            created_at: row.time("created_at")?,
            state: row.text("state")?,
            previous_state: row.opt_text("previous_state")?,
            app: (row.text("app_guid")?, row.text("app_name")?),
            process: (row.opt_text("process_guid")?, row.opt_text("process_type")?),
            space: (row.text("space_guid")?, row.text("space_name")?),
            organization: row.text("organization_guid")?,
            buildpack: (row.opt_text("buildpack_guid")?, row.opt_text("buildpack_name")?),
            task: (row.opt_text("task_guid")?, row.opt_text("task_name")?),
            memory_in_mb: (row.count("memory_in_mb")?, row.opt_count("previous_memory_in_mb")?),
            instances: (row.count("instances")?, row.opt_count("previous_instances")?),
        })
    }
}

/// Something of an app that runs: a process, or a task, which has a name and no type.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Running {
    guid: String,
    process_type: Option<String>,
    task_name: Option<String>,
    memory_in_mb: u64,
    instances: u64,
}

impl Running {
    fn process(row: &AnyRow) -> Result<Self> {
        let (process_type, task_name) = (row.opt_text("type")?, None);
        let (memory_in_mb, instances) = (row.count("memory_in_mb")?, row.count("instances")?);
        Ok(Self { guid: row.text("guid")?, process_type, task_name, memory_in_mb, instances })
    }

    fn task(row: &AnyRow) -> Result<Self> {
        let (guid, task_name, memory_in_mb) = (row.text("guid")?, Some(row.text("name")?), row.count("memory_in_mb")?);
        Ok(Self { guid, process_type: None, task_name, memory_in_mb, instances: 1 })
    }

    fn is_task(&self) -> bool {
        self.process_type.is_none()
    }

    fn footprint(&self) -> (u64, u64) {
        (self.memory_in_mb, self.instances)
    }
}

/// Writes what changed of the app's processes and tasks since it was noted last.
///
/// # Errors
/// Those of the database.
pub async fn note(db: &mut Connection, app: AppGuid, now: Timestamp) -> Result<()> {
    let sql = "SELECT p.guid, p.type, p.memory_in_mb, p.instances FROM processes p JOIN apps a ON a.guid = p.app_guid \
               WHERE a.guid = $1 AND a.state = 'STARTED' ORDER BY p.created_at, p.guid";
    let rows = sqlx::query(sql).bind(app.to_string()).fetch_all(&mut *db).await?;
    let mut running: Vec<Running> = rows.iter().map(Running::process).collect::<Result<_>>()?;
    let sql = "SELECT guid, name, memory_in_mb FROM tasks WHERE app_guid = $1 AND state IN ('RUNNING', 'CANCELING') ORDER BY sequence_id";
    for row in &sqlx::query(sql).bind(app.to_string()).fetch_all(&mut *db).await? {
        running.push(Running::task(row)?);
    }
    compare(db, app, running, now).await
}

/// Writes that nothing of the app runs any more; called before its rows go.
///
/// # Errors
/// Those of the database.
pub async fn end(db: &mut Connection, app: AppGuid, now: Timestamp) -> Result<()> {
    compare(db, app, Vec::new(), now).await
}

async fn compare(db: &mut Connection, app: AppGuid, running: Vec<Running>, now: Timestamp) -> Result<()> {
    let rows = sqlx::query("SELECT * FROM app_usage WHERE app_guid = $1").bind(app.to_string()).fetch_all(&mut *db).await?;
    let mut known: BTreeMap<String, Running> = BTreeMap::new();
    for row in &rows {
        let one = Running::process(row)?;
        known.insert(one.guid.clone(), one);
    }
    let mut changes = Vec::new();
    for one in running {
        match known.remove(&one.guid) {
            Some(before) if before.footprint() == one.footprint() => {}
            before => changes.push((before, Some(one))),
        }
    }
    changes.extend(known.into_values().map(|before| (Some(before), None)));
    if changes.is_empty() {
        return Ok(());
    }
    let Some(place) = place_of(db, app).await? else { return Ok(()) };
    for (before, after) in changes {
        forget(db, before.as_ref()).await?;
        remember(db, app, &place.app.1, after.as_ref()).await?;
        let event = place.event(db, before, after).await?;
        insert(db, event, now).await?;
    }
    Ok(())
}

async fn forget(db: &mut Connection, before: Option<&Running>) -> Result<()> {
    if let Some(before) = before {
        sqlx::query("DELETE FROM app_usage WHERE guid = $1").bind(before.guid.clone()).execute(db).await?;
    }
    Ok(())
}

async fn remember(db: &mut Connection, app: AppGuid, name: &str, after: Option<&Running>) -> Result<()> {
    let Some(after) = after else { return Ok(()) };
    let sql = "INSERT INTO app_usage (guid, app_guid, app_name, type, memory_in_mb, instances) VALUES ($1, $2, $3, $4, $5, $6)";
    let query = sqlx::query(sql).bind(after.guid.clone()).bind(app.to_string()).bind(name.to_owned()).bind(after.process_type.clone());
    query.bind(after.memory_in_mb.cast_signed()).bind(after.instances.cast_signed()).execute(db).await?;
    Ok(())
}

/// Where an app is and what built it.
struct Place {
    app: (String, String),
    space: (String, String),
    organization: String,
    buildpack: (Option<String>, Option<String>),
}

async fn place_of(db: &mut Connection, app: AppGuid) -> Result<Option<Place>> {
    let Some(placement) = apps::placement(db, app).await? else { return Ok(None) };
    let sql = "SELECT d.buildpacks FROM apps a JOIN droplets d ON d.guid = a.droplet_guid WHERE a.guid = $1";
    let built = sqlx::query(sql).bind(app.to_string()).fetch_optional(&mut *db).await?;
    let built: Option<serde_json::Value> = built.map(|row| row.json("buildpacks")).transpose()?;
    let name = built.as_ref().and_then(|built| built.pointer("/0/name")).and_then(|name| name.as_str()).map(str::to_owned);
    Ok(Some(Place {
        app: (app.to_string(), placement.app_name),
        space: (placement.space.to_string(), placement.space_name),
        organization: placement.organization.to_string(),
        buildpack: (guid_of_buildpack(db, name.as_deref()).await?, name),
    }))
}

async fn guid_of_buildpack(db: &mut Connection, name: Option<&str>) -> Result<Option<String>> {
    let Some(name) = name else { return Ok(None) };
    let query = sqlx::query("SELECT guid FROM buildpacks WHERE name = $1 ORDER BY position LIMIT 1").bind(name.to_owned());
    query.fetch_optional(db).await?.map(|row| row.text("guid")).transpose()
}

impl Place {
    async fn event(&self, db: &mut Connection, before: Option<Running>, after: Option<Running>) -> Result<AppUsageEventRow> {
        let is_over = after.is_none();
        let Some(one) = after.as_ref().or(before.as_ref()) else { return Ok(self.blank(STOPPED, None)) };
        let mut event = match (one.is_task(), is_over) {
            (false, false) => self.blank(STARTED, Some(if before.is_some() { STARTED } else { STOPPED })),
            (false, true) => self.blank(STOPPED, Some(STARTED)),
            (true, false) => self.blank("TASK_STARTED", Some("PENDING")),
            (true, true) => self.blank("TASK_STOPPED", Some("RUNNING")),
        };
        if one.is_task() {
            let name = match &one.task_name {
                Some(name) => Some(name.clone()),
                None => name_of_task(db, &one.guid).await?,
            };
            event.task = (Some(one.guid.clone()), name);
            event.buildpack = (None, None);
        } else {
            event.process = (Some(one.guid.clone()), one.process_type.clone());
        }
        let was = before.as_ref().unwrap_or(one);
        event.memory_in_mb = (one.memory_in_mb, Some(was.memory_in_mb));
        event.instances = (one.instances, Some(was.instances));
        Ok(event)
    }

    fn blank(&self, state: &str, previous: Option<&str>) -> AppUsageEventRow {
        AppUsageEventRow {
            guid: EventGuid::random(),
            created_at: Timestamp::UNIX_EPOCH,
            state: state.to_owned(),
            previous_state: previous.map(str::to_owned),
            app: self.app.clone(),
            process: (None, None),
            space: self.space.clone(),
            organization: self.organization.clone(),
            buildpack: self.buildpack.clone(),
            task: (None, None),
            memory_in_mb: (0, None),
            instances: (1, Some(1)),
        }
    }
}

async fn name_of_task(db: &mut Connection, task: &str) -> Result<Option<String>> {
    let query = sqlx::query("SELECT name FROM tasks WHERE guid = $1").bind(task.to_owned());
    query.fetch_optional(db).await?.map(|row| row.text("name")).transpose()
}

/// Writes how far a staging is: `STAGING_STARTED`, `STAGING_STOPPED`, or that it set a buildpack (`BUILDPACK_SET`).
///
/// # Errors
/// Those of the database.
pub async fn note_staging(
    db: &mut Connection,
    app: AppGuid,
    state: &str,
    memory_in_mb: u64,
    buildpack: Option<&str>,
    now: Timestamp,
) -> Result<()> {
    let Some(mut place) = place_of(db, app).await? else { return Ok(()) };
    place.buildpack = (guid_of_buildpack(db, buildpack).await?, buildpack.map(str::to_owned));
    let previous = if state == "STAGING_STARTED" { None } else { Some("STAGING") };
    let event = AppUsageEventRow { memory_in_mb: (memory_in_mb, Some(memory_in_mb)), ..place.blank(state, previous) };
    insert(db, event, now).await
}

async fn insert(db: &mut Connection, event: AppUsageEventRow, now: Timestamp) -> Result<()> {
    let last = sqlx::query("SELECT MAX(created_at) AS last FROM app_usage_events").fetch_one(&mut *db).await?.opt_int("last")?;
    // Readers go on after the last event they saw: no later one may come before it.
    let created_at = last.map_or(micros(now), |last| micros(now).max(last.saturating_add(1)));
    let signed = |number: Option<u64>| number.map(u64::cast_signed);
    sqlx::query(
        "INSERT INTO app_usage_events (guid, created_at, state, previous_state, app_guid, app_name, process_guid, process_type, \
         space_guid, space_name, organization_guid, buildpack_guid, buildpack_name, task_guid, task_name, memory_in_mb, \
         previous_memory_in_mb, instances, previous_instances) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)",
    )
    .bind(event.guid.to_string())
    .bind(created_at)
    .bind(event.state)
    .bind(event.previous_state)
    .bind(event.app.0)
    .bind(event.app.1)
    .bind(event.process.0)
    .bind(event.process.1)
    .bind(event.space.0)
    .bind(event.space.1)
    .bind(event.organization)
    .bind(event.buildpack.0)
    .bind(event.buildpack.1)
    .bind(event.task.0)
    .bind(event.task.1)
    .bind(event.memory_in_mb.0.cast_signed())
    .bind(signed(event.memory_in_mb.1))
    .bind(event.instances.0.cast_signed())
    .bind(signed(event.instances.1))
    .execute(db)
    .await?;
    Ok(())
}

/// One event.
///
/// # Errors
/// Those of the database.
pub async fn find(db: &mut Connection, guid: EventGuid) -> Result<Option<AppUsageEventRow>> {
    let row = sqlx::query("SELECT * FROM app_usage_events WHERE guid = $1").bind(guid.to_string()).fetch_optional(db).await?;
    row.as_ref().map(AppUsageEventRow::from_row).transpose()
}

/// A page of events; `after` keeps those that came later than that one.
///
/// # Errors
/// Those of the database.
pub async fn list(db: &mut Connection, after: Option<&AppUsageEventRow>, listing: &Listing) -> Result<Page<AppUsageEventRow>> {
    let mut select = Select::new("t.*", "app_usage_events t");
    select.and_listing(listing);
    if let Some(after) = after {
        select.and_after(after.created_at, &after.guid.to_string());
    }
    select.page(db, listing, AppUsageEventRow::from_row).await
}

/// Deletes every event and writes one for each process that runs now.
///
/// # Errors
/// Those of the database.
pub async fn purge_and_reseed(db: &mut Connection, now: Timestamp) -> Result<()> {
    sqlx::query("DELETE FROM app_usage_events").execute(&mut *db).await?;
    sqlx::query("DELETE FROM app_usage").execute(&mut *db).await?;
    sqlx::query(
        "INSERT INTO app_usage_events (guid, created_at, state, previous_state, app_guid, app_name, process_guid, process_type, \
         space_guid, space_name, organization_guid, memory_in_mb, previous_memory_in_mb, instances, previous_instances) \
         SELECT p.guid, CAST($1 AS BIGINT), 'STARTED', 'STARTED', a.guid, a.name, p.guid, p.type, s.guid, s.name, s.organization_guid, \
         p.memory_in_mb, p.memory_in_mb, p.instances, p.instances \
         FROM processes p JOIN apps a ON a.guid = p.app_guid JOIN spaces s ON s.guid = a.space_guid WHERE a.state = 'STARTED'",
    )
    .bind(micros(now))
    .execute(&mut *db)
    .await?;
    sqlx::query(
        "INSERT INTO app_usage (guid, app_guid, app_name, type, memory_in_mb, instances) \
         SELECT p.guid, a.guid, a.name, p.type, p.memory_in_mb, p.instances \
         FROM processes p JOIN apps a ON a.guid = p.app_guid WHERE a.state = 'STARTED'",
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Deletes events older than `before`; how many.
///
/// # Errors
/// Those of the database.
pub async fn delete_older(db: &mut Connection, before: Timestamp) -> Result<u64> {
    let query = sqlx::query("DELETE FROM app_usage_events WHERE created_at < $1").bind(micros(before));
    Ok(query.execute(db).await?.rows_affected())
}
