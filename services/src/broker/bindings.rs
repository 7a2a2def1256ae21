//! Bindings: what they give is a name, under which the platform alone leads here; of servers of the operator also a login.

use super::gone;
use crate::{Services, catalog::Kind, error::BrokerError, registry::Binding, servers::Login};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use virga_model::{ServiceCredentialBindingGuid, ServiceInstanceGuid};
use virga_serve::axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};

#[derive(Debug, Deserialize)]
pub(crate) struct Bind {
    #[serde(default)]
    bind_resource: Map<String, Value>,
    #[serde(default)]
    parameters: Map<String, Value>,
}

type Ids = Path<(ServiceInstanceGuid, ServiceCredentialBindingGuid)>;
type Answer = Result<(StatusCode, Json<Value>), BrokerError>;

/// "Binding".
pub(crate) async fn bind(State(services): State<Services>, Path((instance, binding)): Ids, Json(body): Json<Bind>) -> Answer {
    let known = services.registry.find(instance).ok_or_else(|| BrokerError::bad("there is no such instance"))?;
    if let Some(unknown) = body.parameters.keys().next() {
        return Err(BrokerError::bad(format!("bindings have no parameter \"{unknown}\"")));
    }
    let is_key = !body.bind_resource.contains_key("app_guid");
    if is_key && !matches!(known.offering.kind, Kind::Postgres | Kind::Redis) {
        return Err(BrokerError::bad("it is reached by the apps that are bound to it, and there is no credential that a key could hold"));
    }
    let resource = Value::Object(body.bind_resource).to_string();
    let status = match known.bindings.get(&binding) {
        Some(same) if same.resource == resource => StatusCode::OK,
        Some(_) => return Err(BrokerError::new(StatusCode::CONFLICT, "the binding was made for somebody else")),
        None => StatusCode::CREATED,
    };
    let Login { mut credentials, digest } = services.servers.bind(known.offering.kind, instance, binding).await?;
    if !is_key {
        credentials.insert("url".to_owned(), url(binding));
    } else if !credentials.contains_key("uri") {
        services.servers.unbind(known.offering.kind, instance, binding).await?;
        return Err(BrokerError::bad("the platform reaches its server by a way that no key leads to; bind an app"));
    }
    services.registry.bind(instance, binding, Binding { resource, digest }).await?;
    Ok((status, Json(json!({ "credentials": credentials }))))
}

/// "Unbinding": from now on the data refuses this binding.
pub(crate) async fn unbind(State(services): State<Services>, Path((instance, binding)): Ids) -> Answer {
    let known = services.registry.find(instance).ok_or_else(|| gone("instance"))?;
    // First: what looks after the server's users does not make anew whom it does not find here.
    services.registry.unbind(instance, binding).await?;
    // Also where the binding is not known: making it, or deleting it, may have broken off.
    services.servers.unbind(known.offering.kind, instance, binding).await?;
    if !known.bindings.contains_key(&binding) {
        return Err(gone("binding"));
    }
    Ok((StatusCode::OK, Json(json!({}))))
}

/// "Fetching a Service Binding".
pub(crate) async fn fetch(State(services): State<Services>, Path((instance, binding)): Ids) -> Answer {
    let known = services.registry.find(instance).filter(|known| known.bindings.contains_key(&binding));
    known.ok_or_else(|| BrokerError::new(StatusCode::NOT_FOUND, "there is no such binding"))?;
    Ok((StatusCode::OK, Json(json!({ "credentials": { "url": url(binding) } }))))
}

/// The name under which the platform leads the app here.
fn url(binding: ServiceCredentialBindingGuid) -> Value {
    json!(format!("http://{binding}.services.internal"))
}
