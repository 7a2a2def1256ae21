//! Puts the rooms together: opens what they need, makes what a first start needs, starts their tasks.

use super::{
    api::{self, Page},
    data_dir::DataDir,
    own_addresses,
    plane::Plane,
    services::{self, ServicesSpec},
    supervisor::{Reported, Supervisor},
};
use crate::{config::Config, worker::CONTROL_SOCKET};
use anyhow::Context as _;
use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;
use virga_blobstore::{Blobstore, BlobstoreConfig, SecretText};
use virga_broker::{BrokerPolicy, Brokers, Polling};
use virga_buildpacks::{StagingLimits, StagingPolicy, StagingService, StagingSetup};
use virga_contract::cell::WorkerConfig;
use virga_controller::{Bootstrap, Controller, ControllerConfig, ControllerLimits, Parts, RateLimits};
use virga_model::{Sha256Digest, UserGuid};
use virga_scheduler::SchedulerConfig;
use virga_serve::{
    Clock, Endpoints, SystemClock, Tasks,
    base::SYSTEM_LABELS,
    wire::{self, WireLimits},
};
use virga_store::{SealingKey, Store, StoreError, StoreOptions};
use virga_telemetry::{
    CacheLimits, LogCacheStore, LogFormat,
    metrics::{BuildInfo, Registry},
};
use virga_uaa::Uaa;

/// Organization of the first start.
pub const ORGANIZATION: &str = "virga";
/// Space of the first start.
pub const SPACE: &str = "dev";
/// Domain of service discovery.
const INTERNAL_DOMAIN: &str = "apps.internal";

/// The composed control process.
pub struct Platform {
    /// What workers see.
    pub plane: Arc<Plane>,
    /// What is counted.
    pub metrics: Arc<Registry>,
    /// Which workers serve.
    pub reported: Reported,
    /// What the installation is called.
    pub endpoints: Arc<Endpoints>,
    /// The administrator's password, where this start made it up.
    pub generated_password: Option<String>,
    /// Worker processes.
    pub workers: u32,
    /// Rows.
    pub store: Store,
    control_socket: PathBuf,
    /// Ends the services' process.
    services_stop: CancellationToken,
    tasks: Tasks,
}

impl Platform {
    /// Composes everything but the workers. When this returns, the API answers on its socket.
    pub async fn compose(config: &Config, data: &DataDir, listen: SocketAddr, tasks: &Tasks) -> anyhow::Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let store = Store::connect_with(&config.database_url(&data.path), store_options(config, data)?).await;
        let store = store.map_err(about_the_key).context("the database cannot be opened")?;
        let blobs = Blobstore::open_at(&blobstore_config(config, data)).context("the blobstore cannot be opened")?;
        let log_cache = Arc::new(LogCacheStore::new(CacheLimits { total_bytes: config.log_cache.bytes, ..CacheLimits::default() }));
        let metrics = Arc::new(Registry::new(BuildInfo { version: crate::version::VERSION, revision: "unknown" }, Some(log_cache.clone())));
        let endpoints = Arc::new(endpoints(config, listen));
        let uaa = Uaa::open(store.clone(), config.uaa.clone(), endpoints.issuer(), clock.clone()).await?;
        let admin = virga_uaa::bootstrap(&store, &config.uaa, clock.now(), config.admin_password.clone()).await?;
        let scheduler_config =
            SchedulerConfig { api_url: endpoints.canonical().api, workers: config.worker_count().max(1), ..SchedulerConfig::default() };
        let sink: Arc<dyn virga_contract::logs::LogSink> = log_cache.clone();
        let scheduler = virga_scheduler::start(store.clone(), scheduler_config, clock.clone(), sink.clone(), tasks).await?;
        let worker_config = worker_config(config, data)?;
        let services_stop = CancellationToken::new();
        if let Some(socket) = worker_config.services_socket.clone() {
            let spec = ServicesSpec {
                folder: data.path.join("services"),
                servers: config.services.servers(),
                socket,
                log: config.telemetry.filter.clone(),
                log_json: config.telemetry.format == LogFormat::Json,
            };
            services::start(spec, services_stop.clone(), tasks).await?;
        }
        let stager = Arc::new(StagingService::new(StagingSetup {
            data_dir: data.path.clone(),
            toolchains_dir: config.toolchains_dir.clone(),
            // The running program, also when its file was replaced since.
            program: PathBuf::from("/proc/self/exe"),
            blobs: blobs.clone(),
            logs: sink.clone(),
            code_key: worker_config.code_key,
            limits: staging_limits(config),
            policy: staging_policy(config),
            denied_addresses: worker_config.denied_addresses.clone(),
        })?);
        let controller = Controller::new(Parts {
            store: store.clone(),
            blobs: blobs.clone(),
            stager: stager.clone(),
            scheduler: Arc::new(scheduler.clone()),
            logs: sink,
            log_cache: log_cache.clone(),
            brokers: brokers(config, &endpoints, &worker_config),
            polling: Polling {
                interval: Duration::from_millis(config.brokers.polling_interval_ms),
                longest_operation: Duration::from_secs(config.brokers.maximum_polling_seconds),
                ..Polling::default()
            },
            clock,
            config: controller_config(config),
        });
        make_first_rows(&controller, admin.admin).await?;
        tasks.spawn("signing keys", uaa.clone().keep_keys(tasks.draining().cancelled_owned()));
        let page = Page { registry: metrics.clone(), scheduler: scheduler.clone() };
        api::serve_api(&worker_config.api_socket, controller.clone(), &uaa, page.clone(), endpoints.clone(), config, tasks)?;
        tasks.spawn("gauges", keep_gauges(page.clone(), tasks.draining()));
        api::serve_metrics(page, config, tasks).await?;
        tasks.spawn("jobs", virga_controller::jobs::run(controller, tasks.draining()));
        tasks.spawn("old code", clear_old_code(stager.clone(), tasks.draining()));
        let reported = Reported::new();
        let plane = Plane {
            config: worker_config,
            scheduling: scheduler.plane(),
            blobs,
            code: stager,
            log_cache,
            metrics: metrics.clone(),
            reported: reported.clone(),
        };
        Ok(Self {
            plane: Arc::new(plane),
            metrics,
            reported,
            endpoints,
            generated_password: admin.generated_password.map(|password| password.expose().clone()),
            workers: config.worker_count(),
            store,
            control_socket: data.run.join(CONTROL_SOCKET),
            services_stop,
            tasks: tasks.clone(),
        })
    }

    /// Tells configurations apart, as far as workers are concerned.
    pub fn worker_config_digest(&self) -> anyhow::Result<String> {
        Ok(Sha256Digest::of(&serde_json::to_vec(&self.plane.config)?).to_string())
    }

    /// Opens the cell protocol's socket; it closes after the last worker has ended, which has log lines to deliver until then.
    pub fn serve_control(&self, workers: &Arc<Supervisor>) -> anyhow::Result<()> {
        let listener = wire::bind_private(&self.control_socket)?;
        let stop = CancellationToken::new();
        self.tasks.spawn("control socket", wire::server::serve(listener, self.plane.clone(), WireLimits::default(), stop.clone()));
        let (workers, draining, services) = (workers.clone(), self.tasks.draining(), self.services_stop.clone());
        self.tasks.spawn("end of the control socket", async move {
            draining.cancelled().await;
            workers.ended().await;
            stop.cancel();
            services.cancel();
        });
        Ok(())
    }

    /// Closes the database: what was written is in its file.
    pub async fn close(&self) {
        self.store.close().await;
    }
}

fn store_options(config: &Config, data: &DataDir) -> anyhow::Result<StoreOptions> {
    let key = match config.database.sealing_key()? {
        Some(key) => key,
        None => data.secrets()?.sealing_key,
    };
    let sealing_key = Some(SealingKey::new(&key)?);
    Ok(StoreOptions { max_connections: config.database.max_connections, sealing_key, ..StoreOptions::default() })
}

/// What to do about a key that is not the database's.
fn about_the_key(error: StoreError) -> anyhow::Error {
    let is_sealing = matches!(error, StoreError::Sealing(_));
    let error = anyhow::Error::new(error);
    if is_sealing {
        return error.context(
            "give every process the key that the database was first opened with: database.sealing_key, or secrets.json of that data folder",
        );
    }
    error
}

/// OTLP exporters read the registry on their own clock, so what is known elsewhere must be put there time and again.
async fn keep_gauges(page: Page, draining: CancellationToken) {
    const PERIOD: Duration = Duration::from_secs(10);
    while draining.run_until_cancelled(tokio::time::sleep(PERIOD)).await.is_some() {
        page.refresh();
    }
}

fn endpoints(config: &Config, listen: SocketAddr) -> Endpoints {
    Endpoints {
        domain: config.domain.clone(),
        scheme: config.external_scheme.clone(),
        port: config.external_port.unwrap_or(listen.port()),
        names: config.external_names.clone(),
    }
}

async fn make_first_rows(controller: &Controller, admin: UserGuid) -> anyhow::Result<()> {
    let first = Bootstrap {
        organization: ORGANIZATION.to_owned(),
        space: SPACE.to_owned(),
        admin,
        admin_name: virga_uaa::ADMIN_USERNAME.to_owned(),
    };
    let made = virga_controller::bootstrap(controller, &first).await;
    made.map_err(|error| anyhow::anyhow!("the first rows cannot be made: {error} ({:?})", error.api().context))
}

fn blobstore_config(config: &Config, data: &DataDir) -> BlobstoreConfig {
    let blobs = &config.blobstore;
    match &blobs.location {
        None => BlobstoreConfig::in_folder(&data.path.join("blobs")),
        Some(location) => BlobstoreConfig {
            location: location.clone(),
            endpoint: blobs.endpoint.clone(),
            region: blobs.region.clone(),
            access_key_id: blobs.access_key_id.clone(),
            secret_access_key: blobs.secret_access_key.as_ref().map(|secret| SecretText(secret.expose().clone())),
        },
    }
}

/// What neither apps nor brokers may be at: the operator's list, and the addresses of this box.
fn denied_addresses(config: &Config) -> Vec<String> {
    let own = own_addresses::list();
    config.denied_addresses.iter().cloned().chain(own.iter().map(ToString::to_string)).collect()
}

fn worker_config(config: &Config, data: &DataDir) -> anyhow::Result<WorkerConfig> {
    let mut bare_hosts = config.external_names.clone();
    bare_hosts.push(config.domain.clone());
    let mut router_limits = config.router_limits.clone();
    router_limits.drain_ms = router_limits.drain_ms.min(config.drain_ms);
    Ok(WorkerConfig {
        code_key: data.secrets()?.code_key,
        cache_dir: data.folder("cell")?,
        system_hosts: SYSTEM_LABELS.iter().map(|label| format!("{label}.{}", config.domain)).collect(),
        bare_hosts,
        api_socket: data.run.join("api.sock"),
        denied_addresses: denied_addresses(config),
        workers: config.worker_count().max(1),
        guest_sockets: data.run.join("guests"),
        services_socket: config.services.enabled.then(|| data.run.join("services.sock")),
        route_service_addresses: config.route_services.allowed_addresses.iter().map(ToString::to_string).collect(),
        tcp_listen: Some(config.tcp_listen.unwrap_or_else(|| config.listen.ip())),
        trusted_proxies: config.trusted_proxies.clone(),
        cell_limits: config.cell_limits.clone(),
        router_limits,
    })
}

fn controller_config(config: &Config) -> ControllerConfig {
    let staging = &config.staging;
    ControllerConfig {
        system_domain: config.domain.clone(),
        apps_domain: format!("apps.{}", config.domain),
        internal_domain: INTERNAL_DOMAIN.to_owned(),
        external_names: config.external_names.clone(),
        own_services: config.services.enabled,
        limits: ControllerLimits {
            default_app_memory_mb: config.apps.default_memory_mb,
            default_app_disk_mb: config.apps.default_disk_mb,
            maximum_app_disk_mb: config.apps.maximum_disk_mb,
            maximum_package_bytes: config.apps.maximum_package_bytes,
            keep_events_days: config.apps.keep_events_days,
            staging_memory_mb: staging.memory_mb,
            staging_disk_mb: staging.disk_mb,
            staging_timeout_seconds: staging.timeout_seconds,
            concurrent_stagings: staging.concurrency,
            rate: RateLimits { trusted_proxies: config.trusted_proxies.clone(), ..config.rate_limits.clone() },
        },
    }
}

/// The client of service brokers. Where apps may not be led to, brokers may not be.
fn brokers(config: &Config, endpoints: &Endpoints, workers: &WorkerConfig) -> Brokers {
    let api = endpoints.canonical().api;
    let platform = denied_addresses(config).iter().filter_map(|text| virga_router::network(text)).collect();
    let place = api.split_once("://").map_or(api.as_str(), |(_, place)| place);
    Brokers::new(BrokerPolicy {
        timeout: Duration::from_millis(config.brokers.timeout_ms),
        max_answer_bytes: config.brokers.max_answer_bytes,
        allowed: config.brokers.allowed_addresses.clone(),
        platform,
        own_socket: workers.services_socket.clone(),
        api_info_location: format!("{place}/"),
    })
}

/// Once, at the start: it is a new version of the program that leaves code behind which nobody asks for.
async fn clear_old_code(stager: Arc<StagingService>, draining: CancellationToken) {
    match draining.run_until_cancelled(stager.clear_old_code()).await {
        Some(Ok(0)) | None => {}
        Some(Ok(files)) => tracing::info!(files, "code of earlier engines was removed from the blobstore"),
        Some(Err(error)) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "code of earlier engines could not be removed; the next start tries again"
            );
        }
    }
}

fn staging_policy(config: &Config) -> StagingPolicy {
    let staging = &config.staging;
    StagingPolicy { sandbox: staging.sandbox, network: staging.network.clone(), readable: staging.readable.clone() }
}

fn staging_limits(config: &Config) -> StagingLimits {
    StagingLimits { concurrent_stagings: config.staging.concurrency, ..config.staging_limits.clone() }
}
