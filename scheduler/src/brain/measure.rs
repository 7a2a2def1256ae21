//! Container metrics: use of instances as gauge envelopes in the app's stream.
//!
//! Said when it changed, and every 15 s for an instance that is awake. An idle app is not looked at.

use super::{Brain, instance::Instance, tell};
use crate::spec::ProcessSpec;
use std::collections::BTreeMap;
use virga_contract::{
    cell::InstanceUsage,
    logs::{Envelope, GaugeValue, Message},
};
use virga_model::{ProcessGuid, Timestamp};

#[derive(Debug, Default)]
pub(super) struct Meter {
    /// What was said last, and when.
    said: Option<(InstanceUsage, Timestamp)>,
}

impl Brain {
    pub(super) fn measure(&mut self, now: Timestamp) {
        let again = i64::from(self.config.measure_seconds);
        let (places, processes, sink) = (&self.places, &mut self.processes, &*self.sink);
        self.measured.retain(|guid| {
            let Some((process, index)) = places.get(guid) else { return false };
            let Some(entry) = processes.get_mut(process) else { return false };
            let Some(instance) = entry.instances.get_mut(index) else { return false };
            let Some(usage) = instance.usage() else { return false };
            let is_known = instance.meter.said.is_some_and(|(said, _)| said == usage);
            let is_old = instance.meter.said.is_none_or(|(_, at)| now.duration_since(at).as_secs() >= again);
            if !is_known || (is_old && usage.wasm_instances > 0) {
                sink.emit(gauge(*process, &entry.spec, instance, usage, now));
                instance.meter.said = Some((usage, now));
            }
            !is_known || usage.wasm_instances > 0
        });
    }
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float; 2^53 bytes are enough")]
fn gauge(process: ProcessGuid, spec: &ProcessSpec, instance: &Instance, usage: InstanceUsage, now: Timestamp) -> Envelope {
    const MIB: f64 = 1024.0 * 1024.0;
    let cores = match instance.meter.said {
        Some((said, at)) => {
            let seconds = now.duration_since(at).as_secs_f64();
            if seconds > 0.0 { usage.cpu_ns.saturating_sub(said.cpu_ns) as f64 / 1e9 / seconds } else { 0.0 }
        }
        None => 0.0,
    };
    let age_ns = now.duration_since(instance.started_at).as_nanos() as f64;
    let metrics = [
        ("cpu", "percentage", cores * 100.0),
        ("memory", "bytes", usage.memory_bytes as f64),
        ("disk", "bytes", usage.disk_bytes as f64),
        ("memory_quota", "bytes", spec.memory_mb as f64 * MIB),
        ("disk_quota", "bytes", spec.disk_mb as f64 * MIB),
        ("log_rate", "B/s", usage.log_bytes_per_second as f64),
        ("log_rate_limit", "B/s", spec.log_rate_limit_bytes_per_second as f64),
        ("absolute_usage", "nanoseconds", usage.cpu_ns as f64),
        ("absolute_entitlement", "nanoseconds", age_ns),
        ("cpu_entitlement", "percentage", cores * 100.0),
        ("container_age", "nanoseconds", age_ns),
    ];
    let metric = |(name, unit, value): (&str, &str, f64)| (name.to_owned(), GaugeValue { unit: unit.to_owned(), value });
    Envelope {
        timestamp_ns: tell::nanoseconds(now),
        app: spec.app,
        instance_index: instance.index,
        source_type: format!("APP/PROC/{}", spec.process_type.to_ascii_uppercase()).into(),
        tags: tell::tags(process, spec, instance),
        message: Message::Gauge(metrics.into_iter().map(metric).collect::<BTreeMap<_, _>>()),
    }
}
