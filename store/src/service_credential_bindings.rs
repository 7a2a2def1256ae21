//! Credential bindings: which app, or key, has the credentials of which service instance.

use crate::{
    Connection, Result, Sealed, Store, StoreError,
    metadata::Metadata,
    record::{self, Record, Values},
    row::Columns as _,
    select::{Listing, Page, Select, Visible},
    service_instances::{operation_from_row, operation_values},
    service_offerings::OfferingCatalog,
};
use serde_json::{Map, Value};
use sqlx::any::AnyRow;
use std::collections::HashMap;
use virga_model::{
    AppGuid, ServiceCredentialBindingGuid, ServiceInstanceGuid, SpaceGuid, Timestamp,
    service::{BindingKind, BoundService, HostHeld, LastOperation, USER_PROVIDED_LABEL},
};

/// One binding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceCredentialBindingRow {
    /// Its guid.
    pub guid: ServiceCredentialBindingGuid,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed; also the generation that [`update`] checks.
    pub updated_at: Timestamp,
    /// Whom it is for.
    pub kind: BindingKind,
    /// Unique among those of its app to other instances, and among the keys of its instance.
    pub name: Option<String>,
    /// The instance.
    pub instance: ServiceInstanceGuid,
    /// The app, but for a key.
    pub app: Option<AppGuid>,
    /// A JSON object, sealed for [`place_of_credentials`].
    pub credentials: Option<Sealed>,
    /// Whether they have a member `host-held`, which no app sees.
    pub is_host_held: bool,
    /// Where the app's log lines go.
    pub syslog_drain_url: Option<String>,
    /// File systems of the service.
    pub volume_mounts: Vec<Value>,
    /// What was last done to it.
    pub last_operation: LastOperation,
    /// Labels and annotations.
    pub metadata: Metadata,
}

/// What the credentials of a binding are sealed for.
#[must_use]
pub fn place_of_credentials(binding: ServiceCredentialBindingGuid) -> String {
    format!("service_credential_bindings/{binding}/credentials")
}

impl Record for ServiceCredentialBindingRow {
    record::head!(ServiceCredentialBindingGuid);
    const TABLE: &'static str = "service_credential_bindings";
    const FIXED: &'static [&'static str] = &["type", "service_instance_guid", "app_guid"];

    fn values(&self) -> Result<Values> {
        let values = Values::new()
            .set("type", self.kind.as_str())
            .set("name", self.name.clone())
            .word("service_instance_guid", self.instance)
            .opt_word("app_guid", self.app)
            .set("credentials", self.credentials.as_ref().map(|sealed| sealed.as_str().to_owned()))
            .set("is_host_held", self.is_host_held)
            .set("syslog_drain_url", self.syslog_drain_url.clone())
            .json("volume_mounts", &self.volume_mounts)?;
        operation_values(values, &self.last_operation).metadata(&self.metadata)
    }

    fn from_row(row: &AnyRow) -> Result<Self> {
        Ok(Self {
            guid: row.parsed("guid")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
            kind: row.parsed("type")?,
            name: row.opt_text("name")?,
            instance: row.parsed("service_instance_guid")?,
            app: row.opt_parsed("app_guid")?,
            credentials: row.opt_text("credentials")?.map(Sealed::from_stored),
            is_host_held: row.flag("is_host_held")?,
            syslog_drain_url: row.opt_text("syslog_drain_url")?,
            volume_mounts: row.json("volume_mounts")?,
            last_operation: operation_from_row(row)?,
            metadata: Metadata::from_row(row)?,
        })
    }
}

record::functions!(ServiceCredentialBindingRow);
record::of_app!(ServiceCredentialBindingRow);

/// Those of an app to an instance, oldest first.
///
/// # Errors
/// Those of the database.
pub async fn list_between(db: &mut Connection, app: AppGuid, instance: ServiceInstanceGuid) -> Result<Vec<ServiceCredentialBindingRow>> {
    let condition = "WHERE app_guid = $1 AND service_instance_guid = $2 ORDER BY created_at, guid";
    record::all(db, condition, [app.to_string().into(), instance.to_string().into()]).await
}

/// Those of an instance, oldest first.
///
/// # Errors
/// Those of the database.
pub async fn list_of_instance(db: &mut Connection, instance: ServiceInstanceGuid) -> Result<Vec<ServiceCredentialBindingRow>> {
    record::all(db, "WHERE service_instance_guid = $1 ORDER BY created_at, guid", [instance.to_string().into()]).await
}

/// Those of the apps of a space to an instance, oldest first.
///
/// # Errors
/// Those of the database.
pub async fn list_in_space(
    db: &mut Connection,
    instance: ServiceInstanceGuid,
    space: SpaceGuid,
) -> Result<Vec<ServiceCredentialBindingRow>> {
    let condition =
        "WHERE service_instance_guid = $1 AND app_guid IN (SELECT guid FROM apps WHERE space_guid = $2) ORDER BY created_at, guid";
    record::all(db, condition, [instance.to_string().into(), space.to_string().into()]).await
}

/// Those of the apps of a space, oldest first.
///
/// # Errors
/// Those of the database.
pub async fn list_of_space(db: &mut Connection, space: SpaceGuid) -> Result<Vec<ServiceCredentialBindingRow>> {
    let condition = "WHERE app_guid IN (SELECT guid FROM apps WHERE space_guid = $1) ORDER BY created_at, guid";
    record::all(db, condition, [space.to_string().into()]).await
}

/// The space that a binding belongs to: that of its app, else that of its instance.
///
/// # Errors
/// Those of the database.
pub async fn space_of(db: &mut Connection, binding: ServiceCredentialBindingGuid) -> Result<Option<SpaceGuid>> {
    let sql = "SELECT COALESCE(a.space_guid, i.space_guid) AS space_guid FROM service_credential_bindings t \
               JOIN service_instances i ON i.guid = t.service_instance_guid LEFT JOIN apps a ON a.guid = t.app_guid WHERE t.guid = $1";
    let row = sqlx::query(sql).bind(binding.to_string()).fetch_optional(db).await?;
    row.map(|row| row.parsed("space_guid")).transpose()
}

/// Names of the instances that an app is bound to.
///
/// # Errors
/// Those of the database.
pub async fn names_of_app(db: &mut Connection, app: AppGuid) -> Result<Vec<String>> {
    let sql = "SELECT DISTINCT i.name FROM service_credential_bindings t JOIN service_instances i ON i.guid = t.service_instance_guid \
               WHERE t.app_guid = $1 ORDER BY i.name";
    sqlx::query(sql).bind(app.to_string()).fetch_all(db).await?.iter().map(|row| row.text("name")).collect()
}

/// Which bindings a list is to hold; guids are texts, because what callers wrote may be none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BindingFilter {
    /// Of these names.
    pub names: Option<Vec<String>>,
    /// Of these kinds.
    pub kinds: Option<Vec<String>>,
    /// Of these apps.
    pub apps: Option<Vec<String>>,
    /// Of apps with these names.
    pub app_names: Option<Vec<String>>,
    /// To these instances.
    pub instances: Option<Vec<String>>,
    /// To instances with these names.
    pub instance_names: Option<Vec<String>>,
    /// To instances of these plans.
    pub plans: Option<Vec<String>>,
    /// To instances of plans with these names.
    pub plan_names: Option<Vec<String>>,
    /// To instances of these offerings.
    pub offerings: Option<Vec<String>>,
    /// To instances of offerings with these names.
    pub offering_names: Option<Vec<String>>,
}

/// A page of the bindings in spaces that the caller sees.
///
/// # Errors
/// Those of the database.
pub async fn list(
    db: &mut Connection,
    filter: &BindingFilter,
    visible: Visible,
    listing: &Listing,
) -> Result<Page<ServiceCredentialBindingRow>> {
    let mut select = Select::new(
        "t.*",
        "service_credential_bindings t JOIN service_instances i ON i.guid = t.service_instance_guid \
         LEFT JOIN apps a ON a.guid = t.app_guid LEFT JOIN service_plans p ON p.guid = i.plan_guid \
         LEFT JOIN service_offerings o ON o.guid = p.offering_guid",
    );
    select
        .and_in_if("i.plan_guid", filter.plans.as_deref())
        .and_in_if("p.name", filter.plan_names.as_deref())
        .and_in_if("p.offering_guid", filter.offerings.as_deref())
        .and_in_if("o.name", filter.offering_names.as_deref())
        .and_in_if("t.name", filter.names.as_deref())
        .and_in_if("t.type", filter.kinds.as_deref())
        .and_in_if("t.app_guid", filter.apps.as_deref())
        .and_in_if("a.name", filter.app_names.as_deref())
        .and_in_if("t.service_instance_guid", filter.instances.as_deref())
        .and_in_if("i.name", filter.instance_names.as_deref())
        .and_space_visible("COALESCE(a.space_guid, i.space_guid)", visible)
        .and_listing(listing);
    select.page(db, listing, ServiceCredentialBindingRow::from_row).await
}

/// What apps are bound to, with the credentials opened, each app's in the order of binding. Bindings that are still being made are
/// not among them, nor those that a newer one to the same instance follows.
///
/// # Errors
/// [`StoreError::Sealing`], those of the database.
pub async fn bound(store: &Store, db: &mut Connection, apps: &[AppGuid]) -> Result<HashMap<AppGuid, Vec<BoundService>>> {
    /// Apps of one statement.
    const CHUNK: usize = 200;
    let mut services: HashMap<AppGuid, Vec<BoundService>> = HashMap::new();
    for chunk in apps.chunks(CHUNK) {
        let guids: Vec<String> = chunk.iter().map(ToString::to_string).collect();
        let mut select = Select::new(
            "t.*, i.name AS instance_name, i.tags, p.name AS plan_name, o.name AS offering_name, o.catalog AS offering, \
             b.is_own",
            "service_credential_bindings t JOIN service_instances i ON i.guid = t.service_instance_guid \
             LEFT JOIN service_plans p ON p.guid = i.plan_guid LEFT JOIN service_offerings o ON o.guid = p.offering_guid \
             LEFT JOIN service_brokers b ON b.guid = o.broker_guid",
        );
        select.and_in("t.app_guid", &guids, "").and("t.operation_type <> 'create' OR t.operation_state = 'succeeded'", []);
        for (binding, service) in select.all(db, "t.created_at, t.guid", bound_row).await? {
            if let Some(app) = binding.app {
                let credentials = credentials(store, place_of_credentials(binding.guid), binding.credentials.as_ref())?;
                let (services, service) = (services.entry(app).or_default(), BoundService { credentials, ..service });
                // Of several bindings to one instance the newest counts, in the place of the first.
                match services.iter_mut().find(|other| other.instance == service.instance) {
                    Some(older) => *older = service,
                    None => services.push(service),
                }
            }
        }
    }
    Ok(services)
}

/// A binding of a started app that the app uses by a name, without a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedBindingRow {
    /// The app.
    pub app: AppGuid,
    /// The binding.
    pub binding: ServiceCredentialBindingGuid,
    /// Its name, where it has one.
    pub binding_name: Option<String>,
    /// The instance.
    pub instance: ServiceInstanceGuid,
    /// Its name.
    pub instance_name: String,
    /// Where the name leads, with what; none for an instance of the platform's own services.
    pub held: Option<HostHeld>,
}

/// What started apps use by a name, oldest first: instances of the platform's own services, and those whose credentials the platform holds.
/// Bindings that are still being made are not among them, nor those whose credentials cannot be opened, which the log tells.
///
/// # Errors
/// Those of the database.
pub async fn named_of_started(store: &Store, db: &mut Connection) -> Result<Vec<NamedBindingRow>> {
    const COLUMNS: &str = "t.*, i.name AS instance_name";
    const MADE: &str = "a.state = 'STARTED' AND (t.operation_type <> 'create' OR t.operation_state = 'succeeded')";
    let mut own = Select::new(
        COLUMNS,
        "service_brokers b JOIN service_offerings o ON o.broker_guid = b.guid JOIN service_plans p ON p.offering_guid = o.guid \
         JOIN service_instances i ON i.plan_guid = p.guid JOIN service_credential_bindings t ON t.service_instance_guid = i.guid \
         JOIN apps a ON a.guid = t.app_guid",
    );
    own.and("b.is_own = 1", []).and(MADE, []);
    let mut held = Select::new(
        COLUMNS,
        "service_credential_bindings t JOIN service_instances i ON i.guid = t.service_instance_guid JOIN apps a ON a.guid = t.app_guid",
    );
    held.and("t.is_host_held = 1", []).and(MADE, []);
    let read = |row: &AnyRow| Ok((ServiceCredentialBindingRow::from_row(row)?, row.text("instance_name")?));
    let mut rows = own.all(db, "t.created_at, t.guid", read).await?;
    rows.extend(held.all(db, "t.created_at, t.guid", read).await?);
    rows.sort_by_key(|(binding, _)| (binding.created_at, binding.guid));
    Ok(rows.into_iter().filter_map(|(binding, instance_name)| named(store, binding, instance_name)).collect())
}

fn named(store: &Store, binding: ServiceCredentialBindingRow, instance_name: String) -> Option<NamedBindingRow> {
    let guid = binding.guid;
    let held = binding.is_host_held.then(|| {
        let credentials = credentials(store, place_of_credentials(guid), binding.credentials.as_ref())?;
        let corrupt = |error: serde_json::Error| StoreError::Corrupt { column: place_of_credentials(guid), reason: error.into() };
        HostHeld::of(&credentials).map_err(corrupt)
    });
    let held = held.transpose().inspect_err(|error| {
        tracing::error!(service_binding.guid = %guid, error = error as &dyn std::error::Error, "the credentials of a service cannot be read; no app reaches it by its name");
    });
    let row = NamedBindingRow {
        app: binding.app?,
        binding: guid,
        binding_name: binding.name,
        instance: binding.instance,
        instance_name,
        held: held.ok()?.flatten(),
    };
    (row.held.is_some() || !binding.is_host_held).then_some(row)
}

/// Without its credentials.
fn bound_row(row: &AnyRow) -> Result<(ServiceCredentialBindingRow, BoundService)> {
    let binding = ServiceCredentialBindingRow::from_row(row)?;
    let offering: Option<OfferingCatalog> = row.opt_text("offering")?.map(|_| row.json("offering")).transpose()?;
    // The user's own tags come after those of the offering, none of them twice.
    let mut tags = offering.map(|offering| offering.tags).unwrap_or_default();
    for tag in row.json::<Vec<String>>("tags")? {
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    let label = row.opt_text("offering_name")?;
    let is_own = row.opt_int("is_own")?.is_some_and(|is_own| is_own != 0);
    let service = BoundService {
        own_offering: label.clone().filter(|_| is_own),
        label: label.unwrap_or_else(|| USER_PROVIDED_LABEL.to_owned()),
        plan: row.opt_text("plan_name")?,
        tags,
        instance: binding.instance,
        instance_name: row.text("instance_name")?,
        credentials: Map::new(),
        is_host_held: binding.is_host_held,
        binding: binding.guid,
        binding_name: binding.name.clone(),
        syslog_drain_url: binding.syslog_drain_url.clone(),
        volume_mounts: binding.volume_mounts.clone(),
    };
    Ok((binding, service))
}

/// Credentials that were sealed for this place; an empty object for none.
///
/// # Errors
/// [`StoreError::Sealing`], [`StoreError::Corrupt`].
pub fn credentials(store: &Store, place: String, sealed: Option<&Sealed>) -> Result<Map<String, Value>> {
    let Some(sealed) = sealed else { return Ok(Map::new()) };
    let corrupt = |error: serde_json::Error| StoreError::Corrupt { column: place.clone(), reason: error.into() };
    serde_json::from_str(&store.unseal(&place, sealed)?).map_err(corrupt)
}
