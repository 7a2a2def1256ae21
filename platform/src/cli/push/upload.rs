//! Steps 5 to 8 of a push: match resources, create a package, upload what the server lacks.

use super::{bits::Bits, receipt::Receipt};
use crate::{
    cli::ui::Ui,
    client::{
        Client, Poll,
        resources::{App, Package},
    },
};
use anyhow::bail;
use futures::TryStreamExt as _;
use reqwest::multipart::{Form, Part};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{collections::HashSet, io::Seek as _};

/// Resources of one call of `/v3/resource_matches`.
const CHUNK: usize = 5_000;

#[derive(Deserialize)]
struct Matches {
    resources: Vec<Value>,
}

/// Makes a package of the bits that is READY on the server; answers its guid.
pub async fn upload(client: &Client, ui: Ui, app: &App, bits: Bits, receipt: &mut Receipt) -> anyhow::Result<String> {
    let matched = match_resources(client, &bits).await?;
    receipt.step("match");
    let names: HashSet<String> = matched.iter().filter_map(|r| r.get("path").and_then(Value::as_str)).map(str::to_owned).collect();
    let body = json!({"type": "bits", "relationships": {"app": {"data": {"guid": app.guid}}}});
    let package: Package = client.post("/v3/packages", &body).await?;
    let zip = tokio::task::spawn_blocking(move || bits.archive(&names)).await??;
    ui.line("Uploading files...")?;
    let path = format!("/v3/packages/{}/upload", package.guid);
    let mut form = Form::new().text("resources", serde_json::to_string(&matched)?);
    let mut progress = None;
    match zip {
        Some(mut file) => {
            file.rewind()?;
            let size = file.metadata()?.len();
            let bar = ui.bar(size);
            progress = Some(bar.clone());
            let stream = tokio_util::io::ReaderStream::with_capacity(tokio::fs::File::from_std(file), 64 * 1024);
            let stream = stream.inspect_ok(move |chunk| bar.inc(chunk.len() as u64));
            let part = Part::stream_with_length(reqwest::Body::wrap_stream(stream), size);
            form = form.part("bits", part.file_name("package.zip").mime_str("application/zip")?);
        }
        None => ui.line("All files found in remote cache; nothing to upload.")?,
    }
    let sent: Result<Package, _> = client.post_form(&path, form).await;
    if let Some(bar) = progress {
        bar.finish_and_clear();
    }
    let mut package = sent?;
    ui.line("Waiting for API to complete processing files...\n")?;
    let mut poll = Poll::new();
    loop {
        match package.state.as_str() {
            "READY" => break,
            "FAILED" => bail!("Package upload failed: {}", package.data.error.unwrap_or_default()),
            "EXPIRED" => bail!("The package has expired"),
            _ => poll.wait().await,
        }
        package = client.get(&format!("/v3/packages/{}", package.guid)).await?;
    }
    receipt.step("upload");
    Ok(package.guid)
}

async fn match_resources(client: &Client, bits: &Bits) -> anyhow::Result<Vec<Value>> {
    let mut matched = Vec::new();
    for chunk in bits.resources().chunks(CHUNK) {
        let found: Matches = client.post("/v3/resource_matches", &json!({"resources": chunk})).await?;
        matched.extend(found.resources);
    }
    Ok(matched)
}
