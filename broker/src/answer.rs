//! What a broker's answers mean: the protocol's status codes, one table per request.

use crate::{
    error::{BrokerError, BrokerErrorKind},
    exchange::Answer,
    reading::{failure, malformed, object, optional_object, optional_text, shown},
};
use serde_json::{Map, Value};
use std::time::Duration;
use url::Url;
use virga_model::service::OperationState;

/// Whether what was asked for is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// It is.
    Done,
    /// It goes on at the broker; ask [`crate::BrokerClient::last_operation`].
    InProgress {
        /// The broker's name for it, to be sent back when asking. At most 10,000 characters.
        operation: Option<String>,
    },
}

/// An instance was made, or is being made.
#[derive(Debug, Clone, PartialEq)]
pub struct Provisioned {
    /// How far.
    pub progress: Progress,
    /// The broker had this very instance already (200 instead of 201).
    pub existed: bool,
    /// Where people administer it.
    pub dashboard_url: Option<String>,
    /// What the broker says of the instance (`metadata`): `labels` and `attributes`, as it sent them.
    pub metadata: Option<Map<String, Value>>,
}

/// An instance was changed, or is being changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Updated {
    /// How far.
    pub progress: Progress,
    /// Where people administer it, if that is new.
    pub dashboard_url: Option<String>,
    /// What the broker says of the instance, if that is new.
    pub metadata: Option<Map<String, Value>>,
}

/// An instance or binding was deleted, or is being deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// How far.
    pub progress: Progress,
    /// The broker had none of this guid (410): as good as deleted.
    pub was_gone: bool,
}

/// What a binding gives.
#[derive(Clone, PartialEq, Default)]
pub struct Binding {
    /// The secret.
    pub credentials: Map<String, Value>,
    /// Where logs of the app go.
    pub syslog_drain_url: Option<String>,
    /// Where requests of the route go; https always.
    pub route_service_url: Option<String>,
    /// Volumes, as the broker sent them.
    pub volume_mounts: Vec<Value>,
    /// When the binding ends (`metadata.expires_at`), as the broker sent it.
    pub expires_at: Option<String>,
    /// When it should have been followed by another (`metadata.renew_before`), as the broker sent it.
    pub renew_before: Option<String>,
}

impl std::fmt::Debug for Binding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The URLs hold secrets as often as the credentials do.
        f.debug_struct("Binding").field("volume_mounts", &self.volume_mounts.len()).finish_non_exhaustive()
    }
}

/// A binding was made, or is being made.
#[derive(Debug, Clone, PartialEq)]
pub struct Bound {
    /// How far.
    pub progress: Progress,
    /// The broker had this very binding already (200 instead of 201).
    pub existed: bool,
    /// What it gives. Empty while in progress: fetch it when it is done.
    pub binding: Binding,
}

/// How far an operation is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationStatus {
    /// In progress, succeeded or failed. A broker that knows neither instance nor binding (410) has ended a deletion:
    /// `Succeeded` with [`Self::is_gone`]; after anything else than a deletion the caller has to take that as a failure.
    pub state: OperationState,
    /// The broker's words, without control characters, at most 10,000 characters.
    pub description: Option<String>,
    /// When the broker wants to be asked again. Not yet limited; [`crate::Polling`] does that.
    pub retry_after: Option<Duration>,
    /// The broker answered 410.
    pub is_gone: bool,
    /// After a failed change or deletion: whether the instance still works.
    pub instance_usable: Option<bool>,
    /// After a failed change: whether it makes sense to try it again.
    pub update_repeatable: Option<bool>,
}

/// What a broker knows of an instance.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FetchedInstance {
    /// The parameters it was made or changed with.
    pub parameters: Map<String, Value>,
    /// Where people administer it.
    pub dashboard_url: Option<String>,
    /// Its offering's id.
    pub service_id: Option<String>,
    /// Its plan's id.
    pub plan_id: Option<String>,
    /// What the broker says of it.
    pub metadata: Option<Map<String, Value>>,
}

/// What a broker knows of a binding.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FetchedBinding {
    /// The parameters it was made with.
    pub parameters: Map<String, Value>,
    /// What it gives.
    pub binding: Binding,
}

/// The broker's name for an operation.
const OPERATION_CHARACTERS: usize = 10_000;

type Object = Map<String, Value>;

fn progress(answer: &Answer, body: &Object, accepts_incomplete: bool) -> Result<Progress, BrokerError> {
    let operation = optional_text(answer, body, "operation")?;
    if operation.as_ref().is_some_and(|operation| operation.chars().count() > OPERATION_CHARACTERS) {
        let message = format!("The property '#/operation' was not of a maximum string length of {OPERATION_CHARACTERS}");
        return Err(malformed(answer, &format!("\n{message}")));
    }
    match answer.status.as_u16() {
        202 if accepts_incomplete => Ok(Progress::InProgress { operation }),
        202 => Err(BrokerError {
            status: Some(202),
            leaves_orphan: true,
            ..BrokerError::new(
                BrokerErrorKind::RespondedAsync,
                "The service broker responded asynchronously to a request, but the accepts_incomplete query parameter was false or not given.",
            )
        }),
        _ => Ok(Progress::Done),
    }
}

/// `metadata` of an instance: labels and attributes.
fn instance_metadata(answer: &Answer, body: &Object) -> Result<Option<Object>, BrokerError> {
    let metadata = optional_object(answer, body, "metadata")?;
    if let Some(metadata) = &metadata {
        optional_object(answer, metadata, "labels")?;
        optional_object(answer, metadata, "attributes")?;
    }
    Ok(metadata)
}

fn dashboard_url(answer: &Answer, body: &Object) -> Result<Option<String>, BrokerError> {
    Ok(optional_text(answer, body, "dashboard_url")?.map(|url| shown(&url)))
}

pub(crate) fn catalog(answer: &Answer) -> Result<Object, BrokerError> {
    if answer.status != 200 {
        return Err(BrokerError { leaves_orphan: false, ..failure(answer, &[], BrokerErrorKind::BadResponse) });
    }
    object(answer).map_err(|error| {
        let message = "The service broker returned an invalid response: expected valid JSON object in body. \
                       Please check that the URL points to a valid service broker.";
        BrokerError { kind: BrokerErrorKind::CatalogMalformed, message: message.to_owned(), leaves_orphan: false, ..error }
    })
}

pub(crate) fn provisioned(answer: &Answer, accepts_incomplete: bool) -> Result<Provisioned, BrokerError> {
    let words = [
        ("AsyncRequired", BrokerErrorKind::AsyncRequired),
        ("ConcurrencyError", BrokerErrorKind::Concurrency),
        ("MaintenanceInfoConflict", BrokerErrorKind::MaintenanceInfoConflict),
    ];
    match answer.status.as_u16() {
        200..=202 => {
            let body = object(answer)?;
            Ok(Provisioned {
                progress: progress(answer, &body, accepts_incomplete)?,
                existed: answer.status == 200,
                dashboard_url: dashboard_url(answer, &body)?,
                metadata: instance_metadata(answer, &body)?,
            })
        }
        409 => Err(failure(answer, &words, BrokerErrorKind::Conflict)),
        _ => Err(failure(answer, &words, BrokerErrorKind::BadResponse)),
    }
}

pub(crate) fn updated(answer: &Answer, accepts_incomplete: bool) -> Result<Updated, BrokerError> {
    let words = [
        ("AsyncRequired", BrokerErrorKind::AsyncRequired),
        ("ConcurrencyError", BrokerErrorKind::Concurrency),
        ("MaintenanceInfoConflict", BrokerErrorKind::MaintenanceInfoConflict),
    ];
    let read = || match answer.status.as_u16() {
        200 | 202 => {
            let body = object(answer)?;
            Ok(Updated {
                progress: progress(answer, &body, accepts_incomplete)?,
                dashboard_url: dashboard_url(answer, &body)?,
                metadata: instance_metadata(answer, &body)?,
            })
        }
        422 => Err(failure(answer, &words, BrokerErrorKind::RequestRejected)),
        _ => Err(failure(answer, &words, BrokerErrorKind::BadResponse)),
    };
    read().map_err(|error| BrokerError { leaves_orphan: false, ..error })
}

pub(crate) fn removed(answer: &Answer, accepts_incomplete: bool) -> Result<Removed, BrokerError> {
    let words = [("AsyncRequired", BrokerErrorKind::AsyncRequired), ("ConcurrencyError", BrokerErrorKind::Concurrency)];
    let read = || match answer.status.as_u16() {
        200 | 202 => Ok(Removed { progress: progress(answer, &object(answer)?, accepts_incomplete)?, was_gone: false }),
        410 => Ok(Removed { progress: Progress::Done, was_gone: true }),
        _ => Err(failure(answer, &words, BrokerErrorKind::BadResponse)),
    };
    read().map_err(|error| BrokerError { leaves_orphan: false, ..error })
}

pub(crate) fn bound(answer: &Answer, requires: &[String], accepts_incomplete: bool) -> Result<Bound, BrokerError> {
    let words = [
        ("RequiresApp", BrokerErrorKind::AppRequired),
        ("AsyncRequired", BrokerErrorKind::AsyncRequired),
        ("ConcurrencyError", BrokerErrorKind::Concurrency),
    ];
    match answer.status.as_u16() {
        200..=202 => {
            let body = object(answer)?;
            let progress = progress(answer, &body, accepts_incomplete)?;
            let binding = match progress {
                Progress::Done => binding(answer, &body, requires)?,
                Progress::InProgress { .. } => Binding::default(),
            };
            Ok(Bound { progress, existed: answer.status == 200, binding })
        }
        409 => Err(failure(answer, &words, BrokerErrorKind::Conflict)),
        _ => Err(failure(answer, &words, BrokerErrorKind::BadResponse)),
    }
}

pub(crate) fn fetched_instance(answer: &Answer) -> Result<FetchedInstance, BrokerError> {
    let read = || {
        if answer.status != 200 {
            return Err(failure(answer, &[], BrokerErrorKind::BadResponse));
        }
        let body = object(answer)?;
        Ok(FetchedInstance {
            parameters: optional_object(answer, &body, "parameters")?.unwrap_or_default(),
            dashboard_url: dashboard_url(answer, &body)?,
            service_id: optional_text(answer, &body, "service_id")?,
            plan_id: optional_text(answer, &body, "plan_id")?,
            metadata: instance_metadata(answer, &body)?,
        })
    };
    read().map_err(|error| BrokerError { leaves_orphan: false, ..error })
}

pub(crate) fn fetched_binding(answer: &Answer, requires: &[String]) -> Result<FetchedBinding, BrokerError> {
    let read = || {
        if answer.status != 200 {
            return Err(failure(answer, &[], BrokerErrorKind::BadResponse));
        }
        let body = object(answer)?;
        Ok(FetchedBinding {
            parameters: optional_object(answer, &body, "parameters")?.unwrap_or_default(),
            binding: binding(answer, &body, requires)?,
        })
    };
    read().map_err(|error| BrokerError { leaves_orphan: false, ..error })
}

pub(crate) fn operation(answer: &Answer) -> Result<OperationStatus, BrokerError> {
    let status = |state, description| OperationStatus {
        state,
        description,
        retry_after: answer.retry_after,
        is_gone: false,
        instance_usable: None,
        update_repeatable: None,
    };
    let read = || match answer.status.as_u16() {
        200 => {
            let body = object(answer)?;
            let state = match body.get("state").and_then(Value::as_str) {
                Some("in progress") => OperationState::InProgress,
                Some("succeeded") => OperationState::Succeeded,
                Some("failed") => OperationState::Failed,
                other => {
                    let other = shown(other.unwrap_or_default());
                    return Err(malformed(answer, &format!("expected state was 'succeeded', broker returned '{other}'.")));
                }
            };
            let description = optional_text(answer, &body, "description")?.map(|text| shown(&text));
            let flag = |name| body.get(name).and_then(Value::as_bool);
            Ok(OperationStatus {
                instance_usable: flag("instance_usable"),
                update_repeatable: flag("update_repeatable"),
                ..status(state, description)
            })
        }
        400 => {
            let body = object(answer).unwrap_or_default();
            let description = body.get("description").and_then(Value::as_str).map_or_else(|| "Bad request".to_owned(), shown);
            Ok(status(OperationState::Failed, Some(description)))
        }
        410 => Ok(OperationStatus { is_gone: true, ..status(OperationState::Succeeded, None) }),
        _ => Err(failure(answer, &[], BrokerErrorKind::BadResponse)),
    };
    read().map_err(|error| BrokerError { leaves_orphan: false, ..error })
}

/// What a binding gives. A binding whose content cannot be taken exists at the broker nevertheless.
fn binding(answer: &Answer, body: &Object, requires: &[String]) -> Result<Binding, BrokerError> {
    let announced = |what: &str| requires.iter().any(|required| required == what);
    let credentials = match body.get("credentials") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(credentials)) => credentials.clone(),
        Some(_) => return Err(malformed(answer, "expected credentials to be a valid JSON object")),
    };
    let syslog_drain_url = optional_text(answer, body, "syslog_drain_url")?;
    if syslog_drain_url.is_some() && !announced("syslog_drain") {
        let message = "The service is attempting to stream logs from your application, but is not registered as a logging service. \
                       Please contact the service provider.";
        return Err(unfit(answer, BrokerErrorKind::InvalidSyslogDrain, message));
    }
    let route_service_url = optional_text(answer, body, "route_service_url")?;
    if let Some(url) = &route_service_url
        && !is_route_service(url)
    {
        let message = "The service broker returned an invalid response: route_service_url must be an https URL with a host";
        return Err(unfit(answer, BrokerErrorKind::BadResponse, message));
    }
    let volume_mounts = volume_mounts(body, announced("volume_mount"))
        .map_err(|problem| unfit(answer, BrokerErrorKind::InvalidVolumeMounts, &format!("{INVALID}{problem}")))?;
    let metadata = optional_object(answer, body, "metadata")?.unwrap_or_default();
    Ok(Binding {
        credentials,
        syslog_drain_url,
        route_service_url,
        volume_mounts,
        expires_at: optional_text(answer, &metadata, "expires_at")?,
        renew_before: optional_text(answer, &metadata, "renew_before")?,
    })
}

const INVALID: &str = "The service broker returned an invalid response: ";

fn unfit(answer: &Answer, kind: BrokerErrorKind, message: &str) -> BrokerError {
    BrokerError { status: Some(answer.status.as_u16()), leaves_orphan: true, ..BrokerError::new(kind, message) }
}

fn is_route_service(text: &str) -> bool {
    Url::parse(text)
        .is_ok_and(|url| url.scheme() == "https" && url.host_str().is_some_and(|host| !host.is_empty() && !host.starts_with('.')))
}

fn volume_mounts(body: &Object, announced: bool) -> Result<Vec<Value>, String> {
    let mounts = match body.get("volume_mounts") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(_) if !announced => {
            let problem = "The service is attempting to supply volume mounts from your application, but is not registered as a volume \
                           mount service. Please contact the service provider.";
            return Err(problem.to_owned());
        }
        Some(Value::Array(mounts)) => mounts,
        Some(_) => return Err("expected \"volume_mounts\" key to contain an array of JSON objects in body".to_owned()),
    };
    for mount in mounts {
        let mount = mount.as_object().ok_or("expected \"volume_mounts\" key to contain an array of JSON objects in body")?;
        for field in ["device_type", "mode", "container_dir", "driver"] {
            if mount.get(field).and_then(Value::as_str).is_none_or(str::is_empty) {
                return Err(format!("missing required field '{field}'"));
            }
        }
        let device = mount.get("device").ok_or("missing required field 'device'")?;
        let device = device.as_object().ok_or("required field 'device' must be an object")?;
        if device.get("volume_id").and_then(Value::as_str).is_none_or(str::is_empty) {
            return Err("required field 'device.volume_id' must be a non-empty string".to_owned());
        }
        if device.get("mount_config").is_some_and(|config| !config.is_null() && !config.is_object()) {
            return Err("field 'device.mount_config' must be an object if it is defined".to_owned());
        }
    }
    Ok(mounts.clone())
}
