//! The services that the platform brings itself: `keyvalue`, `sqlite`, `config` (ADR 0020). One process of its own holds their data, one SQLite
//! file for each instance, and speaks HTTP on a Unix socket: as an Open Service Broker 2.17 to the control process (`broker`), and to workers, which
//! hand on what apps ask of their bound services (`data`). Where the operator has servers of his own for tenants to share, `postgres` and `redis` are offered too (`servers`); the
//! logins to them are the only secrets here.
//!
//! Keys and SQL are hostile input. Every operation has a limit in time, in bytes, and in how many wait for it.

mod broker;
mod catalog;
mod data;
mod error;
mod registry;
mod servers;
mod stores;

use registry::Registry;
use servers::Servers;
use std::{path::Path, sync::Arc, time::Duration};
use stores::Stores;
use tokio::net::UnixListener;
use tokio_util::sync::CancellationToken;
use virga_serve::axum;

pub use error::OpenError;
pub use servers::{ServersConfig, postgres::PostgresServer, redis::RedisServer};

/// How often databases that nobody used are closed, and servers are asked what instances hold.
const SWEEP: Duration = Duration::from_secs(30);

/// Everything the handlers share.
#[derive(Clone)]
struct Services {
    registry: Arc<Registry>,
    stores: Arc<Stores>,
    servers: Arc<Servers>,
}

/// Serves brokers' and workers' requests on `listener` until `stop`; the data is in `folder`, which is made where there is none. Servers that do not
/// answer make requests for them fail, and nothing else.
///
/// # Errors
/// [`OpenError`] when the folder, what it holds, or how a server is described, cannot be used.
pub async fn serve(listener: UnixListener, folder: &Path, servers: ServersConfig, stop: CancellationToken) -> Result<(), OpenError> {
    std::fs::create_dir_all(folder)?;
    stores::limit_memory()?;
    let registry = Arc::new(Registry::open(folder)?);
    let servers = Arc::new(Servers::new(servers)?);
    let services = Services { stores: Arc::new(Stores::new(Arc::clone(&registry), folder.to_owned())), registry, servers };
    let swept = services.clone();
    let sweep = async {
        while stop.run_until_cancelled(tokio::time::sleep(SWEEP)).await.is_some() {
            swept.stores.close_idle();
            // What is broken off is looked at again; the end does not wait for a server that does not answer.
            stop.run_until_cancelled(swept.servers.sweep(&swept.registry)).await;
        }
    };
    let routes = broker::routes().merge(data::routes()).with_state(services);
    let serve = axum::serve(listener, routes).with_graceful_shutdown(stop.clone().cancelled_owned()).into_future();
    let (served, ()) = tokio::join!(serve, sweep);
    Ok(served?)
}
