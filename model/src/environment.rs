//! The environment of an app instance: which sources it has, and which of them wins (docs.cloudfoundry.org, "Environment
//! variables"). Pure; the controller shows with it what `cf env` prints, the scheduler puts it into the cells' snapshot.

use crate::{AppGuid, OrgGuid, ProcessGuid, SpaceGuid};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Open files of an instance, as `VCAP_APPLICATION.limits.fds` and `stats.fds_quota` say.
pub const FILE_DESCRIPTORS: u64 = 16_384;

/// Names that belong to the platform: `PORT`, and everything that starts with `VCAP_` or `VMC_`, in any case.
#[must_use]
pub fn is_reserved(name: &str) -> bool {
    let starts_with = |prefix: &str| name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    name.eq_ignore_ascii_case("PORT") || starts_with("VCAP_") || starts_with("VMC_")
}

/// The app as its environment describes it.
#[derive(Debug, Clone, Copy)]
pub struct AppDescription<'a> {
    /// `https://api.…`, or the bare address.
    pub api_url: &'a str,
    /// The app.
    pub app: AppGuid,
    /// Its name.
    pub name: &'a str,
    /// `host.domain/path` of its routes.
    pub uris: &'a [String],
    /// Its space.
    pub space: SpaceGuid,
    /// Name of the space.
    pub space_name: &'a str,
    /// Its organization.
    pub organization: OrgGuid,
    /// Name of the organization.
    pub organization_name: &'a str,
}

/// The process as its environment describes it.
#[derive(Debug, Clone, Copy)]
pub struct ProcessDescription<'a> {
    /// The process.
    pub process: ProcessGuid,
    /// `web`, `worker`, …
    pub process_type: &'a str,
    /// `processes.version`.
    pub version: &'a str,
    /// Megabytes.
    pub memory_mb: u64,
    /// Megabytes.
    pub disk_mb: u64,
}

/// `VCAP_APPLICATION`; without a process as staging and `GET /v3/apps/:guid/env` have it. What differs per instance
/// (`instance_id`, `instance_index`, `host`, `port`) is added by the cell.
#[must_use]
pub fn vcap_application(app: &AppDescription<'_>, process: Option<&ProcessDescription<'_>>) -> Value {
    let mut limits = Map::from_iter([("fds".to_owned(), json!(FILE_DESCRIPTORS))]);
    if let Some(process) = process {
        limits.insert("mem".to_owned(), json!(process.memory_mb));
        limits.insert("disk".to_owned(), json!(process.disk_mb));
    }
    let mut value = json!({
        "cf_api": app.api_url,
        "limits": limits,
        "application_name": app.name,
        "application_uris": app.uris,
        "name": app.name,
        "space_name": app.space_name,
        "space_id": app.space,
        "organization_id": app.organization,
        "organization_name": app.organization_name,
        "uris": app.uris,
    });
    if let Some(members) = value.as_object_mut() {
        match process {
            Some(process) => {
                members.insert("process_id".to_owned(), json!(process.process));
                members.insert("process_type".to_owned(), json!(process.process_type));
                members.insert("application_id".to_owned(), json!(app.app));
                members.insert("version".to_owned(), json!(process.version));
                members.insert("application_version".to_owned(), json!(process.version));
            }
            None => {
                members.insert("users".to_owned(), Value::Null);
                members.insert("application_id".to_owned(), json!(app.app));
            }
        }
    }
    value
}

/// The environment of a running instance, but for what differs per instance. Later sources win: the running group, the
/// app's own variables, `VCAP_APPLICATION` and `MEMORY_LIMIT`, `VCAP_SERVICES`, `DATABASE_URL`.
///
/// `services` is the value of `VCAP_SERVICES`, `{}` where nothing is bound.
#[must_use]
pub fn running(
    group: &BTreeMap<String, String>,
    own: &BTreeMap<String, String>,
    app: &AppDescription<'_>,
    process: &ProcessDescription<'_>,
    services: &Value,
) -> BTreeMap<String, String> {
    let mut environment = merged(group, own, vcap_application(app, Some(process)), services);
    environment.insert("MEMORY_LIMIT".to_owned(), format!("{}m", process.memory_mb));
    environment
}

/// The environment of a task: that of a running instance without a process. Sizes in megabytes.
#[must_use]
pub fn task(
    group: &BTreeMap<String, String>,
    own: &BTreeMap<String, String>,
    app: &AppDescription<'_>,
    memory_mb: u64,
    disk_mb: u64,
    services: &Value,
) -> BTreeMap<String, String> {
    let mut vcap = vcap_application(app, None);
    if let Some(members) = vcap.as_object_mut() {
        members.remove("users");
        members.insert("limits".to_owned(), json!({ "fds": FILE_DESCRIPTORS, "mem": memory_mb, "disk": disk_mb }));
    }
    let mut environment = merged(group, own, vcap, services);
    environment.insert("MEMORY_LIMIT".to_owned(), format!("{memory_mb}m"));
    environment
}

/// The environment of staging: the staging group, the app's own variables, `CF_STACK`, `VCAP_*`. The variables of an
/// instance's address are there and empty, as buildpacks expect.
#[must_use]
pub fn staging(
    group: &BTreeMap<String, String>,
    own: &BTreeMap<String, String>,
    app: &AppDescription<'_>,
    stack: &str,
    services: &Value,
) -> BTreeMap<String, String> {
    let mut environment = merged(group, own, vcap_application(app, None), services);
    environment.insert("CF_STACK".to_owned(), stack.to_owned());
    environment.insert("CF_INSTANCE_ADDR".to_owned(), String::new());
    environment.insert("CF_INSTANCE_PORT".to_owned(), String::new());
    environment
}

fn merged(
    group: &BTreeMap<String, String>,
    own: &BTreeMap<String, String>,
    vcap_application: Value,
    services: &Value,
) -> BTreeMap<String, String> {
    let mut environment = group.clone();
    environment.extend(own.iter().map(|(name, value)| (name.clone(), value.clone())));
    environment.insert("VCAP_APPLICATION".to_owned(), vcap_application.to_string());
    environment.insert("VCAP_SERVICES".to_owned(), services.to_string());
    if let Some(url) = database_url(services) {
        environment.insert("DATABASE_URL".to_owned(), url);
    }
    environment
}

/// `DATABASE_URL` from the first bound credential with a MySQL or PostgreSQL `uri`, with the scheme Ruby expects.
#[must_use]
pub fn database_url(services: &Value) -> Option<String> {
    let bindings = services.as_object()?.values().filter_map(Value::as_array).flatten();
    let mut uris = bindings.filter_map(|binding| binding.get("credentials")?.get("uri")?.as_str());
    uris.find_map(|uri| {
        let (scheme, rest) = uri.split_once("://")?;
        match scheme {
            "mysql" | "mysql2" => Some(format!("mysql2://{rest}")),
            "postgres" | "postgresql" => Some(format!("postgres://{rest}")),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(uris: &[String]) -> AppDescription<'_> {
        AppDescription {
            api_url: "https://api.x",
            app: AppGuid::from_u128(1),
            name: "a",
            uris,
            space: SpaceGuid::from_u128(2),
            space_name: "s",
            organization: OrgGuid::from_u128(3),
            organization_name: "o",
        }
    }

    fn process() -> ProcessDescription<'static> {
        ProcessDescription { process: ProcessGuid::from_u128(1), process_type: "web", version: "v1", memory_mb: 64, disk_mb: 128 }
    }

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_apps_own_value_wins_over_the_group_and_the_platform_wins_over_both() {
        let own = map(&[("A", "own"), ("MEMORY_LIMIT", "1t"), ("DATABASE_URL", "mine")]);
        let services = json!({"db": [{"credentials": {"uri": "mysql://u:p@h/d"}}]});
        let environment = running(&map(&[("A", "group"), ("B", "group")]), &own, &app(&["a.x".into()]), &process(), &services);
        assert_eq!(environment["A"], "own");
        assert_eq!(environment["B"], "group");
        assert_eq!(environment["MEMORY_LIMIT"], "64m");
        assert_eq!(environment["DATABASE_URL"], "mysql2://u:p@h/d");
        assert_eq!(environment["VCAP_SERVICES"], services.to_string());
    }

    #[test]
    fn vcap_application_has_a_running_and_a_staging_form() {
        let uris = ["a.x".to_owned()];
        let running = vcap_application(&app(&uris), Some(&process()));
        assert_eq!(running["limits"], json!({"fds": 16384, "mem": 64, "disk": 128}));
        assert_eq!((&running["process_type"], &running["application_version"]), (&json!("web"), &json!("v1")));
        let staging = vcap_application(&app(&uris), None);
        assert_eq!(staging["limits"], json!({"fds": 16384}));
        assert!(staging.get("process_id").is_none() && staging.get("version").is_none() && staging["users"].is_null());
    }

    #[test]
    fn platform_names_are_reserved_in_any_case() {
        assert!(is_reserved("PORT") && is_reserved("vcap_services") && is_reserved("VMC_X"));
        assert!(!is_reserved("REPORT") && !is_reserved("VCAP") && !is_reserved("PORTS"));
    }
}
