//! Envelopes as the log cache shows them: protobuf JSON, which the Go client decodes strictly.

use base64::Engine as _;
use serde_json::{Map, Value, json};
use virga_contract::logs::{Envelope, Message, SourceMeta};
use virga_store::apps::Placement;

/// One envelope, with the names that its app, space and organization have now.
pub(super) fn envelope(envelope: &Envelope, placement: &Placement) -> Value {
    let instance = envelope.instance_index.to_string();
    let app = envelope.app.to_string();
    let mut tags: Map<String, Value> = envelope.tags.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    let own = [
        ("source_type", envelope.source_type.as_ref()),
        ("source_id", &app),
        ("instance_id", &instance),
        ("app_id", &app),
        ("app_name", &placement.app_name),
        ("space_id", &placement.space.to_string()),
        ("space_name", &placement.space_name),
        ("organization_id", &placement.organization.to_string()),
        ("organization_name", &placement.organization_name),
        ("origin", origin(&envelope.source_type)),
    ];
    for (name, value) in own {
        tags.insert(name.to_owned(), json!(value));
    }
    let mut shown = json!({
        "timestamp": envelope.timestamp_ns.to_string(),
        "source_id": app,
        "instance_id": instance,
        "deprecated_tags": {},
        "tags": tags,
    });
    let (name, message) = message(&envelope.message);
    if let Some(members) = shown.as_object_mut() {
        members.insert(name.to_owned(), message);
    }
    shown
}

/// Which of Cloud Foundry's components would have sent it.
fn origin(source_type: &str) -> &'static str {
    match source_type {
        "RTR" => "gorouter",
        "API" => "cloud_controller",
        _ => "rep",
    }
}

fn message(message: &Message) -> (&'static str, Value) {
    match message {
        Message::Log { payload, stream } => {
            let payload = base64::engine::general_purpose::STANDARD.encode(payload);
            ("log", json!({ "payload": payload, "type": stream }))
        }
        Message::Gauge(metrics) => {
            let metric = |(name, value): (&String, &virga_contract::logs::GaugeValue)| {
                (name.clone(), json!({ "unit": value.unit, "value": value.value }))
            };
            ("gauge", json!({ "metrics": metrics.iter().map(metric).collect::<Map<_, _>>() }))
        }
        Message::Counter { name, delta, total } => {
            ("counter", json!({ "name": name, "delta": delta.to_string(), "total": total.to_string() }))
        }
        Message::Timer { name, start_ns, stop_ns } => {
            ("timer", json!({ "name": name, "start": start_ns.to_string(), "stop": stop_ns.to_string() }))
        }
    }
}

/// What is held of an app.
pub(super) fn meta(meta: &SourceMeta) -> Value {
    json!({
        "count": meta.count.to_string(),
        "expired": meta.expired.to_string(),
        "oldestTimestamp": meta.oldest_ns.to_string(),
        "newestTimestamp": meta.newest_ns.to_string(),
    })
}
