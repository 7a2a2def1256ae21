//! What the process says about itself: `tracing` events to stderr and, where an endpoint is configured, traces, metrics
//! and logs over OTLP. Other rooms only emit `tracing` events.

use crate::metrics::{Registry, Value};
use opentelemetry::{KeyValue, metrics::MeterProvider as _, trace::TracerProvider as _};
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_otlp::{ExporterBuildError, LogExporter, MetricExporter, Protocol, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::{
    Resource,
    logs::SdkLoggerProvider,
    metrics::SdkMeterProvider,
    trace::{Sampler, SdkTracerProvider},
};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};
use tracing::Subscriber;
use tracing_subscriber::{EnvFilter, Layer, layer::SubscriberExt as _, registry::LookupSpan, util::SubscriberInitExt as _};

/// How events are written to stderr.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// What the process tells, and where.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ObservingConfig {
    /// Form on stderr.
    pub format: LogFormat,
    /// Which events, as in `tracing-subscriber`'s filter: `info,virga_router=debug`.
    pub filter: String,
    /// Base URL of an OTLP collector (HTTP, protobuf), such as `http://127.0.0.1:4318`; absent is off.
    pub otlp_endpoint: Option<String>,
    /// Share of traces that are sent, 0 to 1.
    pub trace_ratio: f64,
}

/// What is logged unless something else is asked for: not every request of the API, of which a client that waits makes many.
const QUIET: &str = "info,virga_serve::server=warn";

impl Default for ObservingConfig {
    fn default() -> Self {
        Self { format: LogFormat::Text, filter: QUIET.into(), otlp_endpoint: None, trace_ratio: 1.0 }
    }
}

/// Why observing could not begin.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// `filter` is not one.
    #[error("the filter of the log is not valid")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// The OTLP exporter cannot be built (a bad endpoint).
    #[error("the OTLP exporter cannot be set up")]
    Exporter(#[from] ExporterBuildError),
    /// Somebody else in this process has done it already.
    #[error("the process's log is already set up")]
    AlreadySet(#[from] tracing_subscriber::util::TryInitError),
}

/// Keeps the exporters; what they hold is sent when this is shut down.
#[derive(Debug, Default)]
#[must_use = "dropping this loses what was not yet sent"]
pub struct Observing {
    exporters: Option<Exporters>,
}

#[derive(Debug)]
struct Exporters {
    traces: SdkTracerProvider,
    metrics: SdkMeterProvider,
    logs: SdkLoggerProvider,
}

/// Sets up the process's own log, once, at its start. `service` is `virga`, `instance` tells processes of one box apart
/// (`control`, `worker-0`).
///
/// # Errors
/// See [`InitError`]; nothing is set up then.
pub fn init(config: &ObservingConfig, service: &'static str, instance: &str) -> Result<Observing, InitError> {
    let filter: EnvFilter = config.filter.parse()?;
    let exporters = config.otlp_endpoint.as_deref().map(|url| Exporters::build(url, config.trace_ratio, service, instance)).transpose()?;
    let export = exporters.as_ref().map(|exporters| {
        let traces = tracing_opentelemetry::layer().with_tracer(exporters.traces.tracer(service));
        let logs = OpenTelemetryTracingBridge::new(&exporters.logs);
        // What the exporters themselves do must not be exported again.
        let own = EnvFilter::new("trace,hyper=off,hyper_util=off,reqwest=off,opentelemetry=off,h2=off");
        traces.and_then(logs).with_filter(own)
    });
    tracing_subscriber::registry().with(filter).with(export).with(on_stderr(config.format)).try_init()?;
    Ok(Observing { exporters })
}

fn on_stderr<S: Subscriber + for<'span> LookupSpan<'span>>(format: LogFormat) -> Box<dyn Layer<S> + Send + Sync> {
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    match format {
        LogFormat::Text => layer.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).boxed(),
        LogFormat::Json => layer.json().flatten_event(true).boxed(),
    }
}

impl Exporters {
    fn build(url: &str, trace_ratio: f64, service: &'static str, instance: &str) -> Result<Self, InitError> {
        let base = url.trim_end_matches('/');
        let instance = KeyValue::new("service.instance.id", instance.to_owned());
        let resource = Resource::builder().with_service_name(service).with_attribute(instance).build();
        let spans = SpanExporter::builder().with_http().with_protocol(Protocol::HttpBinary).with_endpoint(format!("{base}/v1/traces"));
        let metrics = MetricExporter::builder().with_http().with_protocol(Protocol::HttpBinary).with_endpoint(format!("{base}/v1/metrics"));
        let logs = LogExporter::builder().with_http().with_protocol(Protocol::HttpBinary).with_endpoint(format!("{base}/v1/logs"));
        let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(trace_ratio)));
        let traces = SdkTracerProvider::builder().with_resource(resource.clone()).with_sampler(sampler);
        Ok(Self {
            traces: traces.with_batch_exporter(spans.build()?).build(),
            metrics: SdkMeterProvider::builder().with_resource(resource.clone()).with_periodic_exporter(metrics.build()?).build(),
            logs: SdkLoggerProvider::builder().with_resource(resource).with_batch_exporter(logs.build()?).build(),
        })
    }
}

impl Observing {
    /// Sends the registry's metrics too, where an endpoint is configured. Histograms go as their sum and count.
    pub fn export(&self, registry: &Arc<Registry>) {
        let Some(exporters) = &self.exporters else { return };
        let meter = exporters.metrics.meter("virga");
        for family in registry.families() {
            let (name, source) = (family.name, registry.clone());
            let values = move || source.families().into_iter().find(|family| family.name == name).map(|family| family.value);
            match family.value {
                Value::Counter { .. } => {
                    let observe = move |values: Option<Value>, observer: &dyn opentelemetry::metrics::AsyncInstrument<u64>| {
                        let Some(Value::Counter { label, points }) = values else { return };
                        for (text, count) in points {
                            let labels: Vec<_> = label.map(|label| KeyValue::new(label, text)).into_iter().collect();
                            observer.observe(count, &labels);
                        }
                    };
                    let counter = meter.u64_observable_counter(name).with_description(family.help);
                    counter.with_callback(move |observer| observe(values(), observer)).build();
                }
                Value::Gauge(_) => {
                    let gauge = meter.f64_observable_gauge(name).with_description(family.help);
                    let observe = move |values: Option<Value>, observer: &dyn opentelemetry::metrics::AsyncInstrument<f64>| {
                        if let Some(Value::Gauge(value)) = values {
                            observer.observe(value, &[]);
                        }
                    };
                    gauge.with_callback(move |observer| observe(values(), observer)).build();
                }
                Value::Histogram { .. } => {
                    let again = values.clone();
                    let sum = meter.f64_observable_counter(format!("{name}.sum")).with_description(family.help);
                    sum.with_callback(move |observer| {
                        if let Some(Value::Histogram { sum, .. }) = values() {
                            observer.observe(sum, &[]);
                        }
                    })
                    .build();
                    let count = meter.u64_observable_counter(format!("{name}.count")).with_description(family.help);
                    count
                        .with_callback(move |observer| {
                            if let Some(Value::Histogram { buckets, .. }) = again() {
                                observer.observe(buckets.iter().map(|(_, count)| count).sum(), &[]);
                            }
                        })
                        .build();
                }
            }
        }
    }

    /// Sends what is still held, for at most `limit` each for traces, metrics and logs. Blocks; the last act of a process.
    pub fn shutdown(self, limit: Duration) {
        let Some(Exporters { traces, metrics, logs }) = self.exporters else { return };
        // A thread of its own: the exporters' HTTP client must not end inside an async runtime.
        let flush = std::thread::spawn(move || {
            let results = [traces.shutdown_with_timeout(limit), metrics.shutdown_with_timeout(limit), logs.shutdown_with_timeout(limit)];
            results.into_iter().filter_map(Result::err).for_each(|error| tracing::warn!(%error, "telemetry was not sent to its end"));
        });
        if flush.join().is_err() {
            tracing::warn!("the end of telemetry panicked");
        }
    }
}
