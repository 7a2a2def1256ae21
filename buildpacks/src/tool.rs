//! Tools that a buildpack runs inside the staging child; their output is the child's own and so reaches the app's log.

use std::{ffi::OsStr, path::Path, process::Command};

/// Runs a package client in `folder`, with the network that the operator lets staging have, and says whether it succeeded.
pub(crate) fn fetch<I: AsRef<OsStr>>(
    program: &str,
    arguments: impl IntoIterator<Item = I>,
    folder: &Path,
    environment: &[(&str, &OsStr)],
) -> std::io::Result<bool> {
    let network = crate::sandbox::network::environment().map(|(name, value)| (name, OsStr::new(value)));
    start(program, arguments, folder, network.chain(environment.iter().copied()))
}

/// Runs a tool in `folder` and says whether it succeeded.
pub(crate) fn run<I: AsRef<OsStr>>(
    program: &str,
    arguments: impl IntoIterator<Item = I>,
    folder: &Path,
    environment: &[(&str, &OsStr)],
) -> std::io::Result<bool> {
    start(program, arguments, folder, environment.iter().copied())
}

fn start<'a, I: AsRef<OsStr>>(
    program: &str,
    arguments: impl IntoIterator<Item = I>,
    folder: &Path,
    environment: impl Iterator<Item = (&'a str, &'a OsStr)>,
) -> std::io::Result<bool> {
    Ok(Command::new(program).args(arguments).current_dir(folder).envs(environment).status()?.success())
}
