//! Configuration: one typed struct from a TOML file and, over it, `VIRGA_…` environment variables.
//!
//! The struct refuses unknown keys (`#[serde(deny_unknown_fields)]` on it and all inside); this module turns that refusal
//! into the full path of the key and the nearest right name. Every error says which key and where it was set.

use serde::{Serialize, de::DeserializeOwned};
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// What every environment variable of the configuration begins with; `__` goes one table down.
pub const ENV_PREFIX: &str = "VIRGA_";

/// The configuration could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("cannot read the configuration file {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{} is not valid TOML", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where and why.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// There is no such key.
    #[error("{origin}: unknown key '{key}'{}", nearest.as_ref().map(|name| format!("; did you mean '{name}'?")).unwrap_or_default())]
    UnknownKey {
        /// File or environment variable.
        origin: String,
        /// Full path of the key.
        key: String,
        /// Full path of the key that was probably meant.
        nearest: Option<String>,
    },
    /// The key exists, its value does not fit.
    #[error("{origin}: '{key}': {reason}")]
    InvalidValue {
        /// File or environment variable.
        origin: String,
        /// Full path of the key.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An environment variable sets a value inside something that is no table.
    #[error("environment variable {variable}: '{key}' is no table")]
    NoTable {
        /// The variable.
        variable: String,
        /// The key that is no table.
        key: String,
    },
}

/// Loads `T`: its defaults, then `file` if there is one, then `environment` (all of the process's variables; those without
/// [`ENV_PREFIX`] and those named in `not_config` are left alone). Empty variables count as unset.
///
/// A variable's value is read as TOML (`8080`, `true`, `["a", "b"]`) where that fits the key, else as plain text.
///
/// # Errors
/// See [`ConfigError`].
pub fn load<T: DeserializeOwned>(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
    not_config: &[&str],
) -> Result<T, ConfigError> {
    let mut table = Table::new();
    let mut origin = "configuration".to_owned();
    if let Some(path) = file {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        table = text.parse().map_err(|source| ConfigError::Syntax { path: path.to_owned(), source: Box::new(source) })?;
        origin = path.display().to_string();
    }
    let mut loaded = check::<T>(&table, &origin)?;
    let mut variables: Vec<_> = environment
        .into_iter()
        .filter(|(name, value)| name.starts_with(ENV_PREFIX) && !value.is_empty() && !not_config.contains(&name.as_str()))
        .collect();
    variables.sort();
    for (variable, text) in variables {
        (table, loaded) = overlay(table, &variable, &text)?;
    }
    Ok(loaded)
}

/// The configuration as TOML, secrets hidden.
///
/// # Errors
/// When `config` has no TOML form.
pub fn render<T: Serialize>(config: &T) -> Result<String, toml::ser::Error> {
    toml::to_string_pretty(config)
}

fn overlay<T: DeserializeOwned>(table: Table, variable: &str, text: &str) -> Result<(Table, T), ConfigError> {
    let path: Vec<String> = variable.trim_start_matches(ENV_PREFIX).split("__").map(str::to_ascii_lowercase).collect();
    let origin = format!("environment variable {variable}");
    let plain = Value::String(text.to_owned());
    let typed = format!("value = {text}").parse::<Table>().ok().and_then(|mut table| table.remove("value"));
    let mut result = None;
    // `12345` may be a number or a password: what the key takes decides. The error shown is that of the first reading.
    for value in typed.into_iter().chain([plain]) {
        let mut candidate = table.clone();
        insert(&mut candidate, &path, value, variable)?;
        match check(&candidate, &origin) {
            Ok(loaded) => return Ok((candidate, loaded)),
            Err(error) => drop(result.get_or_insert(error)),
        }
    }
    Err(result.unwrap_or_else(|| ConfigError::UnknownKey { origin, key: path.join("."), nearest: None }))
}

fn insert(table: &mut Table, path: &[String], value: Value, variable: &str) -> Result<(), ConfigError> {
    let Some((last, parents)) = path.split_last() else {
        return Ok(());
    };
    let mut table = table;
    for key in parents {
        let entry = table.entry(key.clone()).or_insert_with(|| Value::Table(Table::new()));
        table = entry.as_table_mut().ok_or_else(|| ConfigError::NoTable { variable: variable.to_owned(), key: key.clone() })?;
    }
    table.insert(last.clone(), value);
    Ok(())
}

fn check<T: DeserializeOwned>(table: &Table, origin: &str) -> Result<T, ConfigError> {
    serde_path_to_error::deserialize(Value::Table(table.clone())).map_err(|error| explain(&error, origin))
}

fn explain(error: &serde_path_to_error::Error<toml::de::Error>, origin: &str) -> ConfigError {
    let path = error.path().to_string();
    let origin = origin.to_owned();
    let reason = error.inner().message().trim().to_owned();
    let mut names = reason.split('`').skip(1).step_by(2);
    if !reason.starts_with("unknown field `") {
        return ConfigError::InvalidValue { origin, key: path, reason };
    }
    let key = names.next().unwrap_or_default();
    // The path ends with the unknown key where the deserializer has already entered it.
    let parent = path.strip_suffix(key).unwrap_or(&path).trim_end_matches('.');
    let full = |name: &str| if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") };
    let nearest = names.max_by(|a, b| strsim::jaro_winkler(key, a).total_cmp(&strsim::jaro_winkler(key, b)));
    ConfigError::UnknownKey { origin, key: full(key), nearest: nearest.map(full) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;
    use serde::Deserialize;

    #[derive(Debug, Serialize, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Config {
        domain: String,
        workers: u32,
        admin_password: Option<Secret<String>>,
        router: Router,
    }

    #[derive(Debug, Default, Serialize, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Router {
        header_bytes: u64,
        names: Vec<String>,
    }

    impl Default for Config {
        fn default() -> Self {
            Self { domain: "virga.localhost".into(), workers: 2, admin_password: None, router: Router::default() }
        }
    }

    fn env(variables: &[(&str, &str)]) -> Vec<(String, String)> {
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    #[test]
    fn the_environment_wins_over_the_file_and_the_file_over_the_defaults() {
        let file = file("domain = \"a.example\"\nworkers = 3\n");
        let variables = env(&[
            ("VIRGA_WORKERS", "5"),
            ("VIRGA_ADMIN_PASSWORD", "12345"),
            ("VIRGA_ROUTER__NAMES", "[\"lb\"]"),
            ("VIRGA_LOG", "debug"),
            ("VIRGA_DOMAIN", ""),
            ("PATH", "/bin"),
        ]);
        let config: Config = load(Some(file.path()), variables, &["VIRGA_LOG"]).unwrap();
        assert_eq!((config.domain.as_str(), config.workers), ("a.example", 5));
        assert_eq!(config.router.names, ["lb"]);
        assert_eq!(config.admin_password.as_ref().map(|secret| secret.expose().as_str()), Some("12345"));
        let shown = format!("{config:?}{}", render(&config).unwrap());
        assert!(!shown.contains("12345") && shown.contains("[hidden]"), "{shown}");
    }

    #[test]
    fn unknown_keys_name_the_nearest_right_one() {
        let error = |text: &str| load::<Config>(Some(file(text).path()), env(&[]), &[]).unwrap_err().to_string();
        assert!(error("[router]\nheader_byte = 1").ends_with("unknown key 'router.header_byte'; did you mean 'router.header_bytes'?"));
        assert!(error("wrokers = 1").ends_with("unknown key 'wrokers'; did you mean 'workers'?"));
        assert!(
            error("[router]\nheader_bytes = \"x\"").contains("'router.header_bytes': invalid type"),
            "{}",
            error("[router]\nheader_bytes = \"x\"")
        );
        let error = load::<Config>(None, env(&[("VIRGA_ROUTER__HEADERS_BYTES", "1")]), &[]).unwrap_err().to_string();
        assert_eq!(
            error,
            "environment variable VIRGA_ROUTER__HEADERS_BYTES: unknown key 'router.headers_bytes'; did you mean 'router.header_bytes'?"
        );
        let error = load::<Config>(None, env(&[("VIRGA_WORKERS", "many")]), &[]).unwrap_err().to_string();
        assert!(error.starts_with("environment variable VIRGA_WORKERS: 'workers': invalid type"), "{error}");
    }
}
