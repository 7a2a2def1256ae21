//! A route and its destinations as JSON.

use crate::answer;
use serde_json::{Value, json};
use virga_model::RouteGuid;
use virga_serve::Base;
use virga_store::{
    route_destinations::{DEFAULT_PORT, DestinationRow},
    routes::RouteRow,
};

/// The route as the v3 API shows it; of `destinations`, those that are its own.
#[must_use]
pub fn view(base: &Base, route: &RouteRow, destinations: &[DestinationRow]) -> Value {
    let guid = route.guid;
    let own = destinations.iter().filter(|destination| destination.route == guid).map(destination);
    let mut body = json!({
        "guid": guid,
        "created_at": answer::time(route.created_at),
        "updated_at": answer::time(route.updated_at),
        "protocol": if route.port.is_some() { "tcp" } else { "http" },
        "host": route.host,
        "path": route.path,
        "port": route.port,
        "url": route.url(),
        "destinations": own.collect::<Vec<_>>(),
        "options": route.options,
        "relationships": { "space": answer::to_one(Some(route.space)), "domain": answer::to_one(Some(route.domain)) },
        "metadata": answer::metadata(&route.metadata),
        "links": {
            "self": answer::link(base, format_args!("/v3/routes/{guid}")),
            "space": answer::link(base, format_args!("/v3/spaces/{}", route.space)),
            "domain": answer::link(base, format_args!("/v3/domains/{}", route.domain)),
            "destinations": answer::link(base, format_args!("/v3/routes/{guid}/destinations")),
        },
    });
    if let (None, Value::Object(members)) = (&route.options, &mut body) {
        members.shift_remove("options");
    }
    body
}

/// A destination.
#[must_use]
pub fn destination(destination: &DestinationRow) -> Value {
    json!({
        "guid": destination.guid,
        "created_at": answer::time(destination.created_at),
        "updated_at": answer::time(destination.updated_at),
        "app": { "guid": destination.app, "process": { "type": destination.process_type } },
        "weight": destination.weight,
        "port": destination.port.unwrap_or(DEFAULT_PORT),
        "protocol": destination.protocol,
    })
}

/// Answer of the endpoints of a route's destinations.
#[must_use]
pub fn destinations(base: &Base, route: RouteGuid, rows: &[DestinationRow]) -> Value {
    json!({
        "destinations": rows.iter().map(destination).collect::<Vec<_>>(),
        "links": {
            "self": answer::link(base, format_args!("/v3/routes/{route}/destinations")),
            "route": answer::link(base, format_args!("/v3/routes/{route}")),
        },
    })
}
