//! Which operation does what. One line per operation that runs in the background.

use crate::{Controller, Result};
use futures::future::BoxFuture;
use virga_store::jobs::JobRow;

/// Does a job's work, any number of times with the same outcome; gives warnings.
pub(crate) type Work = for<'a> fn(&'a Controller, &'a JobRow) -> BoxFuture<'a, Result<Vec<String>>>;

macro_rules! operations {
    ($($operation:literal => $work:path,)*) => {
        /// The work of an operation; `None` for one of another version of this program.
        pub(crate) fn work_of(operation: &str) -> Option<Work> {
            match operation {
                $($operation => Some(|controller, job| Box::pin($work(controller, job))),)*
                _ => None,
            }
        }
    };
}

/// Whether an operation waits for the answer of a service broker.
pub(crate) fn asks_broker(operation: &str) -> bool {
    matches!(operation, "service_broker.catalog.synchronize" | "service_broker.update")
}

operations! {
    "admin.clear_buildpack_cache" => crate::apps::caches::run,
    "app.clear_buildpack_cache" => crate::apps::caches::run,
    "app.delete" => crate::apps::delete::run,
    "blob.delete" => crate::blobs::run,
    "droplet.upload" => crate::droplets::upload_work,
    "service_broker.catalog.synchronize" => crate::service_brokers::synchronize_work,
    "service_broker.update" => crate::service_brokers::update_work,
    "service_broker.delete" => crate::service_brokers::delete_work,
    "space.delete" => crate::spaces::delete::work,
    "organization.delete" => crate::organizations::delete::work,
}
