//! A server of WASI 0.1, as the Go compiler makes it.

use crate::sample_folder;
use anyhow::ensure;

/// The sample of WASI 0.1, compiled by the ordinary toolchain of Go (`tests/run` installs it).
pub fn built_by_go() -> anyhow::Result<tempfile::TempDir> {
    let folder = tempfile::tempdir()?;
    let mut go = std::process::Command::new(std::env::var_os("GO").unwrap_or_else(|| "go".into()));
    go.args(["build", "-trimpath", "-o"]).arg(folder.path().join("app.wasm")).arg(".").current_dir(sample_folder("go-listener"));
    let output = go.envs([("GOOS", "wasip1"), ("GOARCH", "wasm"), ("CGO_ENABLED", "0"), ("GOWORK", "off")]).output()?;
    ensure!(output.status.success(), "go build: {}", String::from_utf8_lossy(&output.stderr));
    std::fs::write(folder.path().join("page.txt"), "a file of the app\n")?;
    Ok(folder)
}
