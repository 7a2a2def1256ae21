//! What must be there before anybody can log in: the administrator, the groups and the platform's own clients.

use crate::{
    authority::OpenError,
    passwords::{self, Passwords},
    settings::UaaSettings,
    standing,
    users::DEFAULT_GROUPS,
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use virga_model::{Timestamp, UserGuid};
use virga_serve::Secret;
use virga_store::{
    Store, StoreError,
    row::cut_to_micros,
    uaa::{
        clients::{self, UaaClientRow},
        groups,
        users::{self, UaaUserRow},
    },
};

/// Name of the first administrator.
pub const ADMIN_USERNAME: &str = "admin";

/// Id of the client that may administer everything here, where the settings have a secret for it.
const ADMIN_CLIENT: &str = "admin";

/// Groups of the administrator beyond those of every user; cf-deployment gives its admin the same.
const ADMIN_GROUPS: &[&str] = &[
    "clients.read",
    "cloud_controller.admin",
    "cloud_controller.admin_read_only",
    "cloud_controller.global_auditor",
    "doppler.firehose",
    "network.admin",
    "network.write",
    "routing.router_groups.read",
    "routing.router_groups.write",
    "scim.read",
    "scim.write",
];

/// Further groups that are there from the start, so that somebody can be put into them.
const OTHER_GROUPS: &[&str] = &[
    "clients.admin",
    "clients.secret",
    "clients.write",
    "groups.update",
    "oauth.login",
    "scim.create",
    "scim.userids",
    "tokens.revoke",
    "uaa.admin",
    "uaa.none",
    "uaa.resource",
];

/// What the client `cf` may ask for on behalf of a user (cf-deployment, `uaa.clients.cf`).
const CF_SCOPES: &[&str] = &[
    "clients.read",
    "cloud_controller.admin",
    "cloud_controller.admin_read_only",
    "cloud_controller.global_auditor",
    "cloud_controller.read",
    "cloud_controller.write",
    "doppler.firehose",
    "network.admin",
    "network.write",
    "openid",
    "password.write",
    "routing.router_groups.read",
    "routing.router_groups.write",
    "scim.read",
    "scim.write",
    "uaa.user",
];

/// What the client `admin` may do (cf-deployment, `uaa.admin`).
const ADMIN_AUTHORITIES: &[&str] = &[
    "clients.admin",
    "clients.read",
    "clients.secret",
    "clients.write",
    "cloud_controller.admin",
    "doppler.firehose",
    "network.admin",
    "oauth.login",
    "password.write",
    "routing.router_groups.read",
    "routing.router_groups.write",
    "scim.read",
    "scim.write",
    "tokens.revoke",
    "uaa.admin",
];

/// The grant that exchanges a token of a provider for one of ours.
pub(crate) const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// What a bootstrap found or made.
#[derive(Debug)]
pub struct Bootstrapped {
    /// The administrator.
    pub admin: UserGuid,
    /// The administrator's password, where it was made up just now. It is kept nowhere: show it once.
    pub generated_password: Option<Secret<String>>,
}

/// Whether a client of this id is made anew at every start.
pub(crate) fn is_platform_client(id: &str) -> bool {
    matches!(id, "cf" | "ssh-proxy" | ADMIN_CLIENT)
}

/// Makes sure that the administrator, the groups and the clients `cf` and `ssh-proxy` are there, and `admin` where the settings
/// have a secret for it. Where the administrator exists, its password and groups stay as they are and `admin_password` is
/// not looked at.
///
/// # Errors
/// See [`OpenError`].
pub async fn bootstrap(
    store: &Store,
    settings: &UaaSettings,
    now: Timestamp,
    admin_password: Option<Secret<String>>,
) -> Result<Bootstrapped, OpenError> {
    let now = cut_to_micros(now);
    let known = users::find_by_name(&mut *store.read().await?, ADMIN_USERNAME, "uaa").await?;
    let (admin, generated_password) = match known {
        Some(admin) => (admin.guid, None),
        None => create_admin(store, now, admin_password).await?,
    };
    let admin_client = admin_client(store, settings, now).await?;
    let mut transaction = store.begin().await?;
    for group in ADMIN_GROUPS.iter().chain(DEFAULT_GROUPS).chain(OTHER_GROUPS) {
        groups::ensure(&mut transaction, group, now).await?;
    }
    for group in groups::list_without_row(&mut transaction).await? {
        groups::ensure(&mut transaction, &group, now).await?;
    }
    for client in platform_clients(settings, now) {
        clients::upsert(&mut transaction, &client).await?;
    }
    match admin_client {
        Some(client) => clients::upsert(&mut transaction, &client).await?,
        None => drop(clients::delete(&mut transaction, ADMIN_CLIENT).await?),
    }
    transaction.commit().await?;
    Ok(Bootstrapped { admin, generated_password })
}

async fn create_admin(
    store: &Store,
    now: Timestamp,
    password: Option<Secret<String>>,
) -> Result<(UserGuid, Option<Secret<String>>), OpenError> {
    let generated = password.is_none().then(|| Secret::new(BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 18]>())));
    let password = password.or_else(|| generated.clone()).unwrap_or_default();
    // Hashed before the transaction begins, which holds the database's one write lock.
    let password_hash = passwords::hash(&password).await.map_err(OpenError::Hash)?;
    let admin = UaaUserRow { password_hash: Some(password_hash), ..UaaUserRow::new(UserGuid::random(), now, ADMIN_USERNAME, "uaa") };
    let mut transaction = store.begin().await?;
    match users::insert(&mut transaction, &admin).await {
        Ok(()) => {}
        // Another control process was faster; its password counts.
        Err(StoreError::Unique { .. }) => {
            transaction.rollback().await?;
            let other = users::find_by_name(&mut *store.read().await?, ADMIN_USERNAME, "uaa").await?;
            return other.map(|user| (user.guid, None)).ok_or(OpenError::Store(StoreError::Conflict));
        }
        Err(error) => return Err(error.into()),
    }
    for group in ADMIN_GROUPS {
        groups::add(&mut transaction, admin.guid, group, "uaa").await?;
    }
    transaction.commit().await?;
    Ok((admin.guid, generated))
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn platform_clients(settings: &UaaSettings, now: Timestamp) -> Vec<UaaClientRow> {
    let cf = UaaClientRow {
        name: "cf command line".to_owned(),
        grant_types: owned(&["password", "refresh_token", JWT_BEARER]),
        scopes: owned(CF_SCOPES),
        authorities: owned(&["uaa.none"]),
        access_token_seconds: settings.cf_access_token_seconds,
        refresh_token_seconds: settings.cf_refresh_token_seconds,
        ..UaaClientRow::new("cf", now)
    };
    let ssh_proxy = UaaClientRow {
        name: "ssh".to_owned(),
        grant_types: owned(&["authorization_code"]),
        scopes: owned(&["openid", "cloud_controller.read", "cloud_controller.write", "cloud_controller.admin"]),
        authorities: owned(&["uaa.none"]),
        // Read from the answer of `/oauth/authorize` by `cf ssh-code`, and never followed.
        redirect_uris: owned(&["http://localhost/"]),
        autoapprove: owned(&["true"]),
        access_token_seconds: settings.cf_access_token_seconds,
        refresh_token_seconds: settings.cf_refresh_token_seconds,
        ..UaaClientRow::new("ssh-proxy", now)
    };
    vec![cf, ssh_proxy]
}

/// The client `admin`; where its secret is the one that is kept already, its tokens stay good.
async fn admin_client(store: &Store, settings: &UaaSettings, now: Timestamp) -> Result<Option<UaaClientRow>, OpenError> {
    let Some(secret) = settings.admin_client_secret.as_ref().filter(|secret| !secret.expose().is_empty()) else { return Ok(None) };
    let known = clients::find(&mut *store.read().await?, ADMIN_CLIENT).await?;
    let mut client = UaaClientRow {
        grant_types: owned(&["client_credentials"]),
        scopes: owned(&["uaa.none"]),
        authorities: owned(ADMIN_AUTHORITIES),
        access_token_seconds: settings.access_token_seconds,
        refresh_token_seconds: settings.refresh_token_seconds,
        ..UaaClientRow::new(ADMIN_CLIENT, now)
    };
    let hash = known.as_ref().and_then(|known| known.secret_hash.clone());
    let same = Passwords::fits(secret, hash.as_deref()).await.map_err(OpenError::Hash)?;
    match known.filter(|_| same) {
        Some(known) => (client.secret_hash, client.token_salt) = (known.secret_hash, known.token_salt),
        None => {
            client.secret_hash = Some(passwords::hash(secret).await.map_err(OpenError::Hash)?);
            client.token_salt = standing::salt();
        }
    }
    Ok(Some(client))
}
