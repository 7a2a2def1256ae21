//! `virga droplet show`: what an app's newest droplet is, and how it differs from the one that runs.

use super::{
    args,
    target::targeted,
    ui::{Ui, bytes},
};
use crate::client::Client;
use anyhow::Context as _;
use serde::Deserialize;
use std::{collections::BTreeSet, fs, io::Write as _};
use virga_model::droplet::DropletManifest;

#[derive(Debug, Deserialize)]
struct Found {
    guid: String,
    created_at: String,
}

struct Droplet {
    found: Found,
    size_bytes: u64,
    manifest: DropletManifest,
}

/// `virga droplet show APP_NAME`
pub async fn run(client: &Client, ui: Ui, command: args::Droplet) -> anyhow::Result<()> {
    let args::Droplet::Show(args) = command;
    let target = targeted(client)?;
    let app = target.app(client, &args.name).await?;
    ui.line(format!("Showing the newest droplet of app {} in {}...\n", app.name, target.place()))?;
    let staged: Vec<Found> = client.list(&format!("/v3/apps/{}/droplets?states=STAGED&order_by=-created_at", app.guid)).await?;
    let newest = staged.into_iter().next().context("The app has no droplet yet; push it")?;
    let running: Option<Found> = client.find(&format!("/v3/apps/{}/droplets/current", app.guid)).await?;
    let newest = fetch(client, newest).await?;
    show(ui, &newest)?;
    match running {
        Some(running) if running.guid == newest.found.guid => Ok(ui.line("\nIt is the app's current droplet.")?),
        Some(running) => show_difference(ui, &fetch(client, running).await?, &newest),
        None => Ok(ui.line("\nThe app has no current droplet.")?),
    }
}

/// Downloads a droplet and reads its description.
async fn fetch(client: &Client, found: Found) -> anyhow::Result<Droplet> {
    let folder = tempfile::tempdir()?;
    let archive = folder.path().join("droplet");
    let url = client.url(&format!("/v3/droplets/{}/download", found.guid))?;
    let mut answer = client.send(|http| http.get(&url)).await?;
    let mut file = fs::File::create(&archive)?;
    while let Some(piece) = answer.chunk().await? {
        file.write_all(&piece)?;
    }
    drop(file);
    let size_bytes = fs::metadata(&archive)?.len();
    let unpacked = folder.path().join("unpacked");
    let limits = virga_engine::UnpackLimits::default();
    virga_engine::unpack(fs::File::open(&archive)?, &unpacked, limits).context("the droplet cannot be read")?;
    let manifest = virga_engine::DropletDir::open(&unpacked).context("the droplet cannot be read")?.manifest().clone();
    Ok(Droplet { found, size_bytes, manifest })
}

fn show(ui: Ui, droplet: &Droplet) -> anyhow::Result<()> {
    let manifest = &droplet.manifest;
    ui.pairs(&[
        ("guid:", droplet.found.guid.clone()),
        ("created:", droplet.found.created_at.clone()),
        ("kind:", manifest.guest.to_string()),
        ("size:", bytes(droplet.size_bytes)),
        ("buildpack:", format!("{} {}", manifest.buildpack.name, manifest.buildpack.version)),
        ("component:", manifest.component.map_or_else(|| "none".to_owned(), |digest| digest.to_string())),
    ])?;
    section(ui, "process types:", manifest.process_types.iter().map(|(kind, command)| format!("{kind}: {command}")))?;
    section(ui, "asks the cell for:", manifest.imports.iter().cloned())?;
    section(ui, "software:", software(manifest))
}

fn software(manifest: &DropletManifest) -> impl Iterator<Item = String> {
    manifest.software.iter().map(|software| format!("{} {}", software.name, software.version))
}

fn section(ui: Ui, title: &str, lines: impl Iterator<Item = String>) -> anyhow::Result<()> {
    let lines: Vec<String> = lines.collect();
    ui.line(format!("{title}{}", if lines.is_empty() { " none" } else { "" }))?;
    lines.iter().try_for_each(|line| ui.line(format!("   {}", line.escape_debug())))?;
    Ok(())
}

fn show_difference(ui: Ui, running: &Droplet, newest: &Droplet) -> anyhow::Result<()> {
    ui.line(format!("\nAgainst the current droplet {} of {}:", running.found.guid, running.found.created_at))?;
    let lines = differences(&running.manifest, &newest.manifest);
    if lines.is_empty() {
        ui.line("   nothing but its files or its code differs")?;
    }
    lines.iter().try_for_each(|line| ui.line(format!("   {}", line.escape_debug())))?;
    Ok(())
}

/// `+` what is new, `-` what is gone.
fn differences(old: &DropletManifest, new: &DropletManifest) -> Vec<String> {
    let mut lines = Vec::new();
    if old.guest != new.guest {
        lines.push(format!("kind: {} -> {}", old.guest, new.guest));
    }
    let types =
        |manifest: &DropletManifest| manifest.process_types.iter().map(|(kind, command)| format!("process {kind}: {command}")).collect();
    let imports = |manifest: &DropletManifest| manifest.imports.iter().map(|import| format!("asks for {import}")).collect();
    let packages = |manifest: &DropletManifest| software(manifest).collect();
    let aspects: [(BTreeSet<String>, BTreeSet<String>); 3] =
        [(types(old), types(new)), (imports(old), imports(new)), (packages(old), packages(new))];
    for (before, after) in &aspects {
        lines.extend(before.difference(after).map(|line| format!("- {line}")));
        lines.extend(after.difference(before).map(|line| format!("+ {line}")));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(imports: &[&str], software: &[(&str, &str)]) -> DropletManifest {
        let software: Vec<_> = software.iter().map(|(name, version)| serde_json::json!({ "name": name, "version": version })).collect();
        serde_json::from_value(serde_json::json!({
            "format": 1, "guest": "http-p2", "component": null, "reuse": "pool", "process_types": { "web": "serve" },
            "buildpack": { "name": "nodejs", "version": "1.0.0" }, "environment": {}, "imports": imports, "software": software,
        }))
        .unwrap()
    }

    #[test]
    fn what_changed_is_told() {
        let old = manifest(&["wasi:random/random@0.2.3"], &[("hono", "4.0.0")]);
        let new = manifest(&["wasi:random/random@0.2.3", "wasi:sockets/tcp@0.2.3"], &[("hono", "4.1.0")]);
        assert_eq!(differences(&old, &new), ["+ asks for wasi:sockets/tcp@0.2.3", "- hono 4.0.0", "+ hono 4.1.0"]);
        assert!(differences(&old, &old).is_empty());
    }
}
