//! Which operation does what. One line per operation that runs in the background.

use crate::{Controller, Result};
use futures::future::BoxFuture;
use serde_json::Value;
use virga_model::Timestamp;
use virga_store::jobs::JobRow;

/// How far a job's work got.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    /// It is done; warnings.
    Done(Vec<String>),
    /// It waits for somebody else, and goes on with this input, not before this time.
    Again {
        /// The next input.
        payload: Value,
        /// When.
        at: Timestamp,
    },
}

impl From<Vec<String>> for Outcome {
    fn from(warnings: Vec<String>) -> Self {
        Self::Done(warnings)
    }
}

/// Does a job's work, any number of times with the same outcome.
pub(crate) type Work = for<'a> fn(&'a Controller, &'a JobRow) -> BoxFuture<'a, Result<Outcome>>;

macro_rules! operations {
    ($($operation:literal => $work:path,)*) => {
        /// The work of an operation; `None` for one of another version of this program.
        pub(crate) fn work_of(operation: &str) -> Option<Work> {
            match operation {
                $($operation => Some(|controller, job| Box::pin(async move { $work(controller, job).await.map(Outcome::from) })),)*
                _ => None,
            }
        }
    };
}

/// Whether an operation waits for the answer of a service broker.
pub(crate) fn asks_broker(operation: &str) -> bool {
    let (resource, verb) = operation.split_once('.').unwrap_or_default();
    match resource {
        "service_instance" | "service_bindings" | "service_keys" => true,
        "service_broker" => verb != "delete",
        _ => false,
    }
}

operations! {
    "admin.clear_buildpack_cache" => crate::apps::caches::run,
    "app.clear_buildpack_cache" => crate::apps::caches::run,
    "app.delete" => crate::apps::delete::run,
    "blob.delete" => crate::blobs::run,
    "droplet.upload" => crate::droplets::upload_work,
    "service_broker.catalog.synchronize" => crate::service_brokers::synchronize_work,
    "service_broker.update" => crate::service_brokers::update_work,
    "service_broker.mitigate_orphan" => crate::service_operations::mitigate_work,
    "service_instance.create" => crate::service_instances::create_work,
    "service_instance.update" => crate::service_instances::update_work,
    "service_instance.delete" => crate::service_instances::delete_work,
    "service_bindings.create" => crate::service_credential_bindings::create_work,
    "service_bindings.delete" => crate::service_credential_bindings::delete_work,
    "service_keys.create" => crate::service_credential_bindings::create_work,
    "service_keys.delete" => crate::service_credential_bindings::delete_work,
    "service_broker.delete" => crate::service_brokers::delete_work,
    "space.apply_manifest" => crate::manifests::apply_work,
    "space.delete" => crate::spaces::delete::work,
    "organization.delete" => crate::organizations::delete::work,
}
