//! What bodies say of a service instance, and their rules.

use crate::{Error, Result, request::check_name};
use http::{HeaderName, HeaderValue};
use serde_json::{Map, Value};
use url::Url;
use virga_contract::ApiError;
use virga_model::service::{HOST_HELD, HostHeld, ServiceInstanceKind};
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
        match HostHeld::of(credentials) {
            Ok(None) => {}
            Ok(Some(held)) => self.0.extend(host_held_problems(&held).map(|problem| format!("Credentials {HOST_HELD} {problem}"))),
            Err(error) => self.0.push(format!("Credentials {HOST_HELD} must be an object with \"url\" and \"headers\": {error}")),
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

/// Most headers that the platform adds to a request.
const MAX_HELD_HEADERS: usize = 32;
/// Headers that belong to a connection, or that say where a request goes and how long it is.
const NOT_HELD: &[&str] = &[
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "upgrade",
    "te",
    "trailer",
    "proxy-connection",
    "virga-binding",
];

/// What is wrong with credentials that the platform is to hold.
fn host_held_problems(held: &HostHeld) -> impl Iterator<Item = String> {
    let url = Url::parse(&held.url).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let is_plain =
        url.is_some_and(|url| url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none());
    let no_url = (!is_plain).then(|| "url must be http or https, without user, password, query and fragment".to_owned());
    let count = held.headers.len();
    let too_many = (count > MAX_HELD_HEADERS).then(|| format!("headers are {count}, {MAX_HELD_HEADERS} is the most"));
    let wrong = held.headers.iter().find_map(|(name, value)| {
        let Ok(header) = HeaderName::try_from(name.as_str()) else { return Some(format!("header '{name}' is no name of a header")) };
        if NOT_HELD.contains(&header.as_str()) {
            return Some(format!("header '{name}' is the platform's to set"));
        }
        HeaderValue::from_str(value).is_err().then(|| format!("header '{name}' has characters that no header may have"))
    });
    no_url.into_iter().chain(too_many).chain(wrong)
}

/// The error of a name that another instance of the space has, in the words clients match.
pub(super) fn name_taken(error: StoreError, name: &str) -> Error {
    if error.is_unique("service_instances_space_guid_name") {
        return ApiError::unprocessable(format!("The service instance name is taken: {name}.")).into();
    }
    error.into()
}
