//! The one place where a child's command is prepared.

use crate::sandbox::Prepared;
use std::{collections::BTreeMap, ffi::OsStr, path::Path, process::Stdio};

/// Settings of the platform's own environment that package managers need to reach their registries.
const PASSED_ON: [&str; 12] = [
    "PATH",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
    "REQUESTS_CA_BUNDLE",
    "LANG",
];
const PASSED_ON_PREFIXES: [&str; 3] = ["npm_config_", "NPM_CONFIG_", "PIP_"];

/// A command of `program` that sees nothing of the platform's environment but the above, works in `folder`, and leads a
/// process group of its own.
///
/// The environment that a user set for an app is not among it on purpose: package managers and language tools take orders
/// from their environment (`NODE_OPTIONS`, `PIP_NO_BINARY`, `npm_config_git`), and would run the user's code unconfined.
pub(crate) fn prepare(
    program: &Path,
    arguments: &[&OsStr],
    folder: &Path,
    environment: &BTreeMap<String, String>,
) -> tokio::process::Command {
    let mut command = tokio::process::Command::new(program);
    command.args(arguments).current_dir(folder).env_clear();
    let passed_on = std::env::vars_os().filter(|(name, _)| {
        name.to_str().is_some_and(|name| PASSED_ON.contains(&name) || PASSED_ON_PREFIXES.iter().any(|prefix| name.starts_with(prefix)))
    });
    command
        .envs(passed_on)
        .env("HOME", folder.join("home"))
        .env("TMPDIR", folder.join("tmp"))
        .env("LANG", "C.UTF-8")
        .envs(environment)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    command
}

/// The command that enters a sandbox: it sees nothing of the platform's environment but where certificates are.
pub(crate) fn for_sandbox(program: &Path, arguments: &[&OsStr], sandbox: &Prepared) -> tokio::process::Command {
    let mut command = tokio::process::Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .env("PATH", &sandbox.path)
        .env("HOME", "/staging/home")
        .env("TMPDIR", "/tmp")
        .env("USER", "staging")
        .env("LANG", "C.UTF-8")
        .envs(sandbox.certificates.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    command
}
