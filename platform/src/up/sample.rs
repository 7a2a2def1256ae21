//! `virga up --sample`: the first app, pushed over the real API with the same code as `virga push`.

use super::compose::{ORGANIZATION, SPACE};
use crate::{
    cli::{args::Push, push, target, ui::Ui},
    client::{Client, Session, resources::Route},
};
use anyhow::{Context as _, bail};
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};
use virga_model::state::AppState;
use virga_store::{Store, apps, organizations, spaces};

/// Name of the sample app.
const NAME: &str = "hello";
/// The sample's own source, in the binary so that it can be pushed from anywhere.
const SOURCE: (&str, &str) = ("app.wat", include_str!("../../../tests/apps/wat-hello/app.wat"));

/// How long the sample may take to answer.
const ANSWER_TIME: Duration = Duration::from_secs(20);

/// Route of the sample, if an earlier start pushed it and it was not stopped since.
pub async fn find(store: &Store) -> anyhow::Result<Option<String>> {
    let mut db = store.read().await?;
    let Some(org) = organizations::find_by_name(&mut db, ORGANIZATION).await? else { return Ok(None) };
    let Some(space) = spaces::find_by_name(&mut db, org.guid, SPACE).await? else { return Ok(None) };
    let Some(app) = apps::find_by_name(&mut db, space.guid, NAME).await? else { return Ok(None) };
    let uris = if app.state == AppState::Started { apps::uris(&mut db, app.guid).await? } else { Vec::new() };
    Ok(uris.into_iter().next())
}

/// Logs in as the administrator, pushes the sample and answers its route.
pub async fn push_sample(api: SocketAddr, password: &str) -> anyhow::Result<String> {
    let api = format!("http://{api}");
    let client = Client::new(Session { api: api.clone(), ..Session::default() }, None)?;
    client.discover(&api).await?;
    client.log_in(virga_uaa::ADMIN_USERNAME, password).await?;
    target::choose_org(&client, ORGANIZATION).await?;
    target::choose_space(&client, SPACE).await?;
    let target = target::targeted(&client)?;
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
    let app = target.app(&client, NAME).await?;
    let routes: Vec<Route> = client.list(&format!("/v3/apps/{}/routes", app.guid)).await?;
    Ok(routes.into_iter().next().context("the sample has no route")?.url)
}

/// Asks the route until an app answers, and gives its URL.
pub async fn until_it_answers(api: SocketAddr, route: &str) -> anyhow::Result<String> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let began = Instant::now();
    loop {
        let answer = client.get(format!("http://{api}/")).header("host", route).send().await?;
        if answer.status().is_success() {
            break;
        }
        if began.elapsed() > ANSWER_TIME {
            bail!("the sample answers {} instead of a page; 'virga logs {NAME} --recent' says why", answer.status());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(match api.port() {
        80 => format!("http://{route}/"),
        port => format!("http://{route}:{port}/"),
    })
}
