//! Tools that a buildpack runs inside the staging child; their output is the child's own and so reaches the app's log.

use std::{ffi::OsStr, path::Path, process::Command};

/// Runs a package client in `folder`, with the network that the operator lets staging have, and says whether it succeeded.
pub(crate) fn fetch<I: AsRef<OsStr>>(
    program: &str,
    arguments: impl IntoIterator<Item = I>,
    folder: &Path,
    environment: &[(&str, &OsStr)],
) -> std::io::Result<bool> {
    run(program, arguments, folder, environment)
}

/// Runs a tool in `folder` and says whether it succeeded.
pub(crate) fn run<I: AsRef<OsStr>>(
    program: &str,
    arguments: impl IntoIterator<Item = I>,
    folder: &Path,
    environment: &[(&str, &OsStr)],
) -> std::io::Result<bool> {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder);
    for (name, value) in environment {
        command.env(name, value);
    }
    Ok(command.status()?.success())
}
