//! Route bindings: which service instance is in the way of which route.

use crate::{
    Connection, Result,
    metadata::Metadata,
    record::{self, Record, Values},
    row::Columns as _,
    select::{Listing, Page, Select, Visible},
    service_instances::{operation_from_row, operation_values},
};
use sqlx::any::AnyRow;
use virga_model::{RouteGuid, ServiceInstanceGuid, ServiceRouteBindingGuid, Timestamp, service::LastOperation};

/// One binding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceRouteBindingRow {
    /// Its guid.
    pub guid: ServiceRouteBindingGuid,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed; also the generation that [`update`] checks.
    pub updated_at: Timestamp,
    /// The instance.
    pub instance: ServiceInstanceGuid,
    /// The route; has one at most.
    pub route: RouteGuid,
    /// Where requests go first.
    pub route_service_url: Option<String>,
    /// What was last done to it.
    pub last_operation: LastOperation,
    /// Labels and annotations.
    pub metadata: Metadata,
}

impl Record for ServiceRouteBindingRow {
    record::head!(ServiceRouteBindingGuid);
    const TABLE: &'static str = "service_route_bindings";
    const FIXED: &'static [&'static str] = &["service_instance_guid", "route_guid"];

    fn values(&self) -> Result<Values> {
        let values = Values::new()
            .word("service_instance_guid", self.instance)
            .word("route_guid", self.route)
            .set("route_service_url", self.route_service_url.clone());
        operation_values(values, &self.last_operation).metadata(&self.metadata)
    }

    fn from_row(row: &AnyRow) -> Result<Self> {
        Ok(Self {
            guid: row.parsed("guid")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
            instance: row.parsed("service_instance_guid")?,
            route: row.parsed("route_guid")?,
            route_service_url: row.opt_text("route_service_url")?,
            last_operation: operation_from_row(row)?,
            metadata: Metadata::from_row(row)?,
        })
    }
}

record::functions!(ServiceRouteBindingRow);

/// Those of an instance, oldest first.
///
/// # Errors
/// Those of the database.
pub async fn list_of_instance(db: &mut Connection, instance: ServiceInstanceGuid) -> Result<Vec<ServiceRouteBindingRow>> {
    record::all(db, "WHERE service_instance_guid = $1 ORDER BY created_at, guid", [instance.to_string().into()]).await
}

/// That of a route.
///
/// # Errors
/// Those of the database.
pub async fn find_of_route(db: &mut Connection, route: RouteGuid) -> Result<Option<ServiceRouteBindingRow>> {
    record::first(db, "WHERE route_guid = $1", [route.to_string().into()]).await
}

/// Which bindings a list is to hold; guids are texts, because what callers wrote may be none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RouteBindingFilter {
    /// Of these routes.
    pub routes: Option<Vec<String>>,
    /// Of these instances.
    pub instances: Option<Vec<String>>,
    /// Of instances of these names.
    pub instance_names: Option<Vec<String>>,
}

/// A page of bindings: to a user, those in spaces that the user sees.
///
/// # Errors
/// Those of the database.
pub async fn list(
    db: &mut Connection,
    filter: &RouteBindingFilter,
    visible: Visible,
    listing: &Listing,
) -> Result<Page<ServiceRouteBindingRow>> {
    let mut select = Select::new("t.*", "service_route_bindings t JOIN service_instances i ON i.guid = t.service_instance_guid");
    select
        .and_in_if("t.route_guid", filter.routes.as_deref())
        .and_in_if("t.service_instance_guid", filter.instances.as_deref())
        .and_in_if("i.name", filter.instance_names.as_deref())
        .and_space_visible("i.space_guid", visible)
        .and_listing(listing);
    select.page(db, listing, ServiceRouteBindingRow::from_row).await
}
