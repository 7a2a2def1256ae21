//! What is said about instances: lines in the app's log, audit events.

use super::instance::Instance;
use crate::spec::ProcessSpec;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use virga_contract::logs::{Envelope, LogSink, LogStream};
use virga_model::{EventGuid, ProcessGuid, Timestamp};
use virga_store::audit_events::{EventParty, EventRow};

/// Tags that say which instance an envelope is about.
pub(super) fn tags(process: ProcessGuid, spec: &ProcessSpec, instance: &Instance) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("origin".to_owned(), "rep".to_owned()),
        ("process_id".to_owned(), process.to_string()),
        ("process_type".to_owned(), spec.process_type.clone()),
        ("process_instance_id".to_owned(), instance.guid.to_string()),
    ])
}

pub(super) fn nanoseconds(time: Timestamp) -> i64 {
    i64::try_from(time.as_nanosecond()).unwrap_or(i64::MAX)
}

struct Line<'a> {
    sink: &'a dyn LogSink,
    process: ProcessGuid,
    spec: &'a ProcessSpec,
    instance: &'a Instance,
    now: Timestamp,
}

impl Line<'_> {
    fn say(&self, source: &'static str, stream: LogStream, text: String) {
        let Self { sink, process, spec, instance, now } = self;
        let line = Envelope::line(nanoseconds(*now), spec.app, source, instance.index, stream, text);
        sink.emit(Envelope { tags: tags(*process, spec, instance), ..line });
    }
}

pub(super) fn creating(sink: &dyn LogSink, cell: &str, process: ProcessGuid, spec: &ProcessSpec, instance: &Instance, now: Timestamp) {
    let line = Line { sink, process, spec, instance, now };
    line.say("CELL", LogStream::Out, format!("Cell {cell} creating container for instance {}", instance.guid));
}

pub(super) fn healthy(sink: &dyn LogSink, process: ProcessGuid, spec: &ProcessSpec, instance: &Instance, now: Timestamp) {
    Line { sink, process, spec, instance, now }.say("CELL", LogStream::Out, "Container became healthy".to_owned());
}

pub(super) fn stopping(sink: &dyn LogSink, cell: &str, process: ProcessGuid, spec: &ProcessSpec, instance: &Instance, now: Timestamp) {
    let line = Line { sink, process, spec, instance, now };
    line.say("CELL", LogStream::Out, format!("Cell {cell} stopping instance {}", instance.guid));
}

pub(super) fn crashed(sink: &dyn LogSink, cell: &str, process: ProcessGuid, spec: &ProcessSpec, instance: &Instance, now: Timestamp) {
    let line = Line { sink, process, spec, instance, now };
    let payload = crash_data(cell, instance);
    line.say("API", LogStream::Out, format!("App instance exited with guid {} payload: {payload}", spec.app));
    line.say("API", LogStream::Out, format!("Process has crashed with type: \"{}\"", spec.process_type));
    if let Some(wait) = instance.restart_at.map(|at| at.duration_since(now).as_secs()).filter(|wait| *wait > 0) {
        let text = format!("Instance {} crashed {} times in a row; the next start is in {wait} s", instance.index, instance.crash_count);
        line.say("CELL", LogStream::Err, text);
    }
}

/// `app.crash` and `audit.app.process.crash`.
pub(super) fn crash_events(
    cell: &str,
    process: ProcessGuid,
    spec: &ProcessSpec,
    app_name: &str,
    instance: &Instance,
    now: Timestamp,
) -> [EventRow; 2] {
    let app = EventParty { guid: spec.app.to_string(), kind: "app".into(), name: app_name.to_owned() };
    let event = EventRow {
        guid: EventGuid::random(),
        created_at: now,
        kind: "app.crash".into(),
        actor: app.clone(),
        target: app,
        data: crash_data(cell, instance),
        space: Some(spec.space),
        organization: Some(spec.organization),
    };
    let mut data = event.data.clone();
    if let Some(members) = data.as_object_mut() {
        members.insert("crash_count".into(), json!(instance.crash_count));
        members.insert("crash_timestamp".into(), json!(nanoseconds(now)));
        members.insert("version".into(), json!(spec.version));
    }
    let actor = EventParty { guid: process.to_string(), kind: "process".into(), name: spec.process_type.clone() };
    let audit = EventRow { guid: EventGuid::random(), kind: "audit.app.process.crash".into(), actor, data, ..event.clone() };
    [event, audit]
}

/// `audit.app.process.ready` or `audit.app.process.not-ready`.
pub(super) fn readiness_event(
    cell: &str,
    process: ProcessGuid,
    spec: &ProcessSpec,
    app_name: &str,
    instance: &Instance,
    now: Timestamp,
) -> EventRow {
    EventRow {
        guid: EventGuid::random(),
        created_at: now,
        kind: if instance.is_ready { "audit.app.process.ready" } else { "audit.app.process.not-ready" }.into(),
        actor: EventParty { guid: process.to_string(), kind: "process".into(), name: spec.process_type.clone() },
        target: EventParty { guid: spec.app.to_string(), kind: "app".into(), name: app_name.to_owned() },
        data: json!({ "instance": instance.guid, "index": instance.index, "cell_id": cell, "version": spec.version }),
        space: Some(spec.space),
        organization: Some(spec.organization),
    }
}

fn crash_data(cell: &str, instance: &Instance) -> Value {
    let description = instance.details.as_deref().unwrap_or("");
    let mut data = json!({
        "instance": instance.guid,
        "index": instance.index,
        "cell_id": cell,
        "exit_description": description,
        "reason": "CRASHED",
    });
    // The cell says it in the words of Cloud Foundry's: `APP/PROC/WEB: Exited with status 137 (out of memory)`.
    let status = description.split_once("Exited with status ").and_then(|(_, rest)| {
        let digits = rest.split(|c: char| !c.is_ascii_digit() && c != '-').next()?;
        digits.parse::<i64>().ok()
    });
    if let (Some(status), Some(members)) = (status, data.as_object_mut()) {
        members.insert("exit_status".into(), json!(status));
    }
    data
}
