//! A binding as JSON. Its credentials have an endpoint of their own.

use crate::{
    answer::{link, metadata, time, to_one},
    service_instances::operation,
};
use serde_json::{Value, json};
use virga_serve::Base;
use virga_store::service_credential_bindings::ServiceCredentialBindingRow;

/// The binding as the v3 API shows it.
pub(super) fn view(base: &Base, binding: &ServiceCredentialBindingRow) -> Value {
    let guid = binding.guid;
    let mut relationships = json!({ "service_instance": to_one(Some(binding.instance)) });
    let mut links = json!({
        "self": link(base, format_args!("/v3/service_credential_bindings/{guid}")),
        "details": link(base, format_args!("/v3/service_credential_bindings/{guid}/details")),
        "service_instance": link(base, format_args!("/v3/service_instances/{}", binding.instance)),
    });
    if let (Some(app), Value::Object(relationships), Value::Object(links)) = (binding.app, &mut relationships, &mut links) {
        relationships.insert("app".to_owned(), to_one(Some(app)));
        links.insert("app".to_owned(), link(base, format_args!("/v3/apps/{app}")));
    }
    if let Value::Object(links) = &mut links {
        let parameters = link(base, format_args!("/v3/service_credential_bindings/{guid}/parameters"));
        links.insert("parameters".to_owned(), parameters);
    }
    json!({
        "guid": guid,
        "created_at": time(binding.created_at),
        "updated_at": time(binding.updated_at),
        "name": binding.name,
        "type": binding.kind,
        "last_operation": operation(&binding.last_operation),
        "metadata": metadata(&binding.metadata),
        "relationships": relationships,
        "links": links,
    })
}
