//! The protocol over a real socket.

use super::{WireClient, WireLimits, bind_private, server};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use std::{
    io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use virga_contract::{
    ByteStream,
    cell::{
        CellPolicy, CellProcess, CellReport, CellRoute, CellSnapshot, CellTcpRoute, ControlPlane, LinkError, RouterCounters, WorkerConfig,
        WorkerIndex,
    },
    logs::{Envelope, LogStream},
};
use virga_model::{
    AppGuid, OrgGuid, ProcessGuid, Sha256Digest, SpaceGuid,
    process::{HealthCheck, HealthCheckType},
};

struct Plane {
    snapshots: watch::Sender<Arc<CellSnapshot>>,
    reports: Mutex<Vec<CellReport>>,
    lines: Mutex<Vec<Envelope>>,
}

fn snapshot(revision: u64) -> Arc<CellSnapshot> {
    let route =
        CellRoute { host: "a.apps.example.com".into(), path: String::new(), destinations: vec![], balancing: None, route_service: None };
    Arc::new(CellSnapshot { store_id: "store".into(), revision, routes: vec![route], ..CellSnapshot::default() })
}

#[async_trait::async_trait]
impl ControlPlane for Plane {
    async fn config(&self, worker: WorkerIndex) -> Result<WorkerConfig, LinkError> {
        Ok(WorkerConfig {
            code_key: [7; 32],
            cache_dir: PathBuf::from(format!("cache-{worker}")),
            system_hosts: vec!["api.example.com".into()],
            bare_hosts: vec![],
            api_socket: "api.sock".into(),
            denied_addresses: vec![],
            workers: 2,
            guest_sockets: "guests".into(),
            services_socket: None,
            route_service_addresses: Vec::new(),
            tcp_listen: None,
            trusted_proxies: vec![],
            cell_limits: Default::default(),
            router_limits: Default::default(),
        })
    }

    async fn snapshot(&self, _: WorkerIndex, have: Option<u64>, wait: Duration) -> Result<Option<Arc<CellSnapshot>>, LinkError> {
        let mut newest = self.snapshots.subscribe();
        match tokio::time::timeout(wait, newest.wait_for(|snapshot| Some(snapshot.revision) != have)).await {
            Ok(Ok(snapshot)) => Ok(Some(snapshot.clone())),
            Ok(Err(error)) => Err(LinkError::Failed(error.to_string())),
            Err(_) => Ok(None),
        }
    }

    async fn report(&self, report: CellReport) -> Result<(), LinkError> {
        self.reports.lock().unwrap().push(report);
        Ok(())
    }

    async fn logs(&self, batch: Vec<Envelope>) -> Result<(), LinkError> {
        self.lines.lock().unwrap().extend(batch);
        Ok(())
    }

    async fn droplet(&self, droplet: Sha256Digest) -> Result<ByteStream, LinkError> {
        if droplet != Sha256Digest::of(b"known") {
            return Err(LinkError::Missing(format!("droplet {droplet}")));
        }
        Ok(futures::stream::iter([Ok(Bytes::from_static(b"first")), Ok(Bytes::from_static(b"second"))]).boxed())
    }

    async fn code(&self, _: Sha256Digest, _: Sha256Digest, engine_key: &str) -> Result<ByteStream, LinkError> {
        let broken = Err(io::Error::other("the disk is gone"));
        Ok(futures::stream::iter([Ok(Bytes::from(engine_key.to_owned())), broken]).boxed())
    }
}

struct Served {
    plane: Arc<Plane>,
    stop: CancellationToken,
    task: JoinHandle<io::Result<()>>,
}

impl Served {
    #[expect(clippy::disallowed_methods, reason = "the test joins it in `stop`")]
    fn start(socket: &Path, limits: WireLimits) -> Self {
        let plane = Arc::new(Plane { snapshots: watch::Sender::new(snapshot(1)), reports: Mutex::default(), lines: Mutex::default() });
        let listener = bind_private(socket).unwrap();
        let stop = CancellationToken::new();
        let task = tokio::spawn(server::serve(listener, plane.clone(), limits, stop.clone()));
        Self { plane, stop, task }
    }

    async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }
}

fn line(payload: impl Into<Bytes>) -> Envelope {
    Envelope::line(1, AppGuid::random(), "APP/PROC/WEB", 0, LogStream::Err, payload)
}

#[tokio::test]
async fn values_cross_the_wire_unchanged_and_the_folder_is_private() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("run/control.sock");
    let served = Served::start(&socket, WireLimits::default());
    let client = WireClient::new(&socket, WireLimits::default());

    assert_eq!(std::fs::metadata(folder.path().join("run")).unwrap().permissions().mode() & 0o777, 0o700);
    let config = client.config(1).await.unwrap();
    assert_eq!((config.code_key, config.cache_dir), ([7; 32], PathBuf::from("cache-1")));

    let report = CellReport { worker: 1, pid: 5, applied_revision: 9, instances: vec![], tasks: vec![], router: RouterCounters::default() };
    client.report(report.clone()).await.unwrap();
    assert_eq!(*served.plane.reports.lock().unwrap(), [report]);

    let batch = vec![line(vec![0, 159, 146, 150]), line("text")];
    client.logs(batch.clone()).await.unwrap();
    assert_eq!(*served.plane.lines.lock().unwrap(), batch);
    served.stop().await;
}

#[tokio::test]
async fn a_long_poll_wakes_on_a_change_and_ends_when_the_server_stops() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("control.sock");
    let served = Served::start(&socket, WireLimits::default());
    let client = WireClient::new(&socket, WireLimits::default());
    let wait = Duration::from_secs(30);

    assert_eq!(client.snapshot(0, None, wait).await.unwrap().unwrap(), snapshot(1));
    assert_eq!(client.snapshot(0, Some(1), Duration::from_millis(1)).await.unwrap(), None);
    let plane = served.plane.clone();
    let change = async {
        while plane.snapshots.receiver_count() == 0 {
            tokio::task::yield_now().await;
        }
        plane.snapshots.send_replace(snapshot(2));
    };
    let (newest, ()) = tokio::join!(client.snapshot(0, Some(1), wait), change);
    assert_eq!(newest.unwrap().unwrap().revision, 2);

    let stop = async {
        while plane.snapshots.receiver_count() == 0 {
            tokio::task::yield_now().await;
        }
        served.stop().await;
    };
    let (ended, ()) = tokio::join!(client.snapshot(0, Some(2), wait), stop);
    assert!(matches!(ended, Err(LinkError::Away(_))), "{ended:?}");
}

fn process(bits: u128, name: &str) -> Arc<CellProcess> {
    Arc::new(CellProcess {
        process: ProcessGuid::from_u128(bits),
        process_type: "web".into(),
        app: AppGuid::from_u128(bits),
        app_name: name.into(),
        space: SpaceGuid::from_u128(1),
        organization: OrgGuid::from_u128(2),
        version: "v1".into(),
        droplet: Sha256Digest::of(name.as_bytes()),
        command: None,
        memory_mb: 64,
        disk_mb: 64,
        log_rate_limit_bytes_per_second: -1,
        environment: [("A".to_owned(), "1".to_owned())].into(),
        files: [].into(),
        health_check: HealthCheck::of(HealthCheckType::Port),
        readiness_check: HealthCheck::of(HealthCheckType::Process),
        reuse: None,
        egress: vec![],
        instances: vec![],
    })
}

#[tokio::test]
async fn only_what_changed_crosses_and_the_snapshot_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("control.sock");
    let client = WireClient::new(&socket, WireLimits::default());
    let (same, old, new) = (process(1, "same"), process(2, "old"), process(3, "new"));
    let changed = process(1, "renamed");
    let with = |revision, processes: &[&Arc<CellProcess>]| {
        let processes = processes.iter().map(|process| Arc::clone(process)).collect();
        Arc::new(CellSnapshot { processes, ..(*snapshot(revision)).clone() })
    };
    let served = Served::start(&socket, WireLimits::default());
    let mut held: Vec<Arc<CellSnapshot>> = Vec::new();
    for next in [with(5, &[&same, &old]), with(6, &[&same, &new]), with(7, &[&changed, &new]), with(8, &[])] {
        served.plane.snapshots.send_replace(next.clone());
        let have = held.last().map(|held| held.revision);
        let got = client.snapshot(0, have, Duration::from_secs(5)).await.unwrap().unwrap();
        assert_eq!(got, next);
        held.push(got);
    }
    assert!(Arc::ptr_eq(&held[0].processes[0], &held[1].processes[0]), "what did not change was not sent again");
    served.stop().await;

    // Another server knows no base: it sends all.
    let served = Served::start(&socket, WireLimits::default());
    served.plane.snapshots.send_replace(with(9, &[&same]));
    assert_eq!(client.snapshot(0, Some(8), Duration::from_secs(5)).await.unwrap().unwrap(), with(9, &[&same]));
    served.stop().await;
}

#[tokio::test]
async fn routes_and_policies_stay_until_they_change() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("control.sock");
    let client = WireClient::new(&socket, WireLimits::default());
    let served = Served::start(&socket, WireLimits::default());
    let route =
        |host: &str| CellRoute { host: host.into(), path: String::new(), destinations: vec![], balancing: None, route_service: None };
    let policy = CellPolicy {
        source: AppGuid::from_u128(1),
        destination: AppGuid::from_u128(2),
        protocol: "tcp".into(),
        first_port: 8080,
        last_port: 8080,
    };
    let first = CellSnapshot {
        internal_routes: vec![route("a.apps.internal")],
        tcp_routes: vec![CellTcpRoute { port: 1024, destinations: vec![] }],
        policies: vec![policy],
        ..(*snapshot(1)).clone()
    };
    let same = CellSnapshot { revision: 2, ..first.clone() };
    let other_route = CellSnapshot { revision: 3, internal_routes: vec![route("b.apps.internal")], ..first.clone() };
    let no_policy = CellSnapshot { revision: 4, policies: vec![], ..other_route.clone() };
    let nothing = CellSnapshot { routes: vec![], ..(*snapshot(5)).clone() };
    let mut have = None;
    for next in [first, same, other_route, no_policy, nothing] {
        served.plane.snapshots.send_replace(Arc::new(next.clone()));
        let got = client.snapshot(0, have, Duration::from_secs(5)).await.unwrap().unwrap();
        assert_eq!(*got, next);
        have = Some(got.revision);
    }
    served.stop().await;
}

#[tokio::test]
async fn a_restart_of_the_server_is_survived() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("control.sock");
    let client = WireClient::new(&socket, WireLimits::default());
    assert!(matches!(client.config(0).await, Err(LinkError::Away(_))));
    for _ in 0..2 {
        let served = Served::start(&socket, WireLimits::default());
        client.config(0).await.unwrap();
        assert_eq!(bind_private(&socket).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        served.stop().await;
        assert!(matches!(client.config(0).await, Err(LinkError::Away(_))));
    }
}

#[tokio::test]
async fn oversized_batches_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("control.sock");
    let limits = WireLimits { upload_bytes: 4096, batch_envelopes: 2, ..WireLimits::default() };
    let served = Served::start(&socket, limits);
    let client = WireClient::new(&socket, WireLimits::default());
    for batch in [vec![line("a"), line("b"), line("c")], vec![line(vec![b'x'; 5000])]] {
        let refused = client.logs(batch).await;
        assert!(matches!(&refused, Err(LinkError::Failed(text)) if text.starts_with("413")), "{refused:?}");
    }
    client.logs(vec![line("a")]).await.unwrap();
    assert_eq!(served.plane.lines.lock().unwrap().len(), 1);
    served.stop().await;
}

#[tokio::test]
async fn streams_arrive_whole_or_fail() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("control.sock");
    let served = Served::start(&socket, WireLimits::default());
    let client = WireClient::new(&socket, WireLimits::default());
    let known = Sha256Digest::of(b"known");

    let pieces: Vec<Bytes> = client.droplet(known).await.unwrap().try_collect().await.unwrap();
    assert_eq!(pieces.concat(), b"firstsecond");
    assert!(matches!(client.droplet(Sha256Digest::of(b"other")).await, Err(LinkError::Missing(_))));
    let broken = match client.code(known, known, "key with spaces/ü").await {
        Ok(stream) => stream.try_collect::<Vec<Bytes>>().await.is_err(),
        Err(error) => matches!(error, LinkError::Away(_)),
    };
    assert!(broken);
    served.stop().await;
}
