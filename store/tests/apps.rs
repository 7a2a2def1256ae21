//! Rows of the app side on both databases: what is written is what is read, lost races are noticed, lists filter.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::collections::BTreeMap;
use virga_model::{
    AppGuid, BuildGuid, DeploymentGuid, DropletGuid, OrgGuid, PackageGuid, ProcessGuid, Sha256Digest, SpaceGuid, Timestamp,
    droplet::GuestKind,
    process::{HealthCheck, HealthCheckType},
    state::{AppState, BuildState, DeploymentState, DeploymentStrategy, DropletState, PackageState},
};
use virga_store::{
    Connection, Store, StoreError,
    apps::{self, AppFilter, AppRow},
    builds::{self, BuildFilter, BuildRow},
    deployments::{self, DeploymentFilter, DeploymentRow},
    droplets::{self, DropletFilter, DropletRow},
    metadata::Metadata,
    organization_quotas::{self, OrganizationQuotaRow},
    organizations::{self, OrganizationRow},
    packages::{self, PackageFilter, PackageRow},
    processes::{self, ProcessFilter, ProcessRow},
    quotas::{self, Promised, QuotaScope},
    resources::{self, ResourceRow},
    select::{LabelRequirement, Listing, OfApps, Visible},
    spaces::{self, SpaceRow},
    testing::on_both,
};

fn now() -> Timestamp {
    Timestamp::from_microsecond(1_800_000_000_123_456).unwrap()
}

fn labelled() -> Metadata {
    Metadata { labels: BTreeMap::from([("tier".to_owned(), "web".to_owned())]), annotations: BTreeMap::new() }
}

async fn space(db: &mut Connection) -> (OrgGuid, SpaceGuid) {
    let quota = OrganizationQuotaRow::unlimited("unlimited", now());
    organization_quotas::insert(db, &quota).await.unwrap();
    let organization = OrganizationRow::new("o", quota.guid, now());
    organizations::insert(db, &organization).await.unwrap();
    let space = SpaceRow::new("s", organization.guid, now());
    spaces::insert(db, &space).await.unwrap();
    (organization.guid, space.guid)
}

fn app(space: SpaceGuid, name: &str) -> AppRow {
    AppRow {
        guid: AppGuid::random(),
        created_at: now(),
        updated_at: now(),
        name: name.into(),
        space,
        state: AppState::Started,
        buildpacks: vec!["wasm".into()],
        stack: "cflinuxfs4".into(),
        droplet: None,
        environment: BTreeMap::from([("A".into(), "'; DROP TABLE apps; --".into())]),
        features: BTreeMap::new(),
        metadata: labelled(),
    }
}

fn process(app: AppGuid, instances: u32, log_rate: i64) -> ProcessRow {
    ProcessRow {
        guid: ProcessGuid::random(),
        created_at: now(),
        updated_at: now(),
        app,
        process_type: "web".into(),
        version: "v".into(),
        command: None,
        instances,
        memory_in_mb: 64,
        disk_in_mb: 128,
        log_rate_limit_in_bytes_per_second: log_rate,
        health_check: HealthCheck::of(HealthCheckType::Port),
        readiness_health_check: HealthCheck::of(HealthCheckType::Process),
        droplet: Some(DropletGuid::random()),
        revision: None,
        metadata: Metadata::default(),
    }
}

#[tokio::test]
async fn apps_and_processes_are_kept_and_a_lost_race_is_noticed() {
    on_both(|store: Store| async move {
        let mut tx = store.begin().await.unwrap();
        let (organization, space) = space(&mut tx).await;
        let mut one = app(space, "one");
        apps::insert(&mut tx, &one).await.unwrap();
        assert_eq!(apps::find(&mut tx, one.guid).await.unwrap().as_ref(), Some(&one));
        let mut stale = one.clone();
        one.droplet = Some(DropletGuid::random());
        apps::update(&mut tx, &mut one, now()).await.unwrap();
        assert!(one.updated_at > stale.updated_at, "a change is later even when the clock stands");
        assert!(matches!(apps::update(&mut tx, &mut stale, now()).await, Err(StoreError::Conflict)));
        assert_eq!(apps::find_by_name(&mut tx, space, "one").await.unwrap(), Some(one.clone()));

        let mut web = process(one.guid, 3, -1);
        processes::insert(&mut tx, &web).await.unwrap();
        processes::insert(&mut tx, &process(one.guid, 2, 100)).await.unwrap();
        web.droplet = None;
        processes::update(&mut tx, &mut web, now()).await.unwrap();
        assert_eq!(processes::find(&mut tx, web.guid).await.unwrap(), Some(web.clone()));
        for scope in [QuotaScope::Everything, QuotaScope::Organization(organization), QuotaScope::Space(space)] {
            let promised = quotas::processes(&mut tx, scope).await.unwrap();
            assert_eq!((promised.memory_in_mb, promised.count), (320, 5));
            assert_eq!((promised.without_log_limit, promised.log_rate_limit_in_bytes_per_second), (3, 200));
        }
        let elsewhere = quotas::processes(&mut tx, QuotaScope::Space(SpaceGuid::random())).await.unwrap();
        assert_eq!(elsewhere, Promised::default());
        assert_eq!(quotas::of_app(&mut tx, one.guid).await.unwrap(), (64, true));
        let placement = apps::placement(&mut tx, one.guid).await.unwrap().unwrap();
        assert_eq!((placement.space_name.as_str(), placement.organization), ("s", organization));
        assert_eq!(apps::uris(&mut tx, one.guid).await.unwrap(), Vec::<String>::new());
        tx.commit().await.unwrap();

        // A failed statement ends a transaction on PostgreSQL, so each gets its own.
        let mut tx = store.begin().await.unwrap();
        let taken = apps::insert(&mut tx, &app(space, "one")).await.unwrap_err();
        assert!(taken.is_unique("apps_space_guid_name"), "{taken:?}");
        drop(tx);
        let mut tx = store.begin().await.unwrap();
        assert!(matches!(apps::delete(&mut tx, one.guid).await, Err(StoreError::Reference(_))));
    })
    .await;
}

#[tokio::test]
async fn lists_filter_and_page() {
    on_both(|store: Store| async move {
        let mut tx = store.begin().await.unwrap();
        let (organization, space) = space(&mut tx).await;
        for name in ["a", "b", "c"] {
            let row = app(space, name);
            apps::insert(&mut tx, &row).await.unwrap();
            processes::insert(&mut tx, &process(row.guid, 1, -1)).await.unwrap();
        }
        tx.commit().await.unwrap();
        let mut db = store.read().await.unwrap();
        let listing = Listing { per_page: 2, order_by: "name", descending: true, ..Listing::default() };
        let page = apps::list(&mut db, &AppFilter::default(), Visible::All, &listing).await.unwrap();
        assert_eq!((page.rows.iter().map(|app| app.name.as_str()).collect::<Vec<_>>(), page.total), (vec!["c", "b"], 3));
        let labels = vec![LabelRequirement::In("tier".into(), vec!["web".into()])];
        let filter = AppFilter {
            names: Some(vec!["a".into(), "x".into()]),
            organizations: Some(vec![organization.to_string()]),
            ..AppFilter::default()
        };
        let page = apps::list(&mut db, &filter, Visible::All, &Listing { labels, ..Listing::default() }).await.unwrap();
        assert_eq!(page.total, 1);
        assert_eq!(apps::list(&mut db, &filter, Visible::Nothing, &Listing::default()).await.unwrap().total, 0);
        let filter =
            ProcessFilter { types: Some(vec!["web".into()]), of: OfApps { spaces: Some(vec![space.to_string()]), ..OfApps::default() } };
        assert_eq!(processes::list(&mut db, &filter, Visible::All, &Listing::default()).await.unwrap().total, 3);
    })
    .await;
}

#[tokio::test]
async fn everything_from_package_to_deployment_is_kept() {
    on_both(|store: Store| async move {
        let mut tx = store.begin().await.unwrap();
        let (_, space) = space(&mut tx).await;
        let owner = app(space, "one");
        apps::insert(&mut tx, &owner).await.unwrap();
        let digest = Sha256Digest::of(b"bits");
        let mut package = PackageRow {
            guid: PackageGuid::random(),
            created_at: now(),
            updated_at: now(),
            app: owner.guid,
            package_type: "bits".into(),
            state: PackageState::AwaitingUpload,
            digest: None,
            size_bytes: None,
            error: None,
            metadata: labelled(),
        };
        packages::insert(&mut tx, &package).await.unwrap();
        (package.state, package.digest, package.size_bytes) = (PackageState::Ready, Some(digest), Some(1 << 40));
        packages::update(&mut tx, &mut package, now()).await.unwrap();
        assert_eq!(packages::list_in_state(&mut tx, PackageState::Ready).await.unwrap(), [package.clone()]);
        assert!(packages::is_blob_used(&mut tx, digest).await.unwrap() && !droplets::is_blob_used(&mut tx, digest).await.unwrap());

        let droplet = droplet(owner.guid, package.guid, digest);
        droplets::insert(&mut tx, &droplet).await.unwrap();
        let mut build = build(owner.guid, package.guid);
        builds::insert(&mut tx, &build).await.unwrap();
        assert!(builds::is_staging(&mut tx, owner.guid).await.unwrap());
        (build.state, build.droplet) = (BuildState::Staged, Some(droplet.guid));
        build.steps = vec![("fetch".into(), 7)];
        builds::update(&mut tx, &mut build, now()).await.unwrap();
        assert_eq!(builds::find(&mut tx, build.guid).await.unwrap().as_ref(), Some(&build));
        let filter = BuildFilter { packages: Some(vec![package.guid.to_string()]), ..BuildFilter::default() };
        assert_eq!(builds::list(&mut tx, &filter, Visible::All, &Listing::default()).await.unwrap().rows, [build]);
        let mut current = DropletFilter { current: true, ..DropletFilter::default() };
        assert_eq!(droplets::list(&mut tx, &current, Visible::All, &Listing::default()).await.unwrap().total, 0);
        current.current = false;
        assert_eq!(
            droplets::list(&mut tx, &current, Visible::All, &Listing::default()).await.unwrap().rows,
            std::slice::from_ref(&droplet)
        );
        let filter = PackageFilter { states: Some(vec!["READY".into()]), ..PackageFilter::default() };
        assert_eq!(packages::list(&mut tx, &filter, Visible::All, &Listing::default()).await.unwrap().rows, [package]);

        let mut deployment = deployment(owner.guid, droplet.guid);
        deployments::insert(&mut tx, &deployment).await.unwrap();
        assert_eq!(deployments::find_active(&mut tx, owner.guid).await.unwrap().as_ref(), Some(&deployment));
        deployment.state = DeploymentState::Deployed;
        deployment.last_healthy_at = Some(now());
        deployments::update(&mut tx, &mut deployment, now()).await.unwrap();
        assert_eq!(deployments::list_active(&mut tx).await.unwrap(), []);
        let all = DeploymentFilter { of: OfApps::app(owner.guid), ..DeploymentFilter::default() };
        assert_eq!(deployments::list(&mut tx, &all, Visible::All, &Listing::default()).await.unwrap().rows, [deployment]);
    })
    .await;
}

#[tokio::test]
async fn resources_are_found_by_what_clients_know_and_forgotten_when_unused() {
    on_both(|store: Store| async move {
        let mut tx = store.begin().await.unwrap();
        let resource = ResourceRow { sha1: "aa".into(), size_bytes: 5, digest: Sha256Digest::of(b"hello") };
        resources::touch(&mut tx, &resource, now()).await.unwrap();
        resources::touch(&mut tx, &resource, now()).await.unwrap();
        assert_eq!(resources::find(&mut tx, "aa", 5).await.unwrap().as_ref(), Some(&resource));
        assert_eq!(resources::find(&mut tx, "aa", 6).await.unwrap(), None);
        assert_eq!(resources::list_unused(&mut tx, now(), 10).await.unwrap(), []);
        let later = Timestamp::from_microsecond(now().as_microsecond() + 1).unwrap();
        assert_eq!(resources::list_unused(&mut tx, later, 10).await.unwrap(), std::slice::from_ref(&resource));
        resources::delete(&mut tx, &resource).await.unwrap();
        assert_eq!(resources::find(&mut tx, "aa", 5).await.unwrap(), None);
    })
    .await;
}

fn droplet(app: AppGuid, package: PackageGuid, digest: Sha256Digest) -> DropletRow {
    DropletRow {
        guid: DropletGuid::random(),
        created_at: now(),
        updated_at: now(),
        app,
        package: Some(package),
        state: DropletState::Staged,
        error: None,
        digest: Some(Sha256Digest::of(digest.as_bytes())),
        size_bytes: Some(9),
        guest: Some(GuestKind::Static),
        component: None,
        stack: "cflinuxfs4".into(),
        process_types: BTreeMap::from([("web".into(), "serve".into())]),
        buildpacks: serde_json::json!([{ "name": "staticfile" }]),
        metadata: Metadata::default(),
    }
}

fn build(app: AppGuid, package: PackageGuid) -> BuildRow {
    BuildRow {
        guid: BuildGuid::random(),
        created_at: now(),
        updated_at: now(),
        app,
        package,
        droplet: None,
        state: BuildState::Staging,
        error: None,
        buildpacks: vec![],
        stack: "cflinuxfs4".into(),
        staging_memory_in_mb: 1,
        staging_disk_in_mb: 2,
        created_by: (Some("u".into()), None, None),
        steps: vec![],
        metadata: Metadata::default(),
    }
}

fn deployment(app: AppGuid, droplet: DropletGuid) -> DeploymentRow {
    DeploymentRow {
        guid: DeploymentGuid::random(),
        created_at: now(),
        updated_at: now(),
        app,
        state: DeploymentState::Deploying,
        strategy: DeploymentStrategy::Rolling,
        max_in_flight: 1,
        droplet,
        previous_droplet: None,
        old_web_process: ProcessGuid::random(),
        new_web_process: ProcessGuid::random(),
        original_instances: 2,
        asked: Default::default(),
        canary_steps: None,
        canary_step: None,
        revision: None,
        last_healthy_at: None,
        status_changed_at: now(),
        error: None,
        metadata: Metadata::default(),
    }
}
