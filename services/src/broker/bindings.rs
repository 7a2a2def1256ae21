//! Bindings: what they give is a name, and no secret. Whoever is not led here by the platform cannot use it.

use super::gone;
use crate::{Services, error::BrokerError};
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
    if !body.bind_resource.contains_key("app_guid") {
        return Err(BrokerError::bad("it is reached by the apps that are bound to it, and there is no credential that a key could hold"));
    }
    let resource = Value::Object(body.bind_resource).to_string();
    match known.bindings.get(&binding) {
        Some(same) if *same == resource => Ok((StatusCode::OK, credentials(binding))),
        Some(_) => Err(BrokerError::new(StatusCode::CONFLICT, "the binding was made for somebody else")),
        None => {
            services.registry.bind(instance, binding, resource).await?;
            Ok((StatusCode::CREATED, credentials(binding)))
        }
    }
}

/// "Unbinding": from now on the data refuses this binding.
pub(crate) async fn unbind(State(services): State<Services>, Path((instance, binding)): Ids) -> Answer {
    let known = services.registry.find(instance).filter(|known| known.bindings.contains_key(&binding));
    known.ok_or_else(|| gone("binding"))?;
    services.registry.unbind(instance, binding).await?;
    Ok((StatusCode::OK, Json(json!({}))))
}

/// "Fetching a Service Binding".
pub(crate) async fn fetch(State(services): State<Services>, Path((instance, binding)): Ids) -> Answer {
    let known = services.registry.find(instance).filter(|known| known.bindings.contains_key(&binding));
    known.ok_or_else(|| BrokerError::new(StatusCode::NOT_FOUND, "there is no such binding"))?;
    Ok((StatusCode::OK, credentials(binding)))
}

/// The name under which the platform leads the app here.
fn credentials(binding: ServiceCredentialBindingGuid) -> Json<Value> {
    Json(json!({ "credentials": { "url": format!("http://{binding}.services.internal") } }))
}
