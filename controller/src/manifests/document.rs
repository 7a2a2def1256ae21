//! A manifest as it was written: YAML in, checked apps out. Every problem is found and named, not only the first.

use super::fields::Fields;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use virga_contract::{ApiError, ErrorCode};
use virga_model::{environment::is_reserved, process::HealthCheckType, route::RouteProtocol};

/// Bytes of a manifest; a larger one is refused before it is read.
pub const MAX_MANIFEST_BYTES: usize = 1 << 20;

/// What a manifest wants of one app. What is `None` (or an empty map) stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AppManifest {
    /// Its name.
    pub name: String,
    /// Buildpacks; an empty list asks for detection.
    pub buildpacks: Option<Vec<String>>,
    /// Stack.
    pub stack: Option<String>,
    /// Variables to set, or to remove where `None`.
    pub env: BTreeMap<String, Option<String>>,
    /// App features.
    pub features: BTreeMap<String, bool>,
    /// Labels to set or remove.
    pub labels: BTreeMap<String, Option<String>>,
    /// Annotations to set or remove.
    pub annotations: BTreeMap<String, Option<String>>,
    /// Unmap every route.
    pub no_route: bool,
    /// Map a route with a random host if there is none.
    pub random_route: bool,
    /// Map `<name>.<first domain>` if there is none.
    pub default_route: bool,
    /// Routes to map.
    pub routes: Vec<ManifestRoute>,
    /// Service instances to bind.
    pub services: Vec<ManifestService>,
    /// Changes of its processes.
    pub processes: Vec<ManifestProcess>,
}

/// One entry of `routes`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestRoute {
    /// `host.domain/path`, without a scheme.
    pub route: String,
    /// Protocol to the instance.
    pub protocol: Option<RouteProtocol>,
    /// Options of the route.
    pub options: Option<Value>,
}

/// One entry of `services`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestService {
    /// Name of the instance.
    pub name: String,
    /// Name of the binding.
    pub binding_name: Option<String>,
    /// What a broker is to be told.
    pub parameters: Option<Map<String, Value>>,
}

/// What a manifest wants of one process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ManifestProcess {
    /// `web`, …
    pub process_type: String,
    /// The command; `Some(None)` goes back to the droplet's.
    pub command: Option<Option<String>>,
    /// Instances.
    pub instances: Option<u32>,
    /// Megabytes.
    pub memory_in_mb: Option<u64>,
    /// Megabytes.
    pub disk_in_mb: Option<u64>,
    /// Bytes per second; -1 is unlimited.
    pub log_rate_limit_in_bytes_per_second: Option<i64>,
    /// Liveness.
    pub health_check: HealthCheckChanges,
    /// Readiness.
    pub readiness_health_check: HealthCheckChanges,
}

/// Changes of a health check.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HealthCheckChanges {
    /// What is asked.
    pub kind: Option<HealthCheckType>,
    /// Path for `http`.
    pub endpoint: Option<String>,
    /// Seconds start-up may take.
    pub timeout_seconds: Option<u32>,
    /// Seconds a probe may take.
    pub invocation_timeout_seconds: Option<u32>,
    /// Seconds between probes.
    pub interval_seconds: Option<u32>,
}

impl HealthCheckChanges {
    /// Whether nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The document of a manifest as JSON, with one entry of `applications` per app.
///
/// # Errors
/// 400 `MessageParseError` for what is no YAML, 422 for YAML that is no manifest.
pub fn read(text: &[u8]) -> Result<Vec<Map<String, Value>>, ApiError> {
    if text.len() > MAX_MANIFEST_BYTES {
        return Err(ApiError::unprocessable(format!("The manifest has more than {MAX_MANIFEST_BYTES} bytes")));
    }
    let not_yaml = |error: &dyn std::fmt::Display| {
        ApiError::new(ErrorCode::MessageParseError, format!("Request invalid due to parse error: the manifest is not valid YAML: {error}"))
    };
    let text = std::str::from_utf8(text).map_err(|error| not_yaml(&error))?;
    let document: Value = serde_yaml_ng::from_str(text).map_err(|error| not_yaml(&error))?;
    let Value::Object(mut document) = document else {
        return Err(ApiError::unprocessable("Cannot parse manifest with no 'applications' field."));
    };
    if !matches!(document.get("version"), None | Some(Value::Null)) && document.get("version") != Some(&Value::from(1)) {
        return Err(ApiError::unprocessable("Unsupported manifest version. Currently supported versions: [1]."));
    }
    let Some(Value::Array(applications)) = document.remove("applications") else {
        return Err(ApiError::unprocessable("Cannot parse manifest with no 'applications' field."));
    };
    if applications.is_empty() {
        return Err(ApiError::unprocessable("Applications must contain at least one application"));
    }
    let object = |(index, app)| match app {
        Value::Object(app) => Ok(app),
        _ => Err(ApiError::unprocessable(format!("For application at index {index}: Must be a map of keys and values"))),
    };
    applications.into_iter().enumerate().map(object).collect()
}

/// Checked apps.
///
/// # Errors
/// 422 with one entry for each problem of each app.
pub fn validate(applications: &[Map<String, Value>]) -> Result<Vec<AppManifest>, ApiError> {
    let mut problems = Vec::new();
    let mut names = BTreeSet::new();
    let mut apps = Vec::new();
    for (index, raw) in applications.iter().enumerate() {
        let name = raw.get("name").and_then(Value::as_str).filter(|name| !name.trim().is_empty());
        let mut fields = Fields::new(raw);
        let app = read_app(&mut fields);
        if name.is_none() {
            fields.problem("Name must not be empty");
        }
        if !names.insert(app.name.clone()) && name.is_some() {
            fields.problem("Name must be unique in the manifest");
        }
        let prefix = name.map_or_else(|| format!("For application at index {index}"), |name| format!("For application '{name}'"));
        problems.extend(fields.into_problems().into_iter().map(|problem| format!("{prefix}: {problem}")));
        apps.push(app);
    }
    if problems.is_empty() { Ok(apps) } else { Err(ApiError::unprocessable_all(problems)) }
}

fn read_app(fields: &mut Fields<'_>) -> AppManifest {
    refuse_what_is_not_there(fields);
    let mut app = AppManifest {
        name: fields.text("name").unwrap_or_default(),
        buildpacks: read_buildpacks(fields),
        stack: fields.text("stack"),
        env: read_env(fields),
        features: fields.flags("features"),
        no_route: fields.flag("no-route"),
        random_route: fields.flag("random-route"),
        default_route: fields.flag("default-route"),
        routes: read_routes(fields),
        services: read_services(fields),
        processes: read_processes(fields),
        ..AppManifest::default()
    };
    if let Some(metadata) = fields.object("metadata") {
        let mut metadata = Fields::new(metadata);
        app.labels = metadata.texts("labels");
        app.annotations = metadata.texts("annotations");
        fields.adopt(metadata, "Metadata");
    }
    if app.random_route && app.default_route {
        fields.problem("Random-route and default-route may not be used together");
    }
    if app.no_route && (app.random_route || app.default_route || !app.routes.is_empty()) {
        fields.problem("No-route may not be used together with routes, random-route or default-route");
    }
    app
}

fn refuse_what_is_not_there(fields: &mut Fields<'_>) {
    if fields.has("docker") {
        fields.problem("Docker images are not supported: apps run as WebAssembly, from source or as a component");
    }
    if let Some(lifecycle) = fields.text("lifecycle").filter(|lifecycle| lifecycle != "buildpack") {
        fields.problem(&format!("Lifecycle '{lifecycle}' is not supported; use 'buildpack'"));
    }
    if fields.list("sidecars").is_some_and(|sidecars| !sidecars.is_empty()) {
        fields.problem("Sidecars are not supported");
    }
}

fn read_buildpacks(fields: &mut Fields<'_>) -> Option<Vec<String>> {
    if fields.has("buildpacks") && fields.has("buildpack") {
        fields.problem("Buildpack and Buildpacks fields cannot be used together.");
    }
    let name = |name: &Value| name.as_str().filter(|name| !name.is_empty()).map(str::to_owned);
    if let Some(list) = fields.list("buildpacks") {
        let names: Option<Vec<String>> = list.iter().map(name).collect();
        if names.is_none() {
            fields.problem("Buildpacks must be a list of names");
        }
        return names;
    }
    match fields.get("buildpack") {
        None => None,
        Some(Value::Null) => Some(Vec::new()),
        Some(Value::String(name)) if name == "default" || name == "null" => Some(Vec::new()),
        Some(Value::String(name)) if !name.is_empty() => Some(vec![name.clone()]),
        Some(_) => {
            fields.problem("Buildpack must be a string");
            None
        }
    }
}

fn read_env(fields: &mut Fields<'_>) -> BTreeMap<String, Option<String>> {
    let Some(object) = fields.object("env") else { return BTreeMap::new() };
    let mut env = BTreeMap::new();
    for (name, value) in object {
        if name.is_empty() || name.contains(['=', '\0']) {
            fields.problem("Env must have names without '=' that are not empty");
        } else if is_reserved(name) {
            fields.problem(&format!("Env cannot set {name}"));
        }
        let value = match value {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        env.insert(name.clone(), value);
    }
    env
}

fn read_routes(fields: &mut Fields<'_>) -> Vec<ManifestRoute> {
    let Some(list) = fields.list("routes") else { return Vec::new() };
    let mut routes = Vec::new();
    for entry in list {
        let Some(object) = entry.as_object() else {
            fields.problem("Routes must be a list of route objects");
            continue;
        };
        let mut route = Fields::new(object);
        let Some(text) = route.text("route").filter(|text| !text.is_empty()) else {
            fields.problem("Routes must be a list of route objects");
            continue;
        };
        let protocol = route.text("protocol").and_then(|word| {
            let known = word.parse().ok();
            if known.is_none() {
                route.problem("Route protocol must be 'http1', 'http2' or 'tcp'.");
            }
            known
        });
        let options = route.get("options").filter(|options| !options.is_null()).cloned();
        let text = text.split_once("://").map_or(text.as_str(), |(_, rest)| rest).to_ascii_lowercase();
        routes.push(ManifestRoute { route: text.trim_end_matches('/').to_owned(), protocol, options });
        fields.adopt(route, "Routes");
    }
    routes
}

fn read_services(fields: &mut Fields<'_>) -> Vec<ManifestService> {
    let mut services = Vec::new();
    for entry in fields.list("services").unwrap_or_default() {
        if let Some(name) = entry.as_str() {
            services.push(ManifestService { name: name.to_owned(), binding_name: None, parameters: None });
            continue;
        }
        let Some(object) = entry.as_object() else {
            fields.problem("Services must be a list of names or of objects with a name");
            continue;
        };
        let mut service = Fields::new(object);
        match service.text("name").filter(|name| !name.is_empty()) {
            Some(name) => {
                let (binding_name, parameters) = (service.text("binding_name"), service.object("parameters").cloned());
                services.push(ManifestService { name, binding_name, parameters });
            }
            None => service.problem("All services must specify a name"),
        }
        fields.adopt(service, "Services");
    }
    services
}

/// The app's own process keys are those of `web`; an entry of `processes` for `web` wins over them.
fn read_processes(fields: &mut Fields<'_>) -> Vec<ManifestProcess> {
    let mut web = read_process(fields, "web".to_owned());
    let mut processes: Vec<ManifestProcess> = Vec::new();
    for entry in fields.list("processes").unwrap_or_default() {
        let Some(object) = entry.as_object() else {
            fields.problem("Processes must be a list of process objects");
            continue;
        };
        let mut process = Fields::new(object);
        let Some(process_type) = process.text("type").filter(|word| !word.is_empty()) else {
            fields.problem("All Processes must specify a type");
            continue;
        };
        if processes.iter().any(|other| other.process_type == process_type) {
            fields.problem(&format!("Process \"{process_type}\" may only be present once"));
        }
        let read = read_process(&mut process, process_type);
        fields.adopt(process, &format!("Process \"{}\"", read.process_type));
        processes.push(read);
    }
    if let Some(own) = processes.iter_mut().find(|process| process.process_type == "web") {
        own.fill_from(web);
    } else if web != (ManifestProcess { process_type: "web".to_owned(), ..ManifestProcess::default() }) {
        web.process_type = "web".to_owned();
        processes.insert(0, web);
    }
    processes
}

impl ManifestProcess {
    fn fill_from(&mut self, other: Self) {
        self.command = self.command.take().or(other.command);
        self.instances = self.instances.or(other.instances);
        self.memory_in_mb = self.memory_in_mb.or(other.memory_in_mb);
        self.disk_in_mb = self.disk_in_mb.or(other.disk_in_mb);
        self.log_rate_limit_in_bytes_per_second = self.log_rate_limit_in_bytes_per_second.or(other.log_rate_limit_in_bytes_per_second);
        if self.health_check.is_empty() {
            self.health_check = other.health_check;
        }
        if self.readiness_health_check.is_empty() {
            self.readiness_health_check = other.readiness_health_check;
        }
    }
}

fn read_process(fields: &mut Fields<'_>, process_type: String) -> ManifestProcess {
    let command = match fields.get("command") {
        None => None,
        Some(Value::Null) => Some(None),
        Some(Value::String(word)) if word == "default" || word == "null" => Some(None),
        Some(Value::String(command)) if !command.is_empty() && command.len() <= 4_096 => Some(Some(command.clone())),
        Some(_) => {
            fields.problem("Command must be a string of 1 to 4096 characters");
            None
        }
    };
    if fields.text("user").is_some_and(|user| user != "vcap") {
        fields.problem("User must be one of: 'vcap'");
    }
    let disk = fields.megabytes("disk_quota", "Disk quota").or_else(|| fields.megabytes("disk-quota", "Disk quota"));
    ManifestProcess {
        process_type,
        command,
        instances: fields.number("instances", 0, u32::MAX >> 1),
        memory_in_mb: fields.megabytes("memory", "Memory"),
        disk_in_mb: disk,
        log_rate_limit_in_bytes_per_second: fields.log_rate("log-rate-limit-per-second"),
        health_check: read_health_check(fields, ""),
        readiness_health_check: read_health_check(fields, "readiness-"),
    }
}

fn read_health_check(fields: &mut Fields<'_>, prefix: &str) -> HealthCheckChanges {
    let key = |name: &str| format!("{prefix}health-check-{name}");
    let subject = if prefix.is_empty() { "Health check" } else { "Readiness health check" };
    let kind = fields.text(&key("type")).and_then(|word| {
        let kind = if word == "none" { Some(HealthCheckType::Process) } else { word.parse().ok() };
        if kind.is_none() {
            fields.problem(&format!("{subject} type must be \"port\", \"process\", or \"http\""));
        }
        kind
    });
    let endpoint = fields.text(&key("http-endpoint"));
    if endpoint.as_ref().is_some_and(|path| !path.starts_with('/') || path.contains(char::is_whitespace)) {
        fields.problem(&format!("{subject} http endpoint must be a valid URI path"));
    }
    if endpoint.is_some() && kind.is_some_and(|kind| kind != HealthCheckType::Http) {
        fields.problem(&format!("{subject} type must be \"http\" to set a health check HTTP endpoint"));
    }
    HealthCheckChanges {
        kind,
        endpoint,
        timeout_seconds: if prefix.is_empty() { fields.number("timeout", 1, 180) } else { None },
        invocation_timeout_seconds: fields.number(&key("invocation-timeout"), 1, 3_600),
        interval_seconds: fields.number(&key("interval"), 1, 3_600),
    }
}

#[cfg(test)]
#[path = "document_tests.rs"]
mod tests;
