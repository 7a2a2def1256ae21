//! Instances: made, changed, deleted, shown with what they use.

use super::{backups::Wanted, gone};
use crate::{
    Services,
    catalog::{self, Kind, Offering, Plan},
    data::{self, Usage},
    error::BrokerError,
    registry::Instance,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use virga_model::ServiceInstanceGuid;
use virga_serve::axum::{
    Json,
    extract::{Path, Query, State},
    http::StatusCode,
};

#[derive(Debug, Deserialize)]
pub(crate) struct Provision {
    service_id: String,
    plan_id: String,
    #[serde(default)]
    parameters: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Update {
    service_id: String,
    plan_id: Option<String>,
    parameters: Option<Map<String, Value>>,
}

type Answer = Result<(StatusCode, Json<Value>), BrokerError>;

/// "Provisioning". Data is made when it is first used.
pub(crate) async fn provision(
    State(services): State<Services>,
    Path(guid): Path<ServiceInstanceGuid>,
    Json(body): Json<Provision>,
) -> Answer {
    let (offering, plan) = find(&body.service_id, &body.plan_id)?;
    check(offering, plan, &body.parameters)?;
    if let Some(known) = services.registry.find(guid) {
        let is_same = known.offering.id == offering.id && known.plan.id == plan.id && known.parameters == body.parameters;
        if !is_same {
            return Ok((StatusCode::CONFLICT, Json(json!({}))));
        }
        // Whoever asks again does not know how far it was when the answer was lost.
        services.servers.provision(offering.kind, guid, plan).await?;
        return Ok((StatusCode::OK, Json(json!({}))));
    }
    if !services.servers.offers(offering.kind) {
        return Err(BrokerError::bad(format!("{} is not offered on this platform", offering.name)));
    }
    services.servers.provision(offering.kind, guid, plan).await?;
    services.registry.save(guid, offering, plan, body.parameters).await?;
    Ok((StatusCode::CREATED, Json(json!({}))))
}

/// "Updating a Service Instance". A plan with less room than is used is refused.
pub(crate) async fn update(State(services): State<Services>, Path(guid): Path<ServiceInstanceGuid>, Json(body): Json<Update>) -> Answer {
    let known = services.registry.find(guid).ok_or_else(|| gone("instance"))?;
    if known.offering.id != body.service_id {
        return Err(BrokerError::bad("an instance cannot become one of another offering"));
    }
    let (offering, plan) = find(&body.service_id, body.plan_id.as_deref().unwrap_or(known.plan.id))?;
    let mut parameters = body.parameters.unwrap_or_else(|| known.parameters.clone());
    let wanted = Wanted::take(offering.kind, &mut parameters)?;
    check(offering, plan, &parameters)?;
    let Usage { bytes, keys } = data::usage(&services, guid, &known).await?;
    if bytes > plan.bytes || keys.is_some_and(|keys| keys > plan.keys) {
        let keys = keys.map(|keys| format!(" in {keys} keys")).unwrap_or_default();
        return Err(BrokerError::bad(format!(
            "the instance holds {bytes} bytes{keys}, more than the plan allows; delete some of it first"
        )));
    }
    if let Some(wanted) = wanted {
        wanted.act(&services, guid).await?;
    }
    services.servers.provision(offering.kind, guid, plan).await?;
    services.registry.save(guid, offering, plan, parameters).await?;
    Ok((StatusCode::OK, Json(json!({}))))
}

/// What is to be deleted, for who does not know it.
#[derive(Debug, Deserialize)]
pub(crate) struct Deprovision {
    service_id: String,
}

/// "Deprovisioning". Nothing of the data is left.
pub(crate) async fn deprovision(
    State(services): State<Services>,
    Path(guid): Path<ServiceInstanceGuid>,
    Query(query): Query<Deprovision>,
) -> Answer {
    let known = services.registry.find(guid);
    let offering = known.as_ref().map(|known| known.offering).or_else(|| catalog::offering(&query.service_id));
    // Bindings go first: nobody makes the data anew. What a broken-off deletion left goes also when the instance is not known any more.
    services.registry.unbind_all(guid).await?;
    if let Some(offering) = offering {
        services.servers.deprovision(offering.kind, guid).await?;
    }
    services.registry.remove(guid).await?;
    services.stores.delete(guid).await?;
    known.ok_or_else(|| gone("instance"))?;
    Ok((StatusCode::OK, Json(json!({}))))
}

/// "Fetching a Service Instance": its parameters, and what it uses.
pub(crate) async fn fetch(State(services): State<Services>, Path(guid): Path<ServiceInstanceGuid>) -> Answer {
    let not_found = || BrokerError::new(StatusCode::NOT_FOUND, "there is no such instance");
    let known = services.registry.find(guid).ok_or_else(not_found)?;
    let (usage, backups) = (data::usage(&services, guid, &known).await?, services.stores.backups(guid).await?);
    Ok((
        StatusCode::OK,
        Json(json!({ "service_id": known.offering.id, "plan_id": known.plan.id, "parameters": shown(&known, &usage, &backups) })),
    ))
}

fn shown(instance: &Instance, usage: &Usage, backups: &[String]) -> Value {
    let mut shown = instance.parameters.clone();
    let mut used = json!({ "bytes": usage.bytes, "bytes_limit": instance.plan.bytes });
    if let (Some(keys), Value::Object(used)) = (usage.keys, &mut used) {
        used.insert("keys".to_owned(), json!(keys));
        used.insert("keys_limit".to_owned(), json!(instance.plan.keys));
    }
    shown.insert("usage".to_owned(), used);
    if matches!(instance.offering.kind, Kind::KeyValue | Kind::Sqlite) {
        shown.insert("backups".to_owned(), json!(backups));
    }
    Value::Object(shown)
}

fn find(offering: &str, plan: &str) -> Result<(&'static Offering, &'static Plan), BrokerError> {
    let offering = catalog::offering(offering).ok_or_else(|| BrokerError::bad("there is no such service_id"))?;
    let plan = offering.plan(plan).ok_or_else(|| BrokerError::bad(format!("{} has no such plan_id", offering.name)))?;
    Ok((offering, plan))
}

/// What an instance may be given: nothing, or the values of a configuration.
fn check(offering: &Offering, plan: &Plan, parameters: &Map<String, Value>) -> Result<(), BrokerError> {
    let allowed = (offering.kind == Kind::Config).then_some("values");
    if let Some(unknown) = parameters.keys().find(|name| Some(name.as_str()) != allowed) {
        return Err(BrokerError::bad(format!("{} has no parameter \"{unknown}\"", offering.name)));
    }
    let Some(values) = parameters.get("values") else { return Ok(()) };
    let values = values.as_object().filter(|values| values.values().all(Value::is_string));
    let values = values.ok_or_else(|| BrokerError::bad("\"values\" must be an object whose values are texts"))?;
    let usage = data::size_of_values(values);
    if usage.bytes > plan.bytes || usage.keys.is_some_and(|keys| keys > plan.keys) {
        return Err(BrokerError::bad(format!("the values are more than the plan allows: {} bytes in {} values", plan.bytes, plan.keys)));
    }
    Ok(())
}
