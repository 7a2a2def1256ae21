//! `virga login`, `logout` and `oauth-token`.

use super::{args::Login, target, ui::Ui};
use crate::client::{Client, ClientError, Session, resources::Resource};
use anyhow::{Context as _, bail};
use std::{
    io::{BufRead as _, IsTerminal as _, Write as _},
    path::PathBuf,
};

/// Tries at the password prompt, as `cf` gives.
const TRIES: u32 = 3;

/// `virga login [-a URL] [-u USER] [-p PASSWORD] [-o ORG] [-s SPACE]`
pub async fn run(file: PathBuf, ui: Ui, args: Login) -> anyhow::Result<()> {
    let before = Session::load(&file)?;
    let api = match &args.api {
        Some(url) => with_scheme(url),
        None if !before.api.is_empty() => before.api.clone(),
        None => ask("API endpoint")?,
    };
    let skip = args.skip_ssl_validation || (before.api == api && before.skip_ssl_validation);
    let client = Client::new(Session { api: api.clone(), skip_ssl_validation: skip, ..Session::default() }, Some(file))?;
    ui.line(format!("API endpoint: {api}"))?;
    ui.blank()?;
    client.discover(&api).await?;
    authenticate(&client, ui, &args).await?;
    ui.ok()?;
    ui.blank()?;
    match &args.org {
        Some(org) => target::choose_org(&client, org).await?,
        None => only_org(&client).await?,
    }
    if let Some(space) = &args.space {
        target::choose_space(&client, space).await?;
    }
    target::show(&client, ui)
}

async fn authenticate(client: &Client, ui: Ui, args: &Login) -> anyhow::Result<()> {
    let user = match &args.user {
        Some(user) => user.clone(),
        None => ask("Email")?,
    };
    if let Some(password) = &args.password {
        ui.line("Authenticating...")?;
        return client.log_in(&user, password).await;
    }
    for left in (0..TRIES).rev() {
        let password = ask_password()?;
        ui.line("Authenticating...")?;
        match client.log_in(&user, &password).await {
            Err(error) if left > 0 && matches!(error.downcast_ref(), Some(ClientError::Uaa { .. })) => ui.line(format!("{error}\n"))?,
            result => return result,
        }
    }
    bail!("Unable to authenticate.")
}

/// With one organization there is nothing to choose.
async fn only_org(client: &Client) -> anyhow::Result<()> {
    let orgs: Vec<Resource> = client.list("/v3/organizations?order_by=name").await?;
    match orgs.as_slice() {
        [org] => {
            let name = org.name.clone();
            target::choose_org(client, &name).await
        }
        _ => Ok(()),
    }
}

/// A bare host means https, as for `cf`.
fn with_scheme(url: &str) -> String {
    let url = url.trim_end_matches('/');
    if url.contains("://") { url.to_owned() } else { format!("https://{url}") }
}

fn ask(label: &str) -> anyhow::Result<String> {
    let mut stderr = std::io::stderr().lock();
    write!(stderr, "{label}: ")?;
    stderr.flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    match answer.trim() {
        "" => bail!("{label} is needed"),
        text => Ok(text.to_owned()),
    }
}

fn ask_password() -> anyhow::Result<String> {
    if std::io::stdin().is_terminal() {
        rpassword::prompt_password("Password: ").context("cannot read the password")
    } else {
        ask("Password")
    }
}

/// `virga logout`: the tokens are of no use to anybody after it. Where the platform cannot be reached, they are forgotten here.
pub async fn log_out(client: &Client, ui: Ui) -> anyhow::Result<()> {
    let user = client.session().user().unwrap_or_default();
    ui.line(format!("Logging out {user}..."))?;
    if let Err(error) = client.revoke().await {
        ui.line(format!("The tokens could not be revoked and end by themselves later: {error}"))?;
    }
    client.update(|session| {
        session.access_token.clear();
        session.refresh_token.clear();
        session.organization = None;
        session.space = None;
    })?;
    Ok(ui.ok()?)
}

/// `virga oauth-token`: always a fresh one, as for `cf`.
pub async fn oauth_token(client: &Client, ui: Ui) -> anyhow::Result<()> {
    let stale = client.token().await?;
    let token = client.refresh(&stale).await?;
    Ok(ui.line(format!("bearer {token}"))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_host_is_https() {
        assert_eq!(with_scheme("api.example.com/"), "https://api.example.com");
        assert_eq!(with_scheme("http://127.0.0.1:8080/"), "http://127.0.0.1:8080");
    }
}
