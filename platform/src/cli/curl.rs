//! `virga curl`.

use super::{args::Curl, ui::Ui};
use crate::client::{Client, ClientError};
use anyhow::Context as _;
use std::io::Write as _;

/// `virga curl PATH [-X METHOD] [-H HEADER] [-d DATA] [-i] [--fail] [--output FILE]`
pub async fn run(client: &Client, ui: Ui, args: Curl) -> anyhow::Result<()> {
    let path = if args.path.starts_with('/') { args.path.clone() } else { format!("/{}", args.path) };
    let url = client.url(&path)?;
    let data = match args.data.as_deref() {
        Some(text) => match text.strip_prefix('@') {
            Some(file) => Some(std::fs::read(file).with_context(|| format!("cannot read {file}"))?),
            None => Some(text.as_bytes().to_vec()),
        },
        None => None,
    };
    let default = if data.is_some() { "POST" } else { "GET" };
    let method = reqwest::Method::from_bytes(args.method.as_deref().unwrap_or(default).as_bytes())?;
    let mut headers = Vec::new();
    for header in &args.headers {
        let (name, value) = header.split_once(':').with_context(|| format!("header '{header}' has no colon"))?;
        headers.push((name.trim().to_owned(), value.trim().to_owned()));
    }
    let response = client
        .send_raw(|http| {
            let mut request = http.request(method.clone(), &url).header("Content-Type", "application/json");
            for (name, value) in &headers {
                request = request.header(name, value);
            }
            match &data {
                Some(data) => request.body(data.clone()),
                None => request,
            }
        })
        .await?;
    let status = response.status();
    if args.include {
        ui.line(format!("{:?} {status}", response.version()))?;
        for (name, value) in response.headers() {
            ui.line(format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())))?;
        }
        ui.blank()?;
    }
    let body = response.bytes().await.map_err(ClientError::from)?;
    match &args.output {
        Some(file) => std::fs::write(file, &body).with_context(|| format!("cannot write {}", file.display()))?,
        None => {
            std::io::stdout().lock().write_all(&body)?;
            ui.blank()?;
        }
    }
    if args.fail && !status.is_success() {
        anyhow::bail!("The requested URL returned error: {}", status.as_u16());
    }
    Ok(())
}
