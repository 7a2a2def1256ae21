//! Security groups: where apps may connect to.

use crate::{
    Connection, Result,
    record::{self, Record, Values},
    row::{Columns as _, truth},
    select::{Listing, Page, Select, Visible},
};
use sqlx::any::AnyRow;
use virga_model::{SecurityGroupGuid, SpaceGuid, Timestamp, egress::EgressRule};

/// One security group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityGroupRow {
    /// Its guid.
    pub guid: SecurityGroupGuid,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Unique.
    pub name: String,
    /// What it allows.
    pub rules: Vec<EgressRule>,
    /// Whether it holds for every running app.
    pub running_default: bool,
    /// Whether it holds for every staging.
    pub staging_default: bool,
}

impl Record for SecurityGroupRow {
    record::head!(SecurityGroupGuid);
    const TABLE: &'static str = "security_groups";
    const FIXED: &'static [&'static str] = &[];

    fn values(&self) -> Result<Values> {
        Values::new()
            .set("name", self.name.as_str())
            .set("running_default", self.running_default)
            .set("staging_default", self.staging_default)
            .json("rules", &self.rules)
    }

    fn from_row(row: &AnyRow) -> Result<Self> {
        Ok(Self {
            guid: row.parsed("guid")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
            name: row.text("name")?,
            rules: row.json("rules")?,
            running_default: row.flag("running_default")?,
            staging_default: row.flag("staging_default")?,
        })
    }
}

record::functions!(SecurityGroupRow);

/// The group of this name.
///
/// # Errors
/// Those of the database.
pub async fn find_by_name(db: &mut Connection, name: &str) -> Result<Option<SecurityGroupRow>> {
    record::first(db, "WHERE name = $1", [name.into()]).await
}

/// When a group holds in a space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// For its running apps.
    Running,
    /// For its stagings.
    Staging,
}

impl Phase {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Running, Self::Staging];

    /// `running` or `staging`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Staging => "staging",
        }
    }

    /// The condition that a group holds everywhere.
    fn everywhere(self) -> &'static str {
        match self {
            Self::Running => "t.running_default = 1",
            Self::Staging => "t.staging_default = 1",
        }
    }
}

/// Makes a group hold in a space; one that does already is fine.
///
/// # Errors
/// [`crate::StoreError::Reference`] where one of them is not there; those of the database.
pub async fn bind(db: &mut Connection, group: SecurityGroupGuid, phase: Phase, space: SpaceGuid) -> Result<()> {
    let sql = "INSERT INTO security_group_spaces (phase, space_guid, security_group_guid) VALUES ($1, $2, $3) \
               ON CONFLICT (phase, space_guid, security_group_guid) DO NOTHING";
    sqlx::query(sql).bind(phase.as_str()).bind(space.to_string()).bind(group.to_string()).execute(db).await?;
    Ok(())
}

/// Ends that. False where it did not hold there by itself.
///
/// # Errors
/// Those of the database.
pub async fn unbind(db: &mut Connection, group: SecurityGroupGuid, phase: Phase, space: SpaceGuid) -> Result<bool> {
    let sql = "DELETE FROM security_group_spaces WHERE phase = $1 AND space_guid = $2 AND security_group_guid = $3";
    let query = sqlx::query(sql).bind(phase.as_str()).bind(space.to_string()).bind(group.to_string());
    Ok(query.execute(db).await?.rows_affected() > 0)
}

/// A group that holds in a space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding {
    /// The group.
    pub group: SecurityGroupGuid,
    /// When it holds.
    pub phase: Phase,
    /// Where.
    pub space: SpaceGuid,
}

impl Binding {
    fn from_row(row: &AnyRow) -> Result<Self> {
        let phase = if row.text("phase")? == Phase::Staging.as_str() { Phase::Staging } else { Phase::Running };
        Ok(Self { group: row.parsed("security_group_guid")?, phase, space: row.parsed("space_guid")? })
    }
}

/// Where these groups hold, among the spaces the caller may see.
///
/// # Errors
/// Those of the database.
pub async fn bindings(db: &mut Connection, groups: &[SecurityGroupGuid], visible: Visible) -> Result<Vec<Binding>> {
    let mut select = Select::new("b.*", "security_group_spaces b JOIN spaces t ON t.guid = b.space_guid");
    let groups: Vec<String> = groups.iter().map(ToString::to_string).collect();
    select.and_in("b.security_group_guid", &groups, "").and_space_visible("b.space_guid", visible);
    select.all(db, "t.created_at, t.guid", Binding::from_row).await
}

/// The rules that hold in a space: those of its own groups and of the groups that hold everywhere.
///
/// # Errors
/// Those of the database.
pub async fn rules_in(db: &mut Connection, phase: Phase, space: SpaceGuid) -> Result<Vec<EgressRule>> {
    let mut select = Select::new("t.rules", "security_groups t");
    select.and(
        &format!(
            "{} OR t.guid IN (SELECT security_group_guid FROM security_group_spaces WHERE phase = ? AND space_guid = ?)",
            phase.everywhere()
        ),
        [phase.as_str().into(), space.to_string().into()],
    );
    let rules = select.all(db, "t.name", |row| row.json::<Vec<EgressRule>>("rules")).await?;
    Ok(rules.into_iter().flatten().collect())
}

/// Which groups a list is to hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SecurityGroupFilter {
    /// Of these names.
    pub names: Option<Vec<String>>,
    /// Whether they hold for every running app.
    pub running_default: Option<bool>,
    /// Whether they hold for every staging.
    pub staging_default: Option<bool>,
    /// Bound to these spaces for running apps.
    pub running_spaces: Option<Vec<String>>,
    /// Bound to these spaces for stagings.
    pub staging_spaces: Option<Vec<String>>,
    /// That hold in this space, bound to it or everywhere.
    pub holds_in: Option<(Phase, SpaceGuid)>,
}

/// A page of groups: to a user, those that hold everywhere or in a space they see.
///
/// # Errors
/// Those of the database.
pub async fn list(
    db: &mut Connection,
    filter: &SecurityGroupFilter,
    visible: Visible,
    listing: &Listing,
) -> Result<Page<SecurityGroupRow>> {
    let mut select = Select::new("t.*", "security_groups t");
    select.and_in_if("t.name", filter.names.as_deref()).and_listing(listing);
    for (column, wanted) in [("t.running_default = ?", filter.running_default), ("t.staging_default = ?", filter.staging_default)] {
        if let Some(wanted) = wanted {
            select.and(column, [truth(wanted).into()]);
        }
    }
    for (phase, spaces) in [(Phase::Running, &filter.running_spaces), (Phase::Staging, &filter.staging_spaces)] {
        if let Some(spaces) = spaces {
            let bound = format!(
                "t.guid IN (SELECT security_group_guid FROM security_group_spaces WHERE phase = '{}' AND space_guid",
                phase.as_str()
            );
            select.and_in(&bound, spaces, ")");
        }
    }
    if let Some((phase, space)) = filter.holds_in {
        let holds = format!(
            "{} OR t.guid IN (SELECT security_group_guid FROM security_group_spaces WHERE phase = ? AND space_guid = ?)",
            phase.everywhere()
        );
        select.and(&holds, [phase.as_str().into(), space.to_string().into()]);
    }
    let seen = "t.running_default = 1 OR t.staging_default = 1 OR t.guid IN \
                (SELECT b.security_group_guid FROM security_group_spaces b WHERE b.space_guid IN \
                (SELECT space_guid FROM roles WHERE user_guid = ? AND space_guid IS NOT NULL \
                UNION SELECT s.guid FROM roles r JOIN spaces s ON s.organization_guid = r.organization_guid \
                WHERE r.user_guid = ? AND r.type = 'organization_manager'))";
    select.and_visible(seen, visible, 2);
    select.page(db, listing, SecurityGroupRow::from_row).await
}
