//! `virga target`, and what every other command needs to know about the target.

use super::{args::Target, ui::Ui};
use crate::client::{
    Client, ClientError, Named, encode,
    resources::{App, Resource},
};
use anyhow::bail;

/// The targeted organization and space, and who asks.
pub struct Targeted {
    /// The organization.
    pub organization: Named,
    /// The space.
    pub space: Named,
    /// The user.
    pub user: String,
}

/// Organization and space of the session.
pub fn targeted(client: &Client) -> anyhow::Result<Targeted> {
    let session = client.session();
    if session.api.is_empty() {
        return Err(ClientError::NoApi.into());
    }
    let Some(user) = session.user() else { return Err(ClientError::NotLoggedIn.into()) };
    match (session.organization, session.space) {
        (Some(organization), Some(space)) => Ok(Targeted { organization, space, user }),
        (None, _) => bail!("No org targeted, use 'virga target -o ORG' to target an org."),
        (_, None) => bail!("No space targeted, use 'virga target -s SPACE' to target a space."),
    }
}

impl Targeted {
    /// `org o / space s as u`
    pub fn place(&self) -> String {
        format!("org {} / space {} as {}", self.organization.name, self.space.name, self.user)
    }

    /// An app of the space by name, if there is one.
    pub async fn find_app(&self, client: &Client, name: &str) -> anyhow::Result<Option<App>> {
        let path = format!("/v3/apps?names={}&space_guids={}&per_page=1", encode(name), self.space.guid);
        Ok(client.list::<App>(&path).await?.into_iter().next())
    }

    /// An app of the space by name.
    pub async fn app(&self, client: &Client, name: &str) -> anyhow::Result<App> {
        match self.find_app(client, name).await? {
            Some(app) => Ok(app),
            None => bail!("App '{name}' not found."),
        }
    }
}

/// Targets the named organization; its only space comes with it.
pub async fn choose_org(client: &Client, name: &str) -> anyhow::Result<()> {
    let path = format!("/v3/organizations?names={}", encode(name));
    let Some(org) = client.list::<Resource>(&path).await?.into_iter().next() else { bail!("Organization '{name}' not found.") };
    let spaces: Vec<Resource> = client.list(&format!("/v3/spaces?organization_guids={}&order_by=name", org.guid)).await?;
    let only = match spaces.as_slice() {
        [space] => Some(Named { guid: space.guid.clone(), name: space.name.clone() }),
        _ => None,
    };
    client.update(|session| {
        session.organization = Some(Named { guid: org.guid, name: org.name });
        session.space = only;
    })
}

/// Targets the named space of the targeted organization.
pub async fn choose_space(client: &Client, name: &str) -> anyhow::Result<()> {
    let Some(org) = client.session().organization else { bail!("An org must be targeted before targeting a space") };
    let path = format!("/v3/spaces?names={}&organization_guids={}", encode(name), org.guid);
    let Some(space) = client.list::<Resource>(&path).await?.into_iter().next() else { bail!("Space '{name}' not found.") };
    client.update(|session| session.space = Some(Named { guid: space.guid, name: space.name }))
}

/// Prints the target as `cf target` does.
pub fn show(client: &Client, ui: Ui) -> anyhow::Result<()> {
    let session = client.session();
    let mut pairs = vec![("API endpoint:", session.api.clone()), ("API version:", session.api_version.clone())];
    match session.user() {
        Some(user) => pairs.push(("user:", user)),
        None => {
            ui.pairs(&pairs)?;
            return Err(ClientError::NotLoggedIn.into());
        }
    }
    if let Some(org) = &session.organization {
        pairs.push(("org:", org.name.clone()));
    }
    if let Some(space) = &session.space {
        pairs.push(("space:", space.name.clone()));
    }
    ui.pairs(&pairs)?;
    if session.organization.is_none() {
        ui.line("No org or space targeted, use 'virga target -o ORG -s SPACE'")?;
    } else if session.space.is_none() {
        ui.line("No space targeted, use 'virga target -s SPACE'")?;
    }
    Ok(())
}

/// `virga target [-o ORG] [-s SPACE]`
pub async fn run(client: &Client, ui: Ui, args: Target) -> anyhow::Result<()> {
    if client.session().api.is_empty() {
        return Err(ClientError::NoApi.into());
    }
    if let Some(org) = &args.org {
        choose_org(client, org).await?;
    }
    if let Some(space) = &args.space {
        choose_space(client, space).await?;
    }
    show(client, ui)
}
