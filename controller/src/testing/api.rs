//! One API over one database.

use super::{FakeLogs, FakeScheduler, FakeStager, User};
use crate::{Bootstrap, Controller, ControllerConfig, ControllerLimits, Parts, bootstrap, builds, jobs, routes};
use serde_json::{Value, json};
use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};
use tokio_util::sync::CancellationToken;
use virga_blobstore::Blobstore;
use virga_broker::{BrokerPolicy, Brokers, Polling};
use virga_contract::ApiError;
use virga_model::{OrgGuid, RoleGuid, SpaceGuid, UserGuid, state::RoleType};
use virga_serve::{
    Clock as _, Endpoints, ServerLimits, SystemClock, Tasks,
    auth::{Claims, SigningKey, Standing, Verifier},
    axum::Router,
    server::{ApiContext, api},
};
use virga_store::{
    Store,
    builds::BuildFilter,
    roles::{RoleRow, RoleScope},
    select::{Listing, Visible},
    uaa, users,
};

const ISSUER: &str = "http://uaa.virga.localhost/oauth/token";

struct AlwaysStands;

#[async_trait::async_trait]
impl Standing for AlwaysStands {
    async fn stands(&self, _: &Claims) -> Result<bool, ApiError> {
        Ok(true)
    }
}

/// One key for all tests: making one takes long.
fn key() -> &'static SigningKey {
    static KEY: OnceLock<SigningKey> = OnceLock::new();
    KEY.get_or_init(|| SigningKey::generate("test").unwrap())
}

/// The API, its controller, and what is behind it.
pub(crate) struct Api {
    /// The controller, for what no endpoint tells.
    pub controller: Controller,
    /// What was asked of the scheduler.
    pub scheduler: Arc<FakeScheduler>,
    pub(super) router: Router,
    admin: UserGuid,
    _blobs: tempfile::TempDir,
}

impl Api {
    /// A new installation on this database.
    pub async fn start(store: Store) -> Self {
        Self::start_with(store, ControllerLimits::default()).await
    }

    /// A new installation on this database with these limits.
    pub async fn start_with(store: Store, limits: ControllerLimits) -> Self {
        let blobs = tempfile::tempdir().unwrap();
        let (scheduler, logs) = (Arc::new(FakeScheduler::default()), Arc::new(FakeLogs::default()));
        let domain = |label: &str| format!("{label}virga.localhost");
        let controller = Controller::new(Parts {
            blobs: Blobstore::in_folder(blobs.path()).unwrap(),
            stager: Arc::new(FakeStager),
            scheduler: scheduler.clone(),
            logs: logs.clone(),
            log_cache: logs.clone(),
            brokers: Brokers::new(BrokerPolicy {
                allowed: vec!["127.0.0.1".parse().unwrap()],
                timeout: Duration::from_secs(2),
                ..BrokerPolicy::default()
            }),
            polling: Polling { interval: Duration::ZERO, ..Polling::default() },
            clock: Arc::new(SystemClock),
            config: ControllerConfig {
                system_domain: domain(""),
                apps_domain: domain("apps."),
                internal_domain: "apps.internal".to_owned(),
                external_names: vec!["paas.corporate.example:8080".to_owned()],
                own_services: false,
                limits,
            },
            store,
        });
        let admin = UserGuid::random();
        let wanted = Bootstrap { organization: "virga".into(), space: "dev".into(), admin, admin_name: "admin".into() };
        bootstrap(&controller, &wanted).await.unwrap();
        bootstrap(&controller, &wanted).await.unwrap();
        let verifier = Verifier::new(ISSUER.to_owned(), Arc::new(SystemClock), Arc::new(AlwaysStands));
        verifier.set_keys([key().public()]);
        let endpoints = Endpoints { domain: domain(""), scheme: "http".into(), port: 80, names: vec![] };
        let context = ApiContext {
            tasks: Tasks::new(),
            limits: ServerLimits::default(),
            endpoints: Arc::new(endpoints),
            verifier: Arc::new(verifier),
        };
        let router = api(routes::router(controller.clone()), context);
        Self { controller, scheduler, router, admin, _blobs: blobs }
    }

    /// Runs jobs and stagings until there are none.
    pub async fn settle(&self) {
        let staging = CancellationToken::new();
        let settled = async {
            while jobs::run_one_round(&self.controller).await.unwrap() + self.stagings().await > 0 {
                tokio::task::yield_now().await;
            }
            staging.cancel();
        };
        tokio::join!(builds::run(&self.controller, staging.clone()), settled);
    }

    async fn stagings(&self) -> usize {
        let filter = BuildFilter { states: Some(vec!["STAGING".to_owned()]), ..BuildFilter::default() };
        let mut db = self.controller.store.read().await.unwrap();
        virga_store::builds::list(&mut db, &filter, Visible::All, &Listing::everything()).await.unwrap().rows.len()
    }

    /// Nobody.
    pub fn anonymous(&self) -> User<'_> {
        User { api: self, guid: None, name: String::new(), token: None }
    }

    /// The administrator.
    pub async fn admin(&self) -> User<'_> {
        self.user_with(self.admin, "admin", &["cloud_controller.admin", "cloud_controller.read", "cloud_controller.write"])
    }

    /// A user without any role, known to the UAA.
    pub async fn user(&self, name: &str) -> User<'_> {
        let (guid, now) = (UserGuid::random(), self.controller.now());
        let mut tx = self.controller.store.begin().await.unwrap();
        let row = uaa::users::UaaUserRow::new(guid, now, name, "uaa");
        uaa::users::insert(&mut tx, &row).await.unwrap();
        users::save_name(&mut tx, guid, Some(name), Some("uaa"), now).await.unwrap();
        tx.commit().await.unwrap();
        self.user_with(guid, name, &["cloud_controller.read", "cloud_controller.write"])
    }

    /// A token for a user with these scopes.
    pub fn user_with(&self, guid: UserGuid, name: &str, scopes: &[&str]) -> User<'_> {
        let now = SystemClock.now().as_second();
        let client = "cf".to_owned();
        let claims = Claims {
            jti: guid.to_string(),
            sub: guid.to_string(),
            authorities: None,
            scope: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            client_id: client.clone(),
            cid: client.clone(),
            azp: client.clone(),
            grant_type: "password".into(),
            user_id: Some(guid.to_string()),
            origin: Some("uaa".into()),
            user_name: Some(name.into()),
            email: Some(name.into()),
            auth_time: Some(now),
            rev_sig: String::new(),
            iat: now,
            exp: now + 600,
            iss: ISSUER.into(),
            zid: "uaa".into(),
            aud: vec![client],
        };
        User { api: self, guid: Some(guid), name: name.to_owned(), token: Some(key().sign(&claims).unwrap()) }
    }

    /// Makes a client of the UAA.
    pub async fn client(&self, id: &str) {
        let mut tx = self.controller.store.begin().await.unwrap();
        let row = uaa::clients::UaaClientRow::new(id, self.controller.now());
        uaa::clients::insert(&mut tx, &row).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// A client that acts for itself, with these scopes.
    pub fn as_client(&self, id: &str, scopes: &[&str]) -> User<'_> {
        let now = SystemClock.now().as_second();
        let claims = Claims {
            jti: id.to_owned(),
            sub: id.to_owned(),
            scope: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            client_id: id.to_owned(),
            cid: id.to_owned(),
            azp: id.to_owned(),
            grant_type: "client_credentials".into(),
            iat: now,
            exp: now + 600,
            iss: ISSUER.into(),
            zid: "uaa".into(),
            aud: vec![id.to_owned()],
            ..Claims::default()
        };
        User { api: self, guid: None, name: id.to_owned(), token: Some(key().sign(&claims).unwrap()) }
    }

    /// A user with one role in the space (or in its organization).
    pub async fn user_who_is(&self, role: RoleType, org: OrgGuid, space: SpaceGuid) -> User<'_> {
        let user = self.user(&format!("{role}-{}", UserGuid::random())).await;
        let scope = if role.is_organization_role() { RoleScope::Organization(org) } else { RoleScope::Space(space) };
        let now = self.controller.now();
        let row = RoleRow { guid: RoleGuid::random(), created_at: now, updated_at: now, kind: role, user: user.guid.unwrap(), scope };
        let mut tx = self.controller.store.begin().await.unwrap();
        assert!(virga_store::roles::insert(&mut tx, &row).await.unwrap());
        tx.commit().await.unwrap();
        user
    }

    /// A new organization with a space in it.
    pub async fn org_and_space(&self, name: &str) -> (OrgGuid, SpaceGuid) {
        let admin = self.admin().await;
        let org = admin.post("/v3/organizations", json!({ "name": name })).await.created();
        let relationships = json!({ "organization": { "data": { "guid": org["guid"] } } });
        let space = admin.post("/v3/spaces", json!({ "name": "space", "relationships": relationships })).await.created();
        (guid_of(&org), guid_of(&space))
    }
}

/// The guid of a resource.
pub(crate) fn guid_of<G: std::str::FromStr>(resource: &Value) -> G
where
    G::Err: std::fmt::Debug,
{
    resource["guid"].as_str().unwrap().parse().unwrap()
}
