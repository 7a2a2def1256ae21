//! The rules of a catalog, in Cloud Controller's words. All that are broken are named at once, indented under the offering
//! and the plan they belong to.

use super::{Catalog, DashboardClient, MaintenanceInfo, Plan, Schemas, Service, schema, semver};
use crate::{
    error::{BrokerError, BrokerErrorKind},
    reading::shown,
};
use serde_json::{Map, Value};
use std::collections::{HashMap, HashSet};

/// Of ids and names: what an index of the database takes, and a message may repeat.
const NAME_CHARACTERS: usize = 255;
const URL_CHARACTERS: usize = 2048;
/// Of one offering, plan or catalog. Who reads a hundred knows.
const MOST_PROBLEMS: usize = 100;
const DESCRIPTION_CHARACTERS: usize = 10_000;
const TAGS_CHARACTERS: usize = 2048;
const MAINTENANCE_INFO_CHARACTERS: usize = 2000;
/// More than any marketplace shows, and few enough to store in one transaction.
const MOST_SERVICES: usize = 1000;
const MOST_PLANS: usize = 5000;
const REQUIRES: [&str; 3] = ["syslog_drain", "route_forwarding", "volume_mount"];
/// A value in a message is cut after so many characters.
const VALUE_CHARACTERS: usize = 200;

type Object = Map<String, Value>;

impl Catalog {
    /// Reads and checks a catalog.
    ///
    /// # Errors
    /// [`BrokerErrorKind::CatalogInvalid`] with every rule that it breaks.
    pub fn from_json(body: &Object) -> Result<Self, BrokerError> {
        let mut top = Problems::default();
        let (mut services, mut nested) = (Vec::new(), String::new());
        let offered = match body.get("services") {
            None | Some(Value::Null) => &[][..],
            Some(Value::Array(services)) => services.as_slice(),
            Some(other) => {
                top.add(format!("Services must be an array, but has value {}", inspected(other)));
                &[]
            }
        };
        if offered.len() > MOST_SERVICES {
            top.add(format!("A catalog may not have more than {MOST_SERVICES} services"));
        }
        for service in offered.iter().take(MOST_SERVICES) {
            let Some(attributes) = service.as_object() else {
                top.add(format!("Service must be a hash, but has value {}", inspected(service)));
                continue;
            };
            let (service, problems) = read_service(attributes);
            nested.push_str(&problems);
            services.push(service);
        }
        unique(&services, &mut top);
        if offered.is_empty() {
            top.add("Service broker must provide at least one service");
        }
        let problems = top.lines(0) + &nested;
        if problems.is_empty() {
            return Ok(Self { services });
        }
        let message = format!("Service broker catalog is invalid: \n{problems}");
        Err(BrokerError { status: Some(200), ..BrokerError::new(BrokerErrorKind::CatalogInvalid, shown(&message)) })
    }
}

/// Rules over the whole catalog.
fn unique(services: &[Service], top: &mut Problems) {
    if has_duplicates(services.iter().map(|service| service.id.as_str())) {
        top.add("Service ids must be unique");
    }
    if has_duplicates(services.iter().map(|service| service.name.as_str())) {
        top.add("Service names must be unique within a broker");
    }
    let mut plans: HashMap<&str, (&str, &str)> = HashMap::new();
    let mut count = 0;
    for service in services {
        for plan in service.plans.iter().filter(|plan| !plan.id.is_empty()) {
            count += 1;
            if count > MOST_PLANS {
                return top.add(format!("A catalog may not have more than {MOST_PLANS} plans"));
            }
            if let Some((other_plan, other_service)) = plans.insert(&plan.id, (&plan.name, &service.name)) {
                top.add(format!(
                    "Plan ids must be unique. Unable to register plan with id '{}' (plan name '{}', service name '{}') because it uses the \
                     same id as another plan in the catalog (plan name '{other_plan}', service name '{other_service}')",
                    plan.id, plan.name, service.name
                ));
            }
        }
    }
    if has_duplicates(services.iter().filter_map(|service| Some(service.dashboard_client.as_ref()?.id.as_str()))) {
        top.add("Service dashboard_client id must be unique");
    }
}

/// Empty ones are named elsewhere.
fn has_duplicates<'a>(values: impl Iterator<Item = &'a str>) -> bool {
    let mut seen = HashSet::new();
    values.filter(|value| !value.is_empty()).any(|value| !seen.insert(value))
}

/// An offering as far as it can be read, and what is wrong with it and its plans.
fn read_service(of: &Object) -> (Service, String) {
    let mut problems = Problems::default();
    let name = problems.text("Service name", of.get("name"));
    let mut service = Service {
        id: problems.text("Service id", of.get("id")),
        description: problems.description("Service description", of.get("description")),
        bindable: problems.required_flag("Service \"bindable\" field", of.get("bindable")),
        plan_updateable: problems.flag("Service \"plan_updateable\" field", of.get("plan_updateable")).unwrap_or(false),
        bindings_retrievable: problems.flag("Service \"bindings_retrievable\" field", of.get("bindings_retrievable")).unwrap_or(false),
        instances_retrievable: problems.flag("Service \"instances_retrievable\" field", of.get("instances_retrievable")).unwrap_or(false),
        allow_context_updates: problems.flag("Service \"allow_context_updates\" field", of.get("allow_context_updates")).unwrap_or(false),
        tags: problems.texts("Service tags", of.get("tags")),
        requires: problems.texts("Service \"requires\" field", of.get("requires")),
        metadata: problems.object("Service metadata", of.get("metadata")),
        dashboard_client: dashboard_client(&mut problems, of.get("dashboard_client")),
        name,
        plans: Vec::new(),
    };
    if service.tags.iter().map(|tag| tag.chars().count()).sum::<usize>() > TAGS_CHARACTERS {
        problems.add(format!("Tags for the service {} must be {TAGS_CHARACTERS} characters or less.", service.name));
    }
    for other in service.requires.iter().filter(|value| !REQUIRES.contains(&value.as_str())) {
        problems.add(format!("Service \"requires\" field contains unsupported value \"{other}\""));
    }
    if let Some(metadata) = &service.metadata {
        problems.flag("Service metadata shareable", metadata.get("shareable"));
    }
    let nested = read_plans(&mut service, &mut problems, of.get("plans"));
    let own = problems.lines(1);
    if own.is_empty() && nested.is_empty() {
        return (service, String::new());
    }
    let all = format!("Service {}\n{own}{nested}", service.name);
    (service, all)
}

fn read_plans(service: &mut Service, problems: &mut Problems, plans: Option<&Value>) -> String {
    let plans = match plans {
        None | Some(Value::Null) => &[][..],
        Some(Value::Array(plans)) => plans.as_slice(),
        Some(other) => {
            problems.add(format!("Service plans list must be an array of hashes, but has value {}", inspected(other)));
            return String::new();
        }
    };
    if plans.is_empty() {
        problems.add("At least one plan is required");
        return String::new();
    }
    let mut nested = String::new();
    for plan in plans.iter().take(MOST_PLANS + 1) {
        let Some(attributes) = plan.as_object() else {
            problems.add(format!("Service plans list must be an array of hashes, but has value {}", inspected(plan)));
            continue;
        };
        let (plan, wrong) = read_plan(attributes);
        if !wrong.is_empty() {
            nested.push_str(&format!("  Plan {}\n{wrong}", plan.name));
        }
        service.plans.push(plan);
    }
    let mut seen = HashSet::new();
    let mut told = HashSet::new();
    for plan in service.plans.iter().filter(|plan| !plan.name.is_empty()) {
        if !seen.insert(&plan.name) && told.insert(&plan.name) {
            let (service, plan) = (&service.name, &plan.name);
            problems.add(format!("Plan names must be unique within a service. Service {service} already has a plan named {plan}"));
        }
    }
    nested
}

fn read_plan(of: &Object) -> (Plan, String) {
    let mut problems = Problems::default();
    let plan = Plan {
        id: problems.text("Plan id", of.get("id")),
        name: problems.text("Plan name", of.get("name")),
        description: problems.description("Plan description", of.get("description")),
        free: problems.flag("Plan free", of.get("free")).unwrap_or(true),
        bindable: problems.flag("Plan bindable", of.get("bindable")),
        plan_updateable: problems.flag("Plan updateable", of.get("plan_updateable")),
        binding_rotatable: problems.flag("Plan binding_rotatable", of.get("binding_rotatable")).unwrap_or(false),
        metadata: problems.object("Plan metadata", of.get("metadata")),
        maintenance_info: maintenance_info(&mut problems, of.get("maintenance_info")),
        maximum_polling_duration: problems.seconds("Maximum polling duration", of.get("maximum_polling_duration")),
        schemas: Schemas::default(),
    };
    let mut of_schemas = Problems::default();
    let schemas = match problems.object("Plan schemas", of.get("schemas")) {
        Some(schemas) => read_schemas(&mut of_schemas, &schemas),
        None => Schemas::default(),
    };
    let mut lines = problems.lines(2);
    let wrong = of_schemas.lines(3);
    if !wrong.is_empty() {
        lines.push_str(&format!("    Schemas\n{wrong}"));
    }
    (Plan { schemas, ..plan }, lines)
}

fn read_schemas(problems: &mut Problems, of: &Object) -> Schemas {
    let instance = problems.object("Schemas service_instance", of.get("service_instance")).unwrap_or_default();
    let binding = problems.object("Schemas service_binding", of.get("service_binding")).unwrap_or_default();
    let mut read = |of: &Object, what: &str, when: &str| {
        let parameters = problems.object(&format!("Schemas {what}.{when}"), of.get(when))?;
        let path = format!("{what}.{when}.parameters");
        let schema = problems.object(&format!("Schemas {path}"), parameters.get("parameters"))?;
        for problem in schema::problems(&schema) {
            problems.add(format!("Schema {path} is not valid. {problem}"));
        }
        Some(schema)
    };
    Schemas {
        instance_create: read(&instance, "service_instance", "create"),
        instance_update: read(&instance, "service_instance", "update"),
        binding_create: read(&binding, "service_binding", "create"),
    }
}

fn maintenance_info(problems: &mut Problems, value: Option<&Value>) -> Option<MaintenanceInfo> {
    let info = problems.object("Maintenance info", value)?;
    let version = problems.text("Maintenance info version", info.get("version"));
    if !version.is_empty() && !semver::is_version(&version) {
        problems.add(format!("Maintenance info version must be a Semantic Version, but has value \"{}\"", cut(&version)));
    }
    let description = problems.optional_text("Maintenance info description", info.get("description"));
    let length = Value::Object(info.clone()).to_string().chars().count();
    if length > MAINTENANCE_INFO_CHARACTERS {
        problems.add(format!(
            "Maintenance info must serialize to {MAINTENANCE_INFO_CHARACTERS} characters or fewer in JSON, but serializes to {length} characters"
        ));
    }
    let extra: Vec<_> = info.keys().map(String::as_str).filter(|key| !matches!(*key, "version" | "description")).collect();
    if !extra.is_empty() {
        problems.add(format!("Maintenance info contains invalid key(s): {}", extra.join(", ")));
    }
    Some(MaintenanceInfo { version, description })
}

fn dashboard_client(problems: &mut Problems, value: Option<&Value>) -> Option<DashboardClient> {
    // What is in it is not repeated: it may be the secret.
    if value.is_some_and(|value| !value.is_null() && !value.is_object()) {
        problems.add("Service dashboard client attributes must be a hash");
        return None;
    }
    let client = problems.object("Service dashboard client attributes", value)?;
    let secret = client.get("secret");
    let secret = if secret.is_none_or(|secret| secret.is_null() || secret.is_string()) {
        problems.text_up_to(URL_CHARACTERS, "Service dashboard client secret", secret)
    } else {
        problems.add("Service dashboard client secret must be a string");
        String::new()
    };
    Some(DashboardClient {
        id: problems.text("Service dashboard client id", client.get("id")),
        secret,
        redirect_uri: problems.text_up_to(URL_CHARACTERS, "Service dashboard client redirect_uri", client.get("redirect_uri")),
    })
}

/// What is wrong, one line each.
#[derive(Default)]
struct Problems(Vec<String>);

impl Problems {
    fn add(&mut self, problem: impl Into<String>) {
        if self.0.len() < MOST_PROBLEMS {
            self.0.push(problem.into());
        }
    }

    fn lines(&self, depth: usize) -> String {
        self.0.iter().map(|problem| format!("{}{problem}\n", "  ".repeat(depth))).collect()
    }

    fn mistyped(&mut self, name: &str, kind: &str, value: &Value) {
        self.add(format!("{name} must be {kind}, but has value {}", inspected(value)));
    }

    /// Required, and short; an empty text stands for one that is not there or cannot be taken.
    fn text(&mut self, name: &str, value: Option<&Value>) -> String {
        self.text_up_to(NAME_CHARACTERS, name, value)
    }

    fn text_up_to(&mut self, most: usize, name: &str, value: Option<&Value>) -> String {
        match value {
            None | Some(Value::Null) => self.add(format!("{name} is required")),
            Some(Value::String(text)) if text.trim().is_empty() => self.add(format!("{name} is required")),
            Some(Value::String(text)) if text.chars().any(char::is_control) => {
                self.add(format!("{name} may not have control characters"));
            }
            Some(Value::String(text)) if text.chars().count() > most => {
                self.add(format!("{name} may not have more than {most} characters"))
            }
            Some(Value::String(text)) => return text.clone(),
            Some(other) => self.mistyped(name, "a string", other),
        }
        String::new()
    }

    fn description(&mut self, name: &str, value: Option<&Value>) -> String {
        let tamed =
            value.and_then(Value::as_str).map(|text| Value::String(text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()));
        self.text_up_to(DESCRIPTION_CHARACTERS, name, tamed.as_ref().or(value))
    }

    fn optional_text(&mut self, name: &str, value: Option<&Value>) -> Option<String> {
        match value? {
            Value::Null => {}
            Value::String(text) => return Some(shown(text)),
            other => self.mistyped(name, "a string", other),
        }
        None
    }

    fn flag(&mut self, name: &str, value: Option<&Value>) -> Option<bool> {
        match value? {
            Value::Null => {}
            Value::Bool(flag) => return Some(*flag),
            other => self.mistyped(name, "a boolean", other),
        }
        None
    }

    fn required_flag(&mut self, name: &str, value: Option<&Value>) -> bool {
        if value.is_none_or(Value::is_null) {
            self.add(format!("{name} is required"));
        }
        self.flag(name, value).unwrap_or(false)
    }

    fn seconds(&mut self, name: &str, value: Option<&Value>) -> Option<u64> {
        match value? {
            Value::Null => {}
            Value::Number(number) if number.as_u64().is_some() => return number.as_u64(),
            other => self.mistyped(name, "an integer", other),
        }
        None
    }

    fn texts(&mut self, name: &str, value: Option<&Value>) -> Vec<String> {
        let Some(value) = value.filter(|value| !value.is_null()) else { return Vec::new() };
        let texts: Option<Vec<_>> = value.as_array().and_then(|all| all.iter().map(|one| one.as_str().map(str::to_owned)).collect());
        texts.unwrap_or_else(|| {
            self.mistyped(name, "an array of strings", value);
            Vec::new()
        })
    }

    fn object(&mut self, name: &str, value: Option<&Value>) -> Option<Object> {
        match value? {
            Value::Null => {}
            Value::Object(object) => return Some(object.clone()),
            other => self.mistyped(name, "a hash", other),
        }
        None
    }
}

fn inspected(value: &Value) -> String {
    cut(&value.to_string())
}

fn cut(text: &str) -> String {
    if text.chars().count() <= VALUE_CHARACTERS {
        text.to_owned()
    } else {
        text.chars().take(VALUE_CHARACTERS).chain("...".chars()).collect()
    }
}
