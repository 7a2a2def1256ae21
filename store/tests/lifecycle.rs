//! Tasks, revisions and deployments on both databases.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::collections::BTreeMap;
use virga_model::{
    AppGuid, DeploymentGuid, DropletGuid, ProcessGuid, RevisionGuid, TaskGuid, Timestamp,
    process::{HealthCheck, HealthCheckType},
    state::{AppState, DeploymentState, DeploymentStrategy, DropletState, TaskState},
};
use virga_store::{
    Connection, Store,
    apps::{self, AppRow},
    deployments::{self, AskedOfWeb, DeploymentRow},
    droplets::{self, DropletRow},
    metadata::Metadata,
    organization_quotas::{self, OrganizationQuotaRow},
    organizations::{self, OrganizationRow},
    processes::{self, ProcessRow},
    revisions::{self, RevisionFilter, RevisionRow},
    scheduling,
    select::{Listing, OfApps, Visible},
    spaces::{self, SpaceRow},
    tasks::{self, GivenTask, TaskFilter, TaskRow},
    testing::on_both,
};

fn now() -> Timestamp {
    Timestamp::from_microsecond(1_800_000_000_123_456).unwrap()
}

fn labelled(value: &str) -> Metadata {
    Metadata { labels: BTreeMap::from([("k".to_owned(), value.to_owned())]), annotations: BTreeMap::new() }
}

/// A started app with a staged droplet.
async fn app(db: &mut Connection) -> AppRow {
    let quota = OrganizationQuotaRow::unlimited("unlimited", now());
    organization_quotas::insert(db, &quota).await.unwrap();
    let organization = OrganizationRow::new("o", quota.guid, now());
    organizations::insert(db, &organization).await.unwrap();
    let space = SpaceRow::new("s", organization.guid, now());
    spaces::insert(db, &space).await.unwrap();
    let droplet = DropletGuid::random();
    let app = AppRow {
        guid: AppGuid::random(),
        created_at: now(),
        updated_at: now(),
        name: "a".into(),
        space: space.guid,
        state: AppState::Started,
        buildpacks: vec![],
        stack: "cflinuxfs4".into(),
        droplet: Some(droplet),
        environment: BTreeMap::from([("A".into(), "1".into())]),
        features: BTreeMap::new(),
        metadata: Metadata::default(),
    };
    apps::insert(db, &app).await.unwrap();
    let droplet = DropletRow {
        guid: droplet,
        created_at: now(),
        updated_at: now(),
        app: app.guid,
        package: None,
        state: DropletState::Staged,
        error: None,
        digest: Some(virga_model::Sha256Digest::of(b"droplet")),
        size_bytes: Some(1),
        guest: None,
        component: None,
        stack: "cflinuxfs4".into(),
        process_types: BTreeMap::new(),
        buildpacks: serde_json::json!([]),
        metadata: Metadata::default(),
    };
    droplets::insert(db, &droplet).await.unwrap();
    app
}

fn task(app: &AppRow, sequence_id: u32, state: TaskState) -> TaskRow {
    TaskRow {
        guid: TaskGuid::random(),
        created_at: now(),
        updated_at: now(),
        app: app.guid,
        sequence_id,
        name: format!("task-{sequence_id}"),
        command: "'; DROP TABLE tasks; --".into(),
        state,
        memory_in_mb: 64,
        disk_in_mb: 128,
        log_rate_limit_in_bytes_per_second: -1,
        droplet: app.droplet.unwrap(),
        failure_reason: None,
        given: None,
        metadata: labelled("v"),
    }
}

#[tokio::test]
async fn tasks_are_counted_given_ended_and_cleared_away() {
    on_both(|store: Store| async move {
        let mut tx = store.begin().await.unwrap();
        let app = app(&mut tx).await;
        assert_eq!(tasks::next_sequence_id(&mut tx, app.guid).await.unwrap(), 1);
        let mut first = task(&app, 1, TaskState::Pending);
        tasks::insert(&mut tx, &first).await.unwrap();
        assert!(tasks::insert(&mut tx, &task(&app, 2, TaskState::Succeeded)).await.is_ok());
        assert_eq!(tasks::next_sequence_id(&mut tx, app.guid).await.unwrap(), 3);
        first.state = TaskState::Running;
        first.given = Some(GivenTask { worker: 1, pid: 4_000_000_000, spec: "{}".into() });
        tasks::update(&mut tx, &mut first, now()).await.unwrap();
        assert_eq!(tasks::find(&mut tx, first.guid).await.unwrap().as_ref(), Some(&first));
        assert_eq!(tasks::list_active(&mut tx).await.unwrap(), std::slice::from_ref(&first));
        assert_eq!(tasks::list_active_of_app(&mut tx, app.guid).await.unwrap(), std::slice::from_ref(&first));
        let spec = scheduling::find_task_spec(&mut tx, first.guid).await.unwrap().unwrap();
        assert_eq!((spec.app_name.as_str(), spec.organization_name.as_str(), &spec.app_environment), ("a", "o", &app.environment));

        let filter = TaskFilter { sequence_ids: Some(vec![1]), names: Some(vec!["task-1".into()]), ..TaskFilter::default() };
        assert_eq!(tasks::list(&mut tx, &filter, Visible::All, &Listing::everything()).await.unwrap().rows.len(), 1);
        let none = TaskFilter { states: Some(vec!["FAILED".into()]), of: OfApps::app(app.guid), ..TaskFilter::default() };
        assert_eq!(tasks::list(&mut tx, &none, Visible::All, &Listing::everything()).await.unwrap().rows.len(), 0);
        assert_eq!(tasks::list(&mut tx, &TaskFilter::default(), Visible::Nothing, &Listing::everything()).await.unwrap().rows.len(), 0);

        tasks::delete_ended_below(&mut tx, app.guid, 3).await.unwrap();
        assert_eq!(tasks::list_of_app(&mut tx, app.guid).await.unwrap(), [first.clone()], "what runs stays, whatever its number");
        first.end(TaskState::Failed, Some("Exited with status 1".into()));
        tasks::update(&mut tx, &mut first, now()).await.unwrap();
        let ended = tasks::find(&mut tx, first.guid).await.unwrap().unwrap();
        assert_eq!((ended.given, ended.failure_reason.as_deref()), (None, Some("Exited with status 1")));
        tx.commit().await.unwrap();
    })
    .await;
}

fn revision(app: &AppRow, version: u32, droplet: DropletGuid) -> RevisionRow {
    RevisionRow {
        guid: RevisionGuid::random(),
        created_at: now(),
        updated_at: now(),
        app: app.guid,
        version,
        droplet,
        environment: app.environment.clone(),
        commands: BTreeMap::from([("web".into(), Some("serve".into())), ("worker".into(), None)]),
        description: "Initial revision.".into(),
        metadata: labelled(&version.to_string()),
    }
}

fn process(app: &AppRow, revision: Option<RevisionGuid>) -> ProcessRow {
    ProcessRow {
        guid: ProcessGuid::random(),
        created_at: now(),
        updated_at: now(),
        app: app.guid,
        process_type: "web".into(),
        version: "v".into(),
        command: None,
        instances: 1,
        memory_in_mb: 64,
        disk_in_mb: 128,
        log_rate_limit_in_bytes_per_second: -1,
        health_check: HealthCheck::of(HealthCheckType::Port),
        readiness_health_check: HealthCheck::of(HealthCheckType::Process),
        droplet: None,
        revision,
        metadata: Metadata::default(),
    }
}

#[tokio::test]
async fn revisions_know_what_can_be_deployed_and_what_runs() {
    on_both(|store: Store| async move {
        let mut tx = store.begin().await.unwrap();
        let app = app(&mut tx).await;
        let rows: Vec<_> = [(1, DropletGuid::random()), (2, app.droplet.unwrap()), (3, app.droplet.unwrap())]
            .map(|(version, droplet)| revision(&app, version, droplet))
            .into();
        for row in &rows {
            revisions::insert(&mut tx, row).await.unwrap();
        }
        assert_eq!(revisions::find_latest(&mut tx, app.guid).await.unwrap().as_ref(), rows.last());
        processes::insert(&mut tx, &process(&app, Some(rows[1].guid))).await.unwrap();
        let versions = async |tx: &mut Connection, filter: RevisionFilter| {
            let page = revisions::list(tx, app.guid, &filter, &Listing::everything()).await.unwrap();
            let mut found: Vec<_> = page.rows.iter().map(|(row, deployable)| (row.version, *deployable)).collect();
            found.sort_unstable();
            found
        };
        assert_eq!(versions(&mut tx, RevisionFilter::default()).await, [(1, false), (2, true), (3, true)]);
        assert_eq!(versions(&mut tx, RevisionFilter { deployable: Some(false), ..RevisionFilter::default() }).await, [(1, false)]);
        assert_eq!(
            versions(&mut tx, RevisionFilter { deployable: Some(true), versions: Some(vec![1, 3]), deployed: false }).await,
            [(3, true)]
        );
        assert_eq!(versions(&mut tx, RevisionFilter { deployed: true, ..RevisionFilter::default() }).await, [(2, true)]);
        revisions::delete_below(&mut tx, app.guid, 3).await.unwrap();
        assert_eq!(versions(&mut tx, RevisionFilter::default()).await, [(2, true), (3, true)], "what runs stays");
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn deployments_keep_what_was_asked_of_them() {
    on_both(|store: Store| async move {
        let mut tx = store.begin().await.unwrap();
        let app = app(&mut tx).await;
        let mut row = DeploymentRow {
            guid: DeploymentGuid::random(),
            created_at: now(),
            updated_at: now(),
            app: app.guid,
            state: DeploymentState::Prepaused,
            strategy: DeploymentStrategy::Canary,
            max_in_flight: 3,
            droplet: app.droplet.unwrap(),
            previous_droplet: None,
            old_web_process: ProcessGuid::random(),
            new_web_process: ProcessGuid::random(),
            original_instances: 4,
            asked: AskedOfWeb {
                instances: Some(7),
                memory_in_mb: Some(64),
                disk_in_mb: None,
                log_rate_limit_in_bytes_per_second: Some(-1),
            },
            canary_steps: Some(vec![10, 90]),
            canary_step: Some(1),
            revision: Some((RevisionGuid::random(), 9)),
            last_healthy_at: None,
            status_changed_at: now(),
            error: Some("no such file".into()),
            metadata: Metadata::default(),
        };
        deployments::insert(&mut tx, &row).await.unwrap();
        assert_eq!(deployments::find(&mut tx, row.guid).await.unwrap().as_ref(), Some(&row));
        (row.canary_step, row.error) = (Some(2), None);
        deployments::update(&mut tx, &mut row, now()).await.unwrap();
        assert_eq!(deployments::find_active(&mut tx, app.guid).await.unwrap().as_ref(), Some(&row));
        assert_eq!((row.target(), row.total_steps()), (7, 2));
        tx.commit().await.unwrap();
    })
    .await;
}
