//! Service brokers: where they are, how to enter, and the space of those that belong to one.

use crate::{
    Connection, Result, Sealed,
    metadata::Metadata,
    record::{self, Record, Values},
    row::Columns as _,
    select::{Listing, Page, Select, Visible},
};
use sqlx::any::AnyRow;
use virga_model::{ServiceBrokerGuid, SpaceGuid, Timestamp, service::BrokerState};

/// One broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceBrokerRow {
    /// Its guid.
    pub guid: ServiceBrokerGuid,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed; also the generation that [`update`] checks.
    pub updated_at: Timestamp,
    /// Unique.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// User name of basic authentication.
    pub username: String,
    /// Its password, sealed for [`place_of_password`].
    pub password: Sealed,
    /// The one space that sees it; every space without one.
    pub space: Option<SpaceGuid>,
    /// Whether the platform itself is the broker, behind a socket that nobody else reaches.
    pub is_own: bool,
    /// What is being done to it.
    pub state: BrokerState,
    /// Labels and annotations.
    pub metadata: Metadata,
}

/// What the password of a broker is sealed for.
#[must_use]
pub fn place_of_password(broker: ServiceBrokerGuid) -> String {
    format!("service_brokers/{broker}/password")
}

impl Record for ServiceBrokerRow {
    record::head!(ServiceBrokerGuid);
    const TABLE: &'static str = "service_brokers";
    const FIXED: &'static [&'static str] = &["space_guid", "is_own"];

    fn values(&self) -> Result<Values> {
        Values::new()
            .set("name", self.name.as_str())
            .set("url", self.url.as_str())
            .set("username", self.username.as_str())
            .set("password", self.password.as_str())
            .opt_word("space_guid", self.space)
            .set("is_own", self.is_own)
            .set("state", self.state.as_str())
            .metadata(&self.metadata)
    }

    fn from_row(row: &AnyRow) -> Result<Self> {
        Ok(Self {
            guid: row.parsed("guid")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
            name: row.text("name")?,
            url: row.text("url")?,
            username: row.text("username")?,
            password: Sealed::from_stored(row.text("password")?),
            space: row.opt_parsed("space_guid")?,
            is_own: row.flag("is_own")?,
            state: row.parsed("state")?,
            metadata: Metadata::from_row(row)?,
        })
    }
}

record::functions!(ServiceBrokerRow);

/// Keeps a broker as it was read until the transaction ends, so that its catalog is not stored while it is deleted.
///
/// # Errors
/// [`crate::StoreError::Conflict`] when it was changed or deleted since it was read; those of the database.
pub async fn hold(db: &mut Connection, broker: &ServiceBrokerRow) -> Result<()> {
    record::hold(db, broker).await
}

/// The broker of this name.
///
/// # Errors
/// Those of the database.
pub async fn find_by_name(db: &mut Connection, name: &str) -> Result<Option<ServiceBrokerRow>> {
    record::first(db, "WHERE name = $1", [name.into()]).await
}

/// The platform's own broker.
///
/// # Errors
/// Those of the database.
pub async fn find_own(db: &mut Connection) -> Result<Option<ServiceBrokerRow>> {
    record::first(db, "WHERE is_own = 1", []).await
}

/// The brokers of a space, oldest first.
///
/// # Errors
/// Those of the database.
pub async fn list_of_space(db: &mut Connection, space: SpaceGuid) -> Result<Vec<ServiceBrokerRow>> {
    record::all(db, "WHERE space_guid = $1 ORDER BY created_at, guid", [space.to_string().into()]).await
}

/// Which brokers a list is to hold; guids are texts, because what callers wrote may be none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceBrokerFilter {
    /// Of these names.
    pub names: Option<Vec<String>>,
    /// Of these spaces.
    pub spaces: Option<Vec<String>>,
}

/// A page of brokers: to a user, those of the spaces that the user develops or supports.
///
/// # Errors
/// Those of the database.
pub async fn list(
    db: &mut Connection,
    filter: &ServiceBrokerFilter,
    visible: Visible,
    listing: &Listing,
) -> Result<Page<ServiceBrokerRow>> {
    let mut select = Select::new("t.*", "service_brokers t");
    let seen = "t.space_guid IN (SELECT space_guid FROM roles WHERE user_guid = ? AND type IN ('space_developer', 'space_supporter'))";
    select
        .and_in_if("t.name", filter.names.as_deref())
        .and_in_if("t.space_guid", filter.spaces.as_deref())
        .and_visible(seen, visible, 1)
        .and_listing(listing);
    select.page(db, listing, ServiceBrokerRow::from_row).await
}
