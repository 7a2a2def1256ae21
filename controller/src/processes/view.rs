//! Processes and their instances as the API shows them.

use crate::answer::{link, link_with, metadata, time, to_one};
use serde_json::{Map, Value, json};
use virga_contract::scheduling::InstanceStats;
use virga_model::{
    Timestamp,
    environment::FILE_DESCRIPTORS,
    process::{HealthCheck, HealthCheckType},
    state::InstanceState,
};
use virga_serve::Base;
use virga_store::processes::ProcessRow;

/// How much of a process's command the caller may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandView<'a> {
    /// The command that runs: the process's own, or the droplet's.
    Plain(Option<&'a str>),
    /// Lists show no commands to anybody.
    HiddenInLists,
    /// The caller may not read secrets.
    Hidden,
}

/// One process.
#[must_use]
pub fn process(base: &Base, process: &ProcessRow, command: CommandView<'_>) -> Value {
    let own = format!("/v3/processes/{}", process.guid);
    let app = link(base, format_args!("/v3/apps/{}", process.app));
    let command = match command {
        CommandView::Plain(command) => json!(command),
        CommandView::HiddenInLists => json!("[PRIVATE DATA HIDDEN IN LISTS]"),
        CommandView::Hidden => json!("[PRIVATE DATA HIDDEN]"),
    };
    json!({
        "guid": process.guid,
        "created_at": time(process.created_at),
        "updated_at": time(process.updated_at),
        "version": process.version,
        "type": process.process_type,
        "command": command,
        "user": Value::Null,
        "instances": process.instances,
        "memory_in_mb": process.memory_in_mb,
        "disk_in_mb": process.disk_in_mb,
        "log_rate_limit_in_bytes_per_second": process.log_rate_limit_in_bytes_per_second,
        "health_check": health_check(&process.health_check, true),
        "readiness_health_check": health_check(&process.readiness_health_check, false),
        "relationships": { "app": to_one(Some(process.app)), "revision": process.revision.map(|guid| to_one(Some(guid))) },
        "metadata": metadata(&process.metadata),
        "links": {
            "self": link(base, &own),
            "scale": link_with(base, format_args!("{own}/actions/scale"), "POST"),
            "app": app,
            "stats": link(base, format_args!("{own}/stats")),
            "process_instances": link(base, format_args!("{own}/process_instances")),
        },
    })
}

fn health_check(check: &HealthCheck, liveness: bool) -> Value {
    let mut data = Map::new();
    if liveness {
        data.insert("timeout".to_owned(), json!(check.timeout_seconds));
    }
    data.insert("invocation_timeout".to_owned(), json!(check.invocation_timeout_seconds));
    data.insert("interval".to_owned(), json!(check.interval_seconds));
    if check.kind == HealthCheckType::Http {
        data.insert("endpoint".to_owned(), json!(check.endpoint.as_deref().unwrap_or("/")));
    }
    json!({ "type": check.kind, "data": data })
}

/// `stats`: one entry per desired index.
#[must_use]
pub fn stats(process: &ProcessRow, stats: &[InstanceStats], now: Timestamp) -> Value {
    let instances: Vec<Value> = stats.iter().map(|instance| instance_stats(process, instance, now)).collect();
    json!({ "resources": instances })
}

fn instance_stats(process: &ProcessRow, instance: &InstanceStats, now: Timestamp) -> Value {
    let uptime = now.duration_since(instance.since).as_secs().max(0);
    if instance.state == InstanceState::Down {
        return json!({
            "type": process.process_type,
            "index": instance.index,
            "state": instance.state,
            "routable": false,
            "uptime": 0,
            "isolation_segment": Value::Null,
            "details": instance.details,
        });
    }
    let usage = instance.usage.map_or_else(
        || json!({}),
        |usage| {
            json!({
                "time": now.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string(),
                "cpu": cpu_ratio(usage.cpu_ns, uptime),
                "cpu_entitlement": cpu_ratio(usage.cpu_ns, uptime),
                "mem": usage.memory_bytes,
                "disk": usage.disk_bytes,
                "log_rate": usage.log_bytes_per_second,
            })
        },
    );
    json!({
        "type": process.process_type,
        "index": instance.index,
        "instance_guid": instance.instance,
        "state": instance.state,
        "routable": instance.routable,
        "usage": usage,
        // An instance listens on no address of its own: the router hands it requests inside the cell.
        "host": "127.0.0.1",
        "instance_internal_ip": "127.0.0.1",
        "uptime": uptime,
        "mem_quota": process.memory_in_mb << 20,
        "disk_quota": process.disk_in_mb << 20,
        "log_rate_limit": process.log_rate_limit_in_bytes_per_second,
        "fds_quota": FILE_DESCRIPTORS,
        "isolation_segment": Value::Null,
        "details": instance.details,
        "instance_ports": [],
    })
}

/// CPU time over wall time since the instance began: 1 is one whole core.
fn cpu_ratio(cpu_ns: u64, uptime_seconds: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a ratio for display")]
    let ratio = cpu_ns as f64 / 1e9 / uptime_seconds.max(1) as f64;
    ratio
}

/// Entries of `process_instances`.
#[must_use]
pub fn instances(stats: &[InstanceStats], now: Timestamp) -> Value {
    let instance = |instance: &InstanceStats| {
        let since = now.duration_since(instance.since).as_secs().max(0);
        json!({ "index": instance.index, "state": instance.state, "since": since })
    };
    Value::Array(stats.iter().map(instance).collect())
}
