//! The network of a staging: none, but for package clients a proxy that lets through the hosts of the operator's policy.
//!
//! The sandbox has a loopback alone. Inside, a port of it is carried ([`forward`]) over a Unix socket to the platform, where a
//! proxy of this one staging ([`proxy`]) decides by host and address ([`allowed`]). Which hosts there are is asked from the
//! package clients themselves ([`clients`]).

pub(crate) mod allowed;
mod clients;
mod forward;
mod proxy;

use super::policy::NetworkPolicy;
use crate::{failure, log::StagingLog};
use allowed::Allowed;
pub(crate) use clients::ClientSettings;
use clients::Clients;
use ipnet::IpNet;
use proxy::Proxy;
use std::{
    collections::BTreeMap,
    fs, io,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};
use tokio::net::UnixListener;
use virga_contract::staging::StagingError;

/// What package clients of this machine are set up for, and how stagings reach it.
#[derive(Debug, Default)]
pub(crate) struct Packages {
    /// Asked once for each set of toolchains; a change of the clients' settings shows at the platform's next start.
    clients: tokio::sync::Mutex<BTreeMap<Vec<PathBuf>, Arc<Clients>>>,
    /// Addresses of the platform.
    denied: Vec<IpNet>,
}

/// An open way out for one staging.
pub(crate) struct Opened {
    folder: tempfile::TempDir,
    listener: UnixListener,
    proxy: Arc<Proxy>,
    settings: ClientSettings,
    socket: PathBuf,
}

impl Packages {
    /// `denied` are the platform's addresses.
    pub(crate) fn new(denied: &[String]) -> Self {
        let network = |text: &String| {
            let read = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
            read.inspect_err(|_| tracing::warn!("'{text}' is not an address that builds could be kept from")).ok()
        };
        Self { clients: tokio::sync::Mutex::default(), denied: denied.iter().filter_map(network).collect() }
    }

    /// What the platform itself may fetch for an app: what is public, and what the operator names.
    ///
    /// # Errors
    /// Where the operator's policy is no network.
    pub(crate) fn allowed_to_fetch(&self, policy: &NetworkPolicy) -> Result<Allowed, StagingError> {
        let patterns = match policy {
            NetworkPolicy::None => {
                return Err(failure::compile(
                    "buildpacks are not fetched from addresses here (staging.network is \"none\"); the operator can upload it",
                ));
            }
            NetworkPolicy::Hosts(hosts) => hosts.clone(),
            NetworkPolicy::Registries => Vec::new(),
        };
        Ok(Allowed { patterns, denied: self.denied.clone(), ..Allowed::default() })
    }

    /// A way out as the policy has it, for the clients of the machine and of these toolchains; `None` where there is none.
    pub(crate) async fn open(
        &self,
        policy: &NetworkPolicy,
        toolchains: &BTreeMap<String, PathBuf>,
        log: &StagingLog,
    ) -> Result<Option<Opened>, StagingError> {
        if *policy == NetworkPolicy::None {
            return Ok(None);
        }
        let clients = self.clients(toolchains.values().cloned().collect()).await;
        let mut allowed = Allowed { denied: self.denied.clone(), ..Allowed::default() };
        match policy {
            NetworkPolicy::Hosts(hosts) => allowed.patterns.clone_from(hosts),
            _ => allowed.registries.clone_from(&clients.hosts),
        }
        let failed = |error: io::Error| failure::internal("open the package proxy", &error);
        // A socket's path is short: the data folder's may not be.
        let folder = tempfile::Builder::new().prefix("virga-staging-").tempdir().map_err(failed)?;
        let socket = folder.path().join("proxy.sock");
        let listener = UnixListener::bind(&socket).map_err(failed)?;
        let proxy = Arc::new(Proxy { allowed, log: log.clone(), refused: std::sync::Mutex::default() });
        Ok(Some(Opened { folder, listener, proxy, settings: clients.settings.clone(), socket }))
    }

    async fn clients(&self, toolchains: Vec<PathBuf>) -> Arc<Clients> {
        // Held while they are asked, so that two stagings do not ask twice.
        let mut known = self.clients.lock().await;
        if let Some(clients) = known.get(&toolchains) {
            return Arc::clone(clients);
        }
        let asked = Arc::new(Clients::ask(&toolchains).await);
        known.insert(toolchains, Arc::clone(&asked));
        asked
    }
}

impl Opened {
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    pub(crate) fn settings(&self) -> &ClientSettings {
        &self.settings
    }

    /// Serves as long as the staging runs.
    pub(crate) async fn serve_while<T>(self, staging: impl Future<Output = T>) -> T {
        let Self { folder, listener, proxy, .. } = self;
        let ended = tokio::select! {
            ended = staging => ended,
            () = proxy.serve(listener) => std::future::pending().await,
        };
        drop(folder);
        ended
    }
}

/// What package clients inside of this sandbox are told; nothing where this process is in none.
static INSIDE: OnceLock<BTreeMap<String, String>> = OnceLock::new();

/// Begins carrying connections, in a sandbox that has just begun.
///
/// # Errors
/// When a port, a thread or a file is not to be had.
pub(crate) fn begin_inside(settings: &ClientSettings) -> io::Result<()> {
    forward::begin(Path::new(super::plan::PROXY))?;
    let home = Path::new(super::plan::STAGING).join("home");
    for (name, text) in &settings.files {
        let file = home.join(name);
        fs::create_dir_all(file.parent().unwrap_or(&home))?;
        fs::write(file, text)?;
    }
    let proxy = format!("http://127.0.0.1:{}", forward::PORT);
    let mut environment = settings.environment.clone();
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "CARGO_HTTP_PROXY", "npm_config_proxy", "npm_config_https_proxy"]
    {
        environment.insert(name.to_owned(), proxy.clone());
    }
    for name in ["NO_PROXY", "no_proxy"] {
        environment.insert(name.to_owned(), "localhost,127.0.0.1".to_owned());
    }
    INSIDE.set(environment).map_err(|_| io::Error::other("the network was begun twice"))
}

/// What a package client needs in its environment.
pub(crate) fn environment() -> impl Iterator<Item = (&'static str, &'static str)> {
    INSIDE.get().into_iter().flatten().map(|(name, value)| (name.as_str(), value.as_str()))
}
