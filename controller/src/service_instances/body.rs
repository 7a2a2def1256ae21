//! What bodies say of a service instance, and their rules.

use crate::{Error, Result, request::check_name};
use serde_json::{Map, Value};
use url::Url;
use virga_contract::ApiError;
use virga_model::service::ServiceInstanceKind;
use virga_store::StoreError;

/// Most characters of all tags of an instance together.
const MAX_TAG_CHARS: usize = 2_048;
/// Most characters of a URL.
const MAX_URL_CHARS: usize = 10_000;
/// Most bytes of an instance's credentials, as JSON.
const MAX_CREDENTIAL_BYTES: usize = 64 << 10;

/// Most bytes of what a broker is given, as JSON.
const MAX_PARAMETER_BYTES: usize = 64 << 10;

/// Passes parameters that a broker may be given.
///
/// # Errors
/// 422 naming the limit.
pub(crate) fn check_parameters(parameters: Option<&Map<String, Value>>) -> Result<()> {
    let bytes = parameters.map_or(0, |parameters| Value::Object(parameters.clone()).to_string().len());
    if bytes > MAX_PARAMETER_BYTES {
        let detail = format!("Parameters are too large: they have {bytes} bytes as JSON, {MAX_PARAMETER_BYTES} is the most");
        return Err(ApiError::unprocessable(detail).into());
    }
    Ok(())
}

/// Refuses members of a body that only the other kind of instance has: name, whether it is there, whose it is.
///
/// # Errors
/// 422 naming them.
pub(super) fn check_members(kind: ServiceInstanceKind, members: &[(&str, bool, ServiceInstanceKind)]) -> Result<()> {
    let strange = members.iter().filter(|(_, is_there, of)| *is_there && *of != kind);
    let strange: Vec<String> = strange.map(|(name, ..)| format!("'{name}'")).collect();
    if strange.is_empty() {
        return Ok(());
    }
    Err(ApiError::unprocessable(format!("Unknown field(s): {}", strange.join(", "))).into())
}

/// Gathers every sentence about what is wrong.
#[derive(Debug, Default)]
pub(super) struct Check(Vec<String>);

impl Check {
    pub fn name(&mut self, name: &str) {
        if let Err(error) = check_name(name) {
            self.0.extend(error.api().problems.iter().map(|(_, detail)| detail.clone()));
        }
    }

    pub fn tags(&mut self, tags: &[String]) {
        if tags.iter().map(|tag| tag.chars().count()).sum::<usize>() > MAX_TAG_CHARS {
            self.0.push(format!("Tags are too long: their combined length must be {MAX_TAG_CHARS} characters or less"));
        }
    }

    pub fn credentials(&mut self, credentials: &Map<String, Value>) {
        let bytes = Value::Object(credentials.clone()).to_string().len();
        if bytes > MAX_CREDENTIAL_BYTES {
            self.0.push(format!("Credentials are too large: they have {bytes} bytes as JSON, {MAX_CREDENTIAL_BYTES} is the most"));
        }
    }

    /// An empty text stands for none.
    pub fn syslog_drain_url(&mut self, url: &str) {
        self.url("Syslog drain url", url);
    }

    pub fn route_service_url(&mut self, url: &str) {
        self.url("Route service url", url);
        if !url.is_empty() && !url.starts_with("https:") {
            self.0.push("Route service url must be https".to_owned());
        }
    }

    fn url(&mut self, what: &str, url: &str) {
        if url.chars().count() > MAX_URL_CHARS {
            self.0.push(format!("{what} is too long (maximum is {MAX_URL_CHARS} characters)"));
        } else if !url.is_empty() && Url::parse(url).is_err() {
            self.0.push(format!("{what} must be a valid URI"));
        }
    }

    /// # Errors
    /// 422 with everything that is wrong.
    pub fn end(self) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(ApiError::unprocessable_all(self.0).into()) }
    }
}

/// The error of a name that another instance of the space has, in the words clients match.
pub(super) fn name_taken(error: StoreError, name: &str) -> Error {
    if error.is_unique("service_instances_space_guid_name") {
        return ApiError::unprocessable(format!("The service instance name is taken: {name}.")).into();
    }
    error.into()
}
