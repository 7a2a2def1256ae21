//! A broker as JSON. Its credentials are shown to nobody.

use crate::answer::{link, metadata, time, to_one};
use serde_json::{Value, json};
use virga_serve::Base;
use virga_store::service_brokers::ServiceBrokerRow;

/// The broker as the v3 API shows it.
pub(crate) fn view(base: &Base, broker: &ServiceBrokerRow) -> Value {
    let guid = broker.guid;
    let (mut relationships, mut links) = (
        json!({}),
        json!({
            "self": link(base, format_args!("/v3/service_brokers/{guid}")),
            "service_offerings": link(base, format_args!("/v3/service_offerings?service_broker_guids={guid}")),
        }),
    );
    if let (Some(space), Value::Object(relationships), Value::Object(links)) = (broker.space, &mut relationships, &mut links) {
        relationships.insert("space".to_owned(), to_one(Some(space)));
        links.insert("space".to_owned(), link(base, format_args!("/v3/spaces/{space}")));
    }
    json!({
        "guid": guid,
        "created_at": time(broker.created_at),
        "updated_at": time(broker.updated_at),
        "name": broker.name,
        "url": broker.url,
        "relationships": relationships,
        "metadata": metadata(&broker.metadata),
        "links": links,
    })
}
