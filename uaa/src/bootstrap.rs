//! What must be there before anybody can log in: the administrator and the platform's own clients.

use crate::{authority::OpenError, passwords};
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

/// What a bootstrap found or made.
#[derive(Debug)]
pub struct Bootstrapped {
    /// The administrator.
    pub admin: UserGuid,
    /// The administrator's password, where it was made up just now. It is kept nowhere: show it once.
    pub generated_password: Option<Secret<String>>,
}

/// Makes sure that the administrator and the clients `cf` and `ssh-proxy` are there. Where the administrator exists, its
/// password and groups stay as they are and `admin_password` is not looked at.
///
/// # Errors
/// See [`OpenError`].
pub async fn bootstrap(store: &Store, now: Timestamp, admin_password: Option<Secret<String>>) -> Result<Bootstrapped, OpenError> {
    let now = cut_to_micros(now);
    let known = users::find_by_name(&mut *store.read().await?, ADMIN_USERNAME, "uaa").await?;
    let (admin, generated_password) = match known {
        Some(admin) => (admin.guid, None),
        None => create_admin(store, now, admin_password).await?,
    };
    let mut transaction = store.begin().await?;
    for client in platform_clients(now) {
        clients::upsert(&mut transaction, &client).await?;
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
    let admin = UaaUserRow {
        guid: UserGuid::random(),
        created_at: now,
        updated_at: now,
        username: ADMIN_USERNAME.to_owned(),
        origin: "uaa".to_owned(),
        email: ADMIN_USERNAME.to_owned(),
        given_name: String::new(),
        family_name: String::new(),
        password_hash: Some(password_hash),
        password_changed_at: now,
        active: true,
        failed_logins: 0,
        last_failed_at: Timestamp::UNIX_EPOCH,
    };
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
        groups::add(&mut transaction, admin.guid, group).await?;
    }
    transaction.commit().await?;
    Ok((admin.guid, generated))
}

fn platform_clients(now: Timestamp) -> Vec<UaaClientRow> {
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let client = |id: &str, grant_types: &[&str], scopes: &[&str]| UaaClientRow {
        client_id: id.to_owned(),
        created_at: now,
        updated_at: now,
        secret_hash: None,
        grant_types: owned(grant_types),
        scopes: owned(scopes),
        authorities: owned(&["uaa.none"]),
        access_token_seconds: 1_200,
        refresh_token_seconds: 2_592_000,
    };
    let ssh_scopes = ["openid", "cloud_controller.read", "cloud_controller.write", "cloud_controller.admin"];
    vec![client("cf", &["password", "refresh_token"], CF_SCOPES), client("ssh-proxy", &["authorization_code"], &ssh_scopes)]
}
