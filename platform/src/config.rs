//! The whole configuration of `virga up`: a TOML file, `VIRGA_…` environment variables over it, flags over both.
//! Every key is documented here and in `virga config`; unknown ones are refused with the nearest right name.

use anyhow::{Context as _, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
};
use virga_buildpacks::{NetworkPolicy, SandboxPolicy, StagingLimits};
use virga_contract::limits::{CellLimits, RouterLimits};
use virga_serve::reach::AllowedAddress;
use virga_serve::{Secret, ServerLimits, config as loading};
use virga_services::{PostgresServer, RedisServer, ServersConfig};
use virga_telemetry::ObservingConfig;
use virga_uaa::UaaSettings;

/// `VIRGA_…` variables that are no configuration of the platform: of the command line, of logging, of tests (the binary under test).
const NOT_CONFIG: &[&str] = &["VIRGA_HOME", "VIRGA_PASSWORD", "VIRGA_LOG", "VIRGA_CONFIG", "VIRGA_BIN"];

/// Everything an operator may set.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Public address of routers and API; port 0 takes a free one (default `127.0.0.1:8080`).
    pub listen: SocketAddr,
    /// Domain of the system; apps get `apps.` under it (default `virga.localhost`).
    pub domain: String,
    /// Folder for everything that must survive a restart (default `./virga-data`).
    pub data_dir: PathBuf,
    /// Where buildpacks install their toolchains; several platforms of one machine may share it. Default: in `data_dir`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub toolchains_dir: Option<PathBuf>,
    /// Worker processes; 0 runs router and cell inside the control process. Default: one per core.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workers: Option<u32>,
    /// Password of `admin` at the first start; generated and printed once when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admin_password: Option<Secret<String>>,
    /// `http`, or `https` when something before Virga ends TLS (default `http`).
    pub external_scheme: String,
    /// Port clients see, when something stands before Virga. Default: the bound port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_port: Option<u16>,
    /// Address for the Prometheus page `/metrics`, without authentication; off by default. The API always serves
    /// `/metrics` to operators.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics_listen: Option<SocketAddr>,
    /// Addresses (IP or CIDR) that no app may reach and no service broker be at, besides loopback, link-local and the platform's own.
    pub denied_addresses: Vec<String>,
    /// Load balancers in front (IP or CIDR) whose `X-Forwarded-Proto` and `X-Forwarded-Host` are believed; none by default.
    pub trusted_proxies: Vec<String>,
    /// Address at which TCP routes listen. Default: that of `listen`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp_listen: Option<std::net::IpAddr>,
    /// Time for requests in flight at a stop, milliseconds (default 10,000).
    pub drain_ms: u64,
    /// Where rows are.
    pub database: Database,
    /// Where packages and droplets are.
    pub blobstore: Blobs,
    /// Further names (`host` or `host:port`) by which clients reach the platform bare, such as a load balancer's.
    pub external_names: Vec<String>,
    /// Where the process's own traces, metrics and logs go.
    pub telemetry: ObservingConfig,
    /// What is kept of apps' logs.
    pub log_cache: LogCache,
    /// Lockout, passwords, lives of tokens, signing keys, identity providers.
    pub uaa: UaaSettings,
    /// Defaults and limits of the v3 API.
    pub apps: Apps,
    /// Limits on service brokers and where they may be.
    pub brokers: ServiceBrokers,
    /// Where route services may be.
    pub route_services: RouteServices,
    /// The services that the platform brings itself.
    pub services: OwnServices,
    /// Limits on staging.
    pub staging: Staging,
    /// Further limits on staging and compiling.
    pub staging_limits: StagingLimits,
    /// Limits on guests.
    pub cell_limits: CellLimits,
    /// Limits on clients of apps.
    pub router_limits: RouterLimits,
    /// Limits on clients of the API.
    pub api_limits: ServerLimits,
    /// How many requests one caller of the v3 API may send in an interval.
    pub rate_limits: virga_controller::RateLimits,
}

/// Where rows are.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Database {
    /// `sqlite:<path>` or `postgres://…`. Default: `virga.db` in the data folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<Secret<String>>,
    /// Connections at most (default 16).
    pub max_connections: u32,
    /// Seals credentials in the database: 32 bytes in base64, the same in every process over one database. Default: one that is made
    /// at the first start and kept in the data folder's `secrets.json`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sealing_key: Option<Secret<String>>,
}

/// Where packages and droplets are.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Blobs {
    /// A folder, or `s3://bucket/prefix`. Default: `blobs` in the data folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// S3 only: the service's URL, for any that is not Amazon's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// S3 only (default `us-east-1`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// S3 only; without it, what the machine's role gives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_key_id: Option<String>,
    /// S3 only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_access_key: Option<Secret<String>>,
}

/// What is kept of apps' logs.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogCache {
    /// Bytes of app envelopes that are held in memory (default 256 MiB).
    pub bytes: usize,
}

/// Defaults and limits of the v3 API.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Apps {
    /// Memory of an app instance when none is asked for, MiB (default 256).
    pub default_memory_mb: u64,
    /// Disk of an app instance when none is asked for, MiB (default 1,024).
    pub default_disk_mb: u64,
    /// Most disk of an app instance, MiB (default 2,048).
    pub maximum_disk_mb: u64,
    /// Most bytes of an uploaded package (default 1 GiB).
    pub maximum_package_bytes: u64,
    /// Days that audit events and finished jobs are kept (default 31).
    pub keep_events_days: u32,
}

/// Where route services may be.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RouteServices {
    /// Addresses (IP, IP with a port, or CIDR) that route services may be at although they are loopback, link-local, private or the platform's
    /// own; none by default.
    pub allowed_addresses: Vec<AllowedAddress>,
}

/// The services that the platform brings itself: `keyvalue`, `sqlite`, `config`; on servers of the operator, `postgres` and `redis`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OwnServices {
    /// Whether they are offered. Off, what there is of them stays as it is, and cannot be reached.
    pub enabled: bool,
    /// The PostgreSQL whose databases `postgres` gives out.
    pub postgres: OwnPostgres,
    /// The Redis that `redis` gives out parts of.
    pub redis: OwnRedis,
}

/// A Redis (7 or newer) that tenants share.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OwnRedis {
    /// `redis://user:password@host:port` (`rediss://` with TLS, `redis+unix:///path?user=…&pass=…`) of a user that may do everything; `redis` is not offered without it. A
    /// secret.
    pub url: Option<Secret<String>>,
    /// Certificates of the authorities that vouch for the server, PEM; without it, Mozilla's.
    pub ca_file: Option<PathBuf>,
}

/// A PostgreSQL that tenants share.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OwnPostgres {
    /// `postgres://user:password@host:port/database?sslmode=require` of a role that may create databases and roles; `postgres` is not offered without it. A secret.
    pub url: Option<Secret<String>>,
    /// Certificates of the authorities that vouch for the server, PEM; without it, Mozilla's.
    pub ca_file: Option<PathBuf>,
}

impl Default for OwnServices {
    fn default() -> Self {
        Self { enabled: true, postgres: OwnPostgres::default(), redis: OwnRedis::default() }
    }
}

impl OwnServices {
    /// The servers, as the process of the services is told of them.
    #[must_use]
    pub fn servers(&self) -> ServersConfig {
        let url = self.postgres.url.as_ref();
        let postgres = url.map(|url| PostgresServer { url: url.expose().clone(), ca_file: self.postgres.ca_file.clone() });
        let url = self.redis.url.as_ref();
        let redis = url.map(|url| RedisServer { url: url.expose().clone(), ca_file: self.redis.ca_file.clone() });
        ServersConfig { postgres, redis }
    }
}

/// Limits on service brokers and where they may be.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServiceBrokers {
    /// Addresses (IP, IP with a port, or CIDR) that brokers may be at although they are loopback, link-local, the platform's own or,
    /// for brokers of a space, private; none by default.
    pub allowed_addresses: Vec<AllowedAddress>,
    /// Time for one request to a broker to the last byte of its answer, milliseconds (default 60,000).
    pub timeout_ms: u64,
    /// Longest answer of a broker, bytes (default 10 MiB).
    pub max_answer_bytes: usize,
    /// First pause before a broker is asked again how far an operation is, milliseconds (default 5,000); each next pause is half as long
    /// again, 10 minutes at most.
    pub polling_interval_ms: u64,
    /// Longest time that a broker may take for an operation, seconds (default 604,800: 7 days).
    pub maximum_polling_seconds: u64,
}

impl Default for ServiceBrokers {
    fn default() -> Self {
        Self {
            allowed_addresses: Vec::new(),
            timeout_ms: 60_000,
            max_answer_bytes: 10 << 20,
            polling_interval_ms: 5_000,
            maximum_polling_seconds: 604_800,
        }
    }
}

/// Limits on staging.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Staging {
    /// Stagings at once; more wait (default 2).
    pub concurrency: usize,
    /// Memory of one staging process, MiB (default 4,096).
    pub memory_mb: u64,
    /// Disk of one staging folder, MiB (default 6,144).
    pub disk_mb: u64,
    /// Wall time of one staging, seconds (default 900).
    pub timeout_seconds: u64,
    /// How programs and scripts of users are held while they build: `bubblewrap` (default), or in these very words
    /// `none, every developer is trusted`.
    pub sandbox: SandboxPolicy,
    /// What package clients may reach: `registries` (default: those that the clients of this machine are set up for), `none`, or a
    /// list of hosts (`example.com`, `*.example.com`).
    pub network: NetworkPolicy,
    /// Further folders that builds may read, such as a language installed outside of `/usr`.
    pub readable: Vec<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            domain: "virga.localhost".to_owned(),
            data_dir: PathBuf::from("virga-data"),
            toolchains_dir: None,
            workers: None,
            admin_password: None,
            external_scheme: "http".to_owned(),
            external_port: None,
            metrics_listen: None,
            denied_addresses: Vec::new(),
            trusted_proxies: Vec::new(),
            tcp_listen: None,
            drain_ms: 10_000,
            database: Database::default(),
            blobstore: Blobs::default(),
            external_names: Vec::new(),
            telemetry: ObservingConfig::default(),
            log_cache: LogCache::default(),
            uaa: UaaSettings::default(),
            apps: Apps::default(),
            brokers: ServiceBrokers::default(),
            route_services: RouteServices::default(),
            services: OwnServices::default(),
            staging: Staging::default(),
            staging_limits: StagingLimits::default(),
            cell_limits: CellLimits::default(),
            router_limits: RouterLimits::default(),
            api_limits: ServerLimits::default(),
            rate_limits: virga_controller::RateLimits::default(),
        }
    }
}

impl Default for Database {
    fn default() -> Self {
        Self { url: None, max_connections: 16, sealing_key: None }
    }
}

impl Default for LogCache {
    fn default() -> Self {
        Self { bytes: 256 << 20 }
    }
}

impl Default for Apps {
    fn default() -> Self {
        Self {
            default_memory_mb: 256,
            default_disk_mb: 1_024,
            maximum_disk_mb: 2_048,
            maximum_package_bytes: 1 << 30,
            keep_events_days: 31,
        }
    }
}

impl Default for Staging {
    fn default() -> Self {
        Self {
            concurrency: 2,
            memory_mb: 4_096,
            disk_mb: 6_144,
            timeout_seconds: 900,
            sandbox: SandboxPolicy::default(),
            network: NetworkPolicy::default(),
            readable: Vec::new(),
        }
    }
}

/// Flags of `up` and `config` that stand for keys of the configuration.
#[derive(Debug, Default, clap::Args)]
pub struct ConfigFlags {
    /// Folder for the platform's data [default: ./virga-data]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Public address [default: 127.0.0.1:8080]; port 0 takes a free one
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<SocketAddr>,
    /// Domain of the system [default: virga.localhost]
    #[arg(long)]
    domain: Option<String>,
    /// Worker processes [default: one per core]; 0 runs apps inside the control process
    #[arg(long, value_name = "N")]
    workers: Option<u32>,
    /// Configuration file (TOML)
    #[arg(long, value_name = "FILE", env = "VIRGA_CONFIG")]
    config: Option<PathBuf>,
}

impl Database {
    /// The configured key.
    pub fn sealing_key(&self) -> anyhow::Result<Option<[u8; 32]>> {
        let Some(text) = &self.sealing_key else { return Ok(None) };
        let key = STANDARD.decode(text.expose()).ok().and_then(|bytes| bytes.try_into().ok());
        Ok(Some(key.context("database.sealing_key: must be 32 bytes in base64, such as `openssl rand -base64 32` prints")?))
    }
}

impl Config {
    /// The effective configuration, checked.
    pub fn load(flags: &ConfigFlags) -> anyhow::Result<Self> {
        Self::load_with(flags, std::env::vars())
    }

    fn load_with(flags: &ConfigFlags, environment: impl IntoIterator<Item = (String, String)>) -> anyhow::Result<Self> {
        let mut config: Self = loading::load(flags.config.as_deref(), environment, NOT_CONFIG)?;
        if let Some(folder) = &flags.data_dir {
            config.data_dir.clone_from(folder);
        }
        if let Some(listen) = flags.listen {
            config.listen = listen;
        }
        if let Some(domain) = &flags.domain {
            config.domain.clone_from(domain);
        }
        if flags.workers.is_some() {
            config.workers = flags.workers;
        }
        if let Ok(filter) = std::env::var("VIRGA_LOG") {
            config.telemetry.filter = filter;
        }
        config.check()?;
        Ok(config)
    }

    /// What no type can say; all before any socket opens.
    fn check(&mut self) -> anyhow::Result<()> {
        self.domain.make_ascii_lowercase();
        ensure!(
            virga_model::route::is_domain_name(&self.domain),
            "domain: '{}' is no domain name; it needs two labels or more",
            self.domain
        );
        ensure!(matches!(self.external_scheme.as_str(), "http" | "https"), "external_scheme: must be http or https");
        ensure!(self.database.max_connections > 0, "database.max_connections: must be at least 1");
        self.database.sealing_key()?;
        if let Some(text) = self.trusted_proxies.iter().find(|text| virga_router::network(text).is_none()) {
            anyhow::bail!("trusted_proxies: '{text}' is neither an address nor a network");
        }
        if let Some(text) = self.denied_addresses.iter().find(|text| virga_router::network(text).is_none()) {
            anyhow::bail!("denied_addresses: '{text}' is neither an address nor a network");
        }
        ensure!(self.staging.concurrency > 0, "staging.concurrency: must be at least 1");
        const MOST_WORKERS: u32 = 1_024;
        ensure!(self.workers.is_none_or(|count| count <= MOST_WORKERS), "workers: at most {MOST_WORKERS}");
        Ok(())
    }

    /// How many worker processes to run.
    pub fn worker_count(&self) -> u32 {
        let cores = || std::thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(1));
        self.workers.unwrap_or_else(cores)
    }

    /// The database in the data folder, unless another is set.
    pub fn database_url(&self, data_dir: &Path) -> String {
        match &self.database.url {
            Some(url) => url.expose().clone(),
            None => format!("sqlite:{}", data_dir.join("virga.db").display()),
        }
    }
}

/// `virga config`
pub fn show(flags: &ConfigFlags) -> anyhow::Result<ExitCode> {
    let config = Config::load(flags)?;
    let text = loading::render(&config).context("the configuration cannot be shown")?;
    crate::cli::ui::Ui::stdout().line(text.trim_end())?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(file: &str, variables: &[(&str, &str)], flags: ConfigFlags) -> anyhow::Result<Config> {
        let path = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(path.path(), file).unwrap();
        let flags = ConfigFlags { config: Some(path.path().to_owned()), ..flags };
        Config::load_with(&flags, variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())))
    }

    #[test]
    fn flags_win_over_environment_and_environment_over_file() {
        let file = "domain = \"a.example\"\nworkers = 3\n[router_limits]\nheaders = 7\n";
        let flags = ConfigFlags { workers: Some(0), ..ConfigFlags::default() };
        let config = load(file, &[("VIRGA_DOMAIN", "B.example"), ("VIRGA_HOME", "/x")], flags).unwrap();
        assert_eq!((config.domain.as_str(), config.worker_count(), config.router_limits.headers), ("b.example", 0, 7));
    }

    #[test]
    fn a_table_with_one_key_keeps_the_defaults_of_the_others() {
        let config = load("[telemetry]\notlp_endpoint = \"http://collector:4318\"\n", &[], ConfigFlags::default()).unwrap();
        assert_eq!(config.telemetry.filter, Config::default().telemetry.filter);
        assert_eq!(config.telemetry.otlp_endpoint.as_deref(), Some("http://collector:4318"));
    }

    #[test]
    fn mistakes_are_named() {
        let error = |file: &str| format!("{:#}", load(file, &[], ConfigFlags::default()).unwrap_err());
        assert!(error("lisen = \"1.2.3.4:5\"").contains("did you mean 'listen'"));
        assert!(error("[cell_limits]\nrequest_cpu = 1").contains("did you mean 'cell_limits.request_cpu_ms'"));
        assert!(error("domain = \"localhost\"").contains("is no domain name"));
        assert!(error("[database]\nsealing_key = \"abc\"").contains("database.sealing_key: must be 32 bytes in base64"));
        assert!(error("listen = \"8080\"").contains("'listen'"));
        assert!(error("trusted_proxies = [\"10.0.0.0/8\", \"proxy\"]").contains("trusted_proxies: 'proxy' is neither"));
        assert!(error("denied_addresses = [\"10.0.0.0/33\"]").contains("denied_addresses: '10.0.0.0/33' is neither"));
    }

    #[test]
    fn secrets_do_not_show() {
        let key = format!("ASM{}=", "A".repeat(40));
        let variables = [
            ("VIRGA_ADMIN_PASSWORD", "hunter2"),
            ("VIRGA_DATABASE__URL", "postgres://u:hunter2@h/d"),
            ("VIRGA_DATABASE__SEALING_KEY", &key),
        ];
        let config = load("", &variables, ConfigFlags::default()).unwrap();
        let shown = format!("{}{config:?}", loading::render(&config).unwrap());
        assert_eq!(config.database.sealing_key().unwrap().unwrap()[..2], [0x01, 0x23]);
        assert!(!shown.contains("hunter2") && !shown.contains(&key) && shown.contains("[hidden]"), "{shown}");
    }
}
