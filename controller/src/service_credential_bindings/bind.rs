//! The rules of binding an app to a service instance, alike for requests and manifests.

use super::{managed::word, room::make_room};
use crate::{
    Access, Controller, Result,
    audit_events::{self, Event, actor},
    service_instances::unfit,
};
use serde_json::{Map, Value, json};
use virga_contract::ApiError;
use virga_model::{
    ServiceCredentialBindingGuid,
    service::{BindingKind, HOST_HELD, LastOperation, OperationKind},
};
use virga_store::{
    Connection,
    apps::AppRow,
    audit_events::EventParty,
    metadata::Metadata,
    service_credential_bindings::{self as rows, ServiceCredentialBindingRow, place_of_credentials},
    service_instances::{self, ServiceInstanceRow},
    spaces,
};

/// Longest name of a binding.
const MAX_NAME_CHARS: usize = 255;

/// What a binding is to be.
#[derive(Debug, Default)]
pub(crate) struct NewBinding {
    /// Its own name.
    pub name: Option<String>,
    /// Labels and annotations.
    pub metadata: Metadata,
    /// Whether a manifest asked for it.
    pub by_manifest: bool,
    /// Whether the app may be bound to the instance already (`"strategy": "multiple"`).
    pub is_one_more: bool,
    /// What a broker is given.
    pub parameters: Map<String, Value>,
}

/// Binds an app to an instance.
///
/// # Errors
/// 422 for an instance of another space, a name that is taken or cannot be, an app that is bound to it already or to too much.
pub(crate) async fn bind(
    controller: &Controller,
    db: &mut Connection,
    access: &Access,
    app: &AppRow,
    instance: &ServiceInstanceRow,
    new: NewBinding,
) -> Result<ServiceCredentialBindingRow> {
    let refuse = |detail: &str| Err(ApiError::unprocessable(detail).into());
    if instance.space != app.space {
        return refuse("The service instance and the app are in different spaces");
    }
    check_name(new.name.as_deref())?;
    // New credentials come before this or find the binding; so does the end of the app, and another binding that counts.
    make_room(db, app, instance, &new).await?;
    let (now, guid, store) = (controller.now(), ServiceCredentialBindingGuid::random(), &controller.store);
    let credentials = rows::credentials(store, service_instances::place_of_credentials(instance.guid), instance.credentials.as_ref())?;
    let binding = ServiceCredentialBindingRow {
        guid,
        created_at: now,
        updated_at: now,
        kind: BindingKind::App,
        // A name that is left empty is none, as a variable of a manifest may be.
        name: new.name.filter(|name| !name.is_empty()),
        instance: instance.guid,
        app: Some(app.guid),
        is_host_held: credentials.contains_key(HOST_HELD),
        credentials: Some(store.seal(place_of_credentials(guid), &Value::Object(credentials).to_string())?),
        syslog_drain_url: instance.syslog_drain_url.clone(),
        volume_mounts: Vec::new(),
        last_operation: LastOperation::done(OperationKind::Create, now),
        metadata: new.metadata,
    };
    rows::insert(db, &binding).await?;
    if let Some((_, detail)) = unfit(controller, db, &[app.guid]).await? {
        return refuse(&detail);
    }
    let relationships = json!({
        "app": { "data": { "guid": app.guid } },
        "service_instance": { "data": { "guid": instance.guid } },
    });
    let mut data = json!({ "request": { "type": "app", "name": binding.name, "relationships": relationships } });
    if let (true, Value::Object(data)) = (new.by_manifest, &mut data) {
        data.insert("manifest_triggered".to_owned(), json!(true));
    }
    record(controller, db, actor(access), "create", &binding, data).await?;
    Ok(binding)
}

pub(super) fn check_name(name: Option<&str>) -> Result<()> {
    let Some(name) = name.filter(|name| !name.is_empty()) else { return Ok(()) };
    if name.chars().count() > MAX_NAME_CHARS {
        let detail = "The binding name is invalid. App binding names must be less than 256 characters.";
        return Err(ApiError::unprocessable(detail).into());
    }
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-') {
        let detail = "The binding name is invalid. Valid characters are alphanumeric, underscore, and dash.";
        return Err(ApiError::unprocessable(detail).into());
    }
    Ok(())
}

/// Records what was done to a binding or key: `create`, `update`, `delete`, the first and last also after `start_`, `show`.
pub(super) async fn record(
    controller: &Controller,
    db: &mut Connection,
    actor: EventParty,
    verb: &str,
    binding: &ServiceCredentialBindingRow,
    data: Value,
) -> Result<()> {
    let word = word(binding.kind);
    let space = match rows::space_of(db, binding.guid).await? {
        Some(space) => spaces::find(db, space).await?,
        None => None,
    };
    let event = Event {
        kind: &format!("audit.{word}.{verb}"),
        target_kind: word,
        target: binding.guid.to_string(),
        target_name: binding.name.as_deref().unwrap_or_default(),
        data,
        space: space.as_ref().map(|space| space.guid),
        organization: space.as_ref().map(|space| space.organization),
    };
    audit_events::record_by(controller, db, actor, event).await
}
