//! A plan as JSON.

use crate::answer::{link, metadata, time, to_one};
use serde_json::{Value, json};
use virga_serve::Base;
use virga_store::service_plans::{Audience, ServicePlanRow};

/// The plan as the v3 API shows it.
pub(super) fn view(base: &Base, plan: &ServicePlanRow, audience: &Audience) -> Value {
    let (guid, catalog) = (plan.guid, &plan.catalog);
    let schema = |pointer: &str| catalog.schemas.pointer(pointer).filter(|schema| schema.is_object()).cloned().unwrap_or_else(|| json!({}));
    let mut relationships = json!({ "service_offering": to_one(Some(plan.offering)) });
    let mut links = json!({
        "self": link(base, format_args!("/v3/service_plans/{guid}")),
        "service_offering": link(base, format_args!("/v3/service_offerings/{}", plan.offering)),
        "visibility": link(base, format_args!("/v3/service_plans/{guid}/visibility")),
    });
    if let (Some(space), Value::Object(relationships), Value::Object(links)) = (audience.space(plan), &mut relationships, &mut links) {
        relationships.insert("space".to_owned(), to_one(Some(space)));
        links.insert("space".to_owned(), link(base, format_args!("/v3/spaces/{space}")));
    }
    json!({
        "guid": guid,
        "created_at": time(plan.created_at),
        "updated_at": time(plan.updated_at),
        "name": plan.name,
        "visibility_type": audience.of(plan),
        "available": plan.available,
        "free": plan.is_free,
        "costs": costs(plan.catalog.metadata.get("costs")),
        "description": plan.description,
        "maintenance_info": catalog.maintenance_info.clone().unwrap_or_else(|| json!({})),
        "broker_catalog": {
            "id": plan.catalog_id,
            "metadata": catalog.metadata,
            "maximum_polling_duration": catalog.maximum_polling_duration,
            "features": { "bindable": catalog.bindable, "plan_updateable": catalog.plan_updateable },
        },
        "schemas": {
            "service_instance": {
                "create": { "parameters": schema("/service_instance/create/parameters") },
                "update": { "parameters": schema("/service_instance/update/parameters") },
            },
            "service_binding": { "create": { "parameters": schema("/service_binding/create/parameters") } },
        },
        "relationships": relationships,
        "metadata": metadata(&plan.metadata),
        "links": links,
    })
}

/// What a plan costs, one entry for each unit and currency; nothing where the broker writes it in another form than marketplaces
/// know: `[{"amount": {"usd": 99.0}, "unit": "MONTHLY"}]`.
fn costs(written: Option<&Value>) -> Vec<Value> {
    let read = || {
        let mut costs = Vec::new();
        for cost in written?.as_array()? {
            let unit = cost.get("unit")?.as_str().filter(|unit| !unit.is_empty())?;
            let amounts = cost.get("amount")?.as_object().filter(|amounts| !amounts.is_empty())?;
            for (currency, amount) in amounts {
                let amount = amount.as_f64().filter(|_| !currency.is_empty())?;
                costs.push(json!({ "amount": amount, "currency": currency.to_uppercase(), "unit": unit }));
            }
        }
        Some(costs)
    };
    read().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_one_entry_for_each_unit_and_currency_and_junk_is_none() {
        let written = json!([{ "amount": { "usd": 99.0, "eur": 49 }, "unit": "MONTHLY" }, { "amount": { "usd": 0.99 }, "unit": "1GB" }]);
        let entry = |amount: f64, currency: &str, unit: &str| json!({ "amount": amount, "currency": currency, "unit": unit });
        let mut read = costs(Some(&written));
        read.sort_by_key(ToString::to_string);
        assert_eq!(read, [entry(0.99, "USD", "1GB"), entry(49.0, "EUR", "MONTHLY"), entry(99.0, "USD", "MONTHLY")]);
        for junk in [json!("free"), json!([{ "amount": {}, "unit": "MONTHLY" }]), json!([{ "amount": { "usd": "9" }, "unit": "M" }])] {
            assert!(costs(Some(&junk)).is_empty(), "{junk}");
        }
        assert!(costs(None).is_empty());
    }
}
