//! `virga up --sample`: the first app, pushed over the real API with the same code as `virga push`.

use super::compose::{ORGANIZATION, SPACE};
use crate::{
    cli::{args::Push, push, target, ui::Ui},
    client::{Client, Session, resources::Route},
};
use anyhow::Context as _;
use std::net::SocketAddr;

/// Name of the sample app.
const NAME: &str = "hello";
/// The sample's own source, in the binary so that it can be pushed from anywhere.
const SOURCE: (&str, &str) = ("app.wat", include_str!("../../../tests/apps/wat-hello/app.wat"));

/// Logs in as the administrator, pushes the sample unless it is there and started, and answers its URL.
pub async fn push_sample(listen: SocketAddr, password: &str) -> anyhow::Result<String> {
    let client = Client::new(Session::default(), None)?;
    client.discover(&format!("http://{listen}")).await?;
    client
        .log_in(virga_uaa::ADMIN_USERNAME, password)
        .await
        .context("the sample needs the administrator's password: set VIRGA_ADMIN_PASSWORD")?;
    target::choose_org(&client, ORGANIZATION).await?;
    target::choose_space(&client, SPACE).await?;
    let target = target::targeted(&client)?;
    let there = target.find_app(&client, NAME).await?;
    if there.is_none_or(|app| app.state != "STARTED") {
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join(SOURCE.0), SOURCE.1)?;
        let args = Push {
            name: Some(NAME.to_owned()),
            path: Some(folder.path().to_owned()),
            no_manifest: true,
            memory: Some("64M".to_owned()),
            ..Push::default()
        };
        push::run(&client, Ui::stderr(), args).await?;
    }
    let app = target.app(&client, NAME).await?;
    let routes: Vec<Route> = client.list(&format!("/v3/apps/{}/routes", app.guid)).await?;
    let route = routes.first().context("the sample has no route")?;
    Ok(match listen.port() {
        80 => format!("http://{}/", route.url),
        port => format!("http://{}:{port}/", route.url),
    })
}
