//! Buildpacks, in the order of detection.

use crate::{
    Connection, Result,
    metadata::Metadata,
    record::{self, Record, Values},
    row::{Columns as _, json},
    select::{Listing, Page, Select},
};
use sqlx::any::AnyRow;
use virga_model::{BuildpackGuid, Sha256Digest, Timestamp};

/// One buildpack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildpackRow {
    /// Its guid.
    pub guid: BuildpackGuid,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed; also the generation that [`update`] checks.
    pub updated_at: Timestamp,
    /// Unique together with stack and lifecycle.
    pub name: String,
    /// For apps of this stack; none for all.
    pub stack: Option<String>,
    /// `buildpack` or `cnb`.
    pub lifecycle: String,
    /// From 1; detection asks in this order.
    pub position: u32,
    /// Whether it is used at all.
    pub enabled: bool,
    /// Whether uploads are refused.
    pub locked: bool,
    /// Name of the file that was uploaded; none for those that come with the program.
    pub filename: Option<String>,
    /// Which buildpack of this program does the work; none before anything was uploaded.
    pub builder: Option<String>,
    /// Its own version; the builder's without.
    pub version: Option<String>,
    /// Files that an app is recognised by; none leaves it to the builder.
    pub detect: Option<Vec<String>>,
    /// The zip of one that brings programs of its own, in the blobstore.
    pub bits: Option<Sha256Digest>,
    /// Labels and annotations.
    pub metadata: Metadata,
}

impl Record for BuildpackRow {
    record::head!(BuildpackGuid);
    const TABLE: &'static str = "buildpacks";
    const FIXED: &'static [&'static str] = &["lifecycle", "position"];

    fn values(&self) -> Result<Values> {
        let detect = self.detect.as_ref().map(|files| json("detect", files)).transpose()?;
        Values::new()
            .set("name", self.name.as_str())
            .set("stack", self.stack.clone().unwrap_or_default())
            .set("lifecycle", self.lifecycle.as_str())
            .set("position", self.position)
            .set("enabled", self.enabled)
            .set("locked", self.locked)
            .set("filename", self.filename.clone())
            .set("builder", self.builder.clone())
            .set("version", self.version.clone())
            .set("detect", detect)
            .set("bits", self.bits.map(|digest| digest.to_string()))
            .metadata(&self.metadata)
    }

    fn from_row(row: &AnyRow) -> Result<Self> {
        Ok(Self {
            guid: row.parsed("guid")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
            name: row.text("name")?,
            stack: Some(row.text("stack")?).filter(|stack| !stack.is_empty()),
            lifecycle: row.text("lifecycle")?,
            position: row.count("position")?,
            enabled: row.flag("enabled")?,
            locked: row.flag("locked")?,
            filename: row.opt_text("filename")?,
            builder: row.opt_text("builder")?,
            version: row.opt_text("version")?,
            detect: row.opt_json("detect")?,
            bits: row.opt_parsed("bits")?,
            metadata: Metadata::from_row(row)?,
        })
    }
}

record::functions!(BuildpackRow);

/// Whether a buildpack names these bits.
///
/// # Errors
/// Those of the database.
pub async fn is_blob_used(db: &mut Connection, digest: Sha256Digest) -> Result<bool> {
    record::any::<BuildpackRow>(db, "WHERE bits = $1", [digest.to_string().into()]).await
}

/// All of one lifecycle, in the order of detection.
///
/// # Errors
/// Those of the database.
pub async fn in_order(db: &mut Connection, lifecycle: &str) -> Result<Vec<BuildpackRow>> {
    record::all(db, "WHERE lifecycle = $1 ORDER BY position, created_at, guid", [lifecycle.into()]).await
}

/// Puts a buildpack at a position (the last one, where there are fewer) and numbers all of its lifecycle anew from 1.
///
/// # Errors
/// Those of the database.
pub async fn move_to(db: &mut Connection, buildpack: &mut BuildpackRow, position: u32) -> Result<()> {
    let mut order = in_order(db, &buildpack.lifecycle).await?;
    order.retain(|other| other.guid != buildpack.guid);
    let place = usize::try_from(position.saturating_sub(1)).unwrap_or(usize::MAX).min(order.len());
    order.insert(place, buildpack.clone());
    for (number, other) in (1_u32..).zip(&order) {
        if other.guid == buildpack.guid {
            buildpack.position = number;
        }
        set_position(db, other.guid, number).await?;
    }
    Ok(())
}

/// Numbers all of a lifecycle anew from 1, after one went.
///
/// # Errors
/// Those of the database.
pub async fn renumber(db: &mut Connection, lifecycle: &str) -> Result<()> {
    for (number, other) in (1_u32..).zip(&in_order(db, lifecycle).await?) {
        set_position(db, other.guid, number).await?;
    }
    Ok(())
}

async fn set_position(db: &mut Connection, guid: BuildpackGuid, position: u32) -> Result<()> {
    let sql = "UPDATE buildpacks SET position = $1 WHERE guid = $2 AND position <> $1";
    sqlx::query(sql).bind(i64::from(position)).bind(guid.to_string()).execute(db).await?;
    Ok(())
}

/// Lets one transaction at a time change the order.
///
/// # Errors
/// Those of the database.
pub async fn lock(db: &mut Connection) -> Result<()> {
    // An update that changes nothing is the one lock that both databases have.
    sqlx::query("UPDATE known_builders SET name = name").execute(db).await?;
    Ok(())
}

/// Notes that a builder was made a row of. False where it was before, even if that row is gone.
///
/// # Errors
/// Those of the database.
pub async fn get_to_know(db: &mut Connection, builder: &str) -> Result<bool> {
    let query = sqlx::query("INSERT INTO known_builders (name) VALUES ($1) ON CONFLICT (name) DO NOTHING").bind(builder.to_owned());
    Ok(query.execute(db).await?.rows_affected() > 0)
}

/// Which buildpacks a list is to hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BuildpackFilter {
    /// Of these names.
    pub names: Option<Vec<String>>,
    /// Of these stacks; an empty name is that of those for all.
    pub stacks: Option<Vec<String>>,
    /// Of these lifecycles.
    pub lifecycles: Option<Vec<String>>,
}

/// A page of buildpacks.
///
/// # Errors
/// Those of the database.
pub async fn list(db: &mut Connection, filter: &BuildpackFilter, listing: &Listing) -> Result<Page<BuildpackRow>> {
    let mut select = Select::new("t.*", "buildpacks t");
    select
        .and_in_if("t.name", filter.names.as_deref())
        .and_in_if("t.stack", filter.stacks.as_deref())
        .and_in_if("t.lifecycle", filter.lifecycles.as_deref())
        .and_listing(listing);
    select.page(db, listing, BuildpackRow::from_row).await
}
