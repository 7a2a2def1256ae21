//! The manifest that is sent to the server: the file with its variables filled in and the flags merged over it (flags
//! win), as `cf` rewrites it (cf-push of API v3; the server alone applies it).

use super::variables;
use crate::cli::args::Push;
use anyhow::{Context as _, bail};
use serde_yaml_ng::{Mapping, Value};
use std::path::{Path, PathBuf};

/// What a push will do.
#[derive(Debug)]
pub struct Plan {
    /// The YAML for the server.
    pub yaml: String,
    /// The apps, in order.
    pub apps: Vec<PlannedApp>,
    /// The manifest file, where one was used.
    pub file: Option<PathBuf>,
}

/// One app of a push.
#[derive(Debug, PartialEq, Eq)]
pub struct PlannedApp {
    /// Its name.
    pub name: String,
    /// Folder or file with its bits.
    pub path: PathBuf,
}

/// Reads the manifest (if any), merges the flags and finds the bits.
pub fn plan(args: &Push, working_dir: &Path) -> anyhow::Result<Plan> {
    let file = if args.no_manifest { None } else { find(args.manifest.as_deref(), working_dir)? };
    let mut root = match &file {
        Some(file) => read(file, args)?,
        None => Value::Mapping(Mapping::new()),
    };
    let apps = select(applications(&mut root)?, args)?;
    let mut planned = Vec::new();
    for app in apps.iter_mut() {
        merge_flags(app, args)?;
        let name = text(app, "name").context("Incorrect Usage: an app name is needed, as an argument or in a manifest")?;
        let path = match (&args.path, text(app, "path"), &file) {
            (Some(path), _, _) => working_dir.join(path),
            (None, Some(path), Some(file)) => file.parent().unwrap_or(working_dir).join(path),
            _ => working_dir.to_owned(),
        };
        if !path.exists() {
            bail!("The specified path '{}' does not exist.", path.display());
        }
        planned.push(PlannedApp { name, path });
    }
    Ok(Plan { yaml: serde_yaml_ng::to_string(&root)?, apps: planned, file })
}

fn find(given: Option<&Path>, working_dir: &Path) -> anyhow::Result<Option<PathBuf>> {
    let in_folder = |folder: &Path| ["manifest.yml", "manifest.yaml"].iter().map(|name| folder.join(name)).find(|path| path.is_file());
    let Some(given) = given else { return Ok(in_folder(working_dir)) };
    let given = working_dir.join(given);
    if given.is_dir() {
        return in_folder(&given).map(Some).with_context(|| format!("Could not find 'manifest.yml' file in {}", given.display()));
    }
    if !given.is_file() {
        bail!("The specified path '{}' does not exist.", given.display());
    }
    Ok(Some(given))
}

fn read(file: &Path, args: &Push) -> anyhow::Result<Value> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let mut root: Value = serde_yaml_ng::from_str(&text).with_context(|| format!("The manifest {} is not YAML", file.display()))?;
    root.apply_merge().with_context(|| format!("The manifest {} has a bad merge key", file.display()))?;
    variables::interpolate(&mut root, &variables::collect(&args.vars, &args.vars_files)?)?;
    if !root.is_mapping() {
        bail!("The manifest {} must be a mapping with the key 'applications'", file.display());
    }
    Ok(root)
}

fn applications(root: &mut Value) -> anyhow::Result<&mut Vec<Value>> {
    let Value::Mapping(members) = root else { bail!("The manifest must be a mapping with the key 'applications'") };
    let list = members.entry("applications".into()).or_insert_with(|| Value::Sequence(Vec::new()));
    list.as_sequence_mut().context("The manifest's 'applications' must be a list")
}

/// Keeps the apps this push is about; a name on the command line picks one, or renames the only one.
fn select<'a>(apps: &'a mut Vec<Value>, args: &Push) -> anyhow::Result<&'a mut Vec<Value>> {
    if apps.iter().any(|app| !app.is_mapping()) {
        bail!("Every entry of the manifest's 'applications' must be a mapping");
    }
    match &args.name {
        Some(name) if apps.is_empty() => apps.push(Value::Mapping(Mapping::from_iter([("name".into(), name.as_str().into())]))),
        Some(name) if apps.iter().any(|app| text(app, "name").as_ref() == Some(name)) => {
            apps.retain(|app| text(app, "name").as_ref() == Some(name));
        }
        Some(name) => match apps.as_mut_slice() {
            [Value::Mapping(only)] => {
                only.insert("name".into(), name.as_str().into());
            }
            _ => bail!("Could not find app named '{name}' in manifest"),
        },
        None if apps.is_empty() => bail!(
            "Incorrect Usage: The push command requires an app name. The app name can be supplied as an argument or with a manifest.yml file."
        ),
        None => {}
    }
    if apps.len() > 1 && has_app_flags(args) {
        bail!(
            "Incorrect Usage: Command line flags (except -f and --no-start) cannot be applied when pushing multiple apps from a manifest file."
        );
    }
    Ok(apps)
}

fn has_app_flags(args: &Push) -> bool {
    args.path.is_some()
        || args.memory.is_some()
        || args.disk.is_some()
        || args.instances.is_some()
        || args.log_rate_limit.is_some()
        || !args.buildpacks.is_empty()
        || args.command.is_some()
        || args.stack.is_some()
        || args.health_check_type.is_some()
        || args.endpoint.is_some()
        || args.app_start_timeout.is_some()
        || args.readiness_health_check_type.is_some()
        || args.readiness_endpoint.is_some()
        || args.no_route
        || args.random_route
}

fn text(app: &Value, key: &str) -> Option<String> {
    match app.get(key)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn merge_flags(app: &mut Value, args: &Push) -> anyhow::Result<()> {
    let Value::Mapping(app) = app else { bail!("Every entry of the manifest's 'applications' must be a mapping") };
    merge_routes(app, args);
    if !args.buildpacks.is_empty() {
        app.remove("buildpack");
        let reset = matches!(args.buildpacks.as_slice(), [one] if one == "default" || one == "null");
        let names = if reset { Vec::new() } else { args.buildpacks.iter().map(|name| name.as_str().into()).collect() };
        app.insert("buildpacks".into(), Value::Sequence(names));
    }
    if let Some(stack) = &args.stack {
        app.insert("stack".into(), stack.as_str().into());
    }
    // Process flags go to the `web` entry of `processes` where there is one, to the app itself otherwise.
    let is_web = |process: &&mut Value| process.get("type").and_then(Value::as_str) == Some("web");
    let processes = app.get_mut("processes").and_then(Value::as_sequence_mut);
    let web = processes.and_then(|list| list.iter_mut().find(is_web)).and_then(Value::as_mapping_mut);
    match web {
        Some(web) => merge_process(web, args),
        None => merge_process(app, args),
    }
    Ok(())
}

/// Routes are asked for by default; the server lets `routes` of the manifest win over `default-route`.
fn merge_routes(app: &mut Mapping, args: &Push) {
    if args.no_route {
        for key in ["routes", "random-route", "default-route"] {
            app.remove(key);
        }
        app.insert("no-route".into(), true.into());
    }
    if args.random_route && !app.contains_key("routes") && !app.contains_key("no-route") {
        app.remove("default-route");
        app.insert("random-route".into(), true.into());
    }
    let is_true = |key: &str| app.get(key).and_then(Value::as_bool).unwrap_or(false);
    if !is_true("no-route") && !is_true("random-route") {
        app.insert("default-route".into(), true.into());
    }
}

fn merge_process(process: &mut Mapping, args: &Push) {
    let mut set = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            process.insert(key.into(), value);
        }
    };
    let text = |flag: &Option<String>| flag.as_deref().map(Value::from);
    // With a strategy the scale travels in the deployment's options, so that the running instances keep theirs.
    if args.strategy.is_none() {
        set("memory", text(&args.memory));
        set("disk_quota", text(&args.disk));
        set("instances", args.instances.map(Value::from));
        set("log-rate-limit-per-second", text(&args.log_rate_limit));
    }
    set("command", text(&args.command).map(|c| if matches!(c.as_str(), Some("default" | "null")) { Value::Null } else { c }));
    set("timeout", args.app_start_timeout.map(Value::from));
    set("health-check-type", text(&args.health_check_type));
    set("health-check-http-endpoint", text(&args.endpoint));
    set("readiness-health-check-type", text(&args.readiness_health_check_type));
    set("readiness-health-check-http-endpoint", text(&args.readiness_endpoint));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(manifest: Option<&str>, change: impl FnOnce(&mut Push)) -> anyhow::Result<(Plan, Value)> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("sub")).unwrap();
        if let Some(text) = manifest {
            std::fs::write(folder.path().join("manifest.yml"), text).unwrap();
        }
        let mut args = Push::default();
        change(&mut args);
        let plan = plan(&args, folder.path())?;
        let root = serde_yaml_ng::from_str(&plan.yaml).unwrap();
        Ok((plan, root))
    }

    #[test]
    fn without_a_manifest_the_name_is_enough() {
        let (plan, root) = planned(None, |args| args.name = Some("a".into())).unwrap();
        assert_eq!(plan.apps[0].name, "a");
        assert!(plan.file.is_none());
        assert_eq!(root["applications"][0]["default-route"], Value::from(true));
        assert!(planned(None, |_| {}).unwrap_err().to_string().contains("requires an app name"));
    }

    #[test]
    fn flags_win_and_land_on_the_web_process() {
        let yaml = "applications:\n- name: a\n  memory: 1G\n  processes:\n  - type: worker\n  - type: web\n    instances: 1\n";
        let (_, root) = planned(Some(yaml), |args| {
            args.instances = Some(3);
            args.command = Some("null".into());
        })
        .unwrap();
        let app = &root["applications"][0];
        assert_eq!(app["processes"][1]["instances"], Value::from(3));
        assert_eq!(app["processes"][1]["command"], Value::Null);
        assert_eq!(app["memory"], Value::from("1G"));
    }

    #[test]
    fn a_name_picks_one_app_or_renames_the_only_one() {
        let two = "applications:\n- name: a\n- name: b\n  path: sub\n";
        let (plan, root) = planned(Some(two), |args| args.name = Some("b".into())).unwrap();
        assert_eq!(plan.apps.len(), 1);
        assert!(plan.apps[0].path.ends_with("sub"));
        assert_eq!(root["applications"].as_sequence().unwrap().len(), 1);
        let error = planned(Some(two), |args| args.name = Some("c".into())).unwrap_err();
        assert_eq!(error.to_string(), "Could not find app named 'c' in manifest");
        let (plan, _) = planned(Some("applications:\n- name: a\n"), |args| args.name = Some("c".into())).unwrap();
        assert_eq!(plan.apps[0].name, "c");
        assert!(planned(Some(two), |args| args.instances = Some(2)).unwrap_err().to_string().contains("multiple apps"));
    }

    #[test]
    fn a_path_that_is_not_there_is_said_before_anything_happens() {
        let error = planned(Some("applications:\n- name: a\n  path: nowhere\n"), |_| {}).unwrap_err().to_string();
        assert!(error.starts_with("The specified path '") && error.ends_with("nowhere' does not exist."), "{error}");
    }

    #[test]
    fn no_route_takes_all_routes_away() {
        let yaml = "applications:\n- name: a\n  routes:\n  - route: x.y.z\n  random-route: true\n";
        let (_, root) = planned(Some(yaml), |args| args.no_route = true).unwrap();
        let app = &root["applications"][0];
        assert_eq!(app["no-route"], Value::from(true));
        assert!(app.get("routes").is_none() && app.get("default-route").is_none() && app.get("random-route").is_none());
    }

    #[test]
    fn anchors_merge_and_variables_are_filled() {
        let yaml = "base: &base\n  memory: ((m))\napplications:\n- <<: *base\n  name: a\n";
        let (_, root) = planned(Some(yaml), |args| args.vars = vec!["m=64M".into()]).unwrap();
        assert_eq!(root["applications"][0]["memory"], Value::from("64M"));
    }
}
