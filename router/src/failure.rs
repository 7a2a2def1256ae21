//! What the router answers by itself: one table of status, `X-Cf-RouterError` and text, with gorouter's words where it
//! has them.

use crate::counters::{Counters, ErrorKind};
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use std::borrow::Cow;
use virga_contract::{ApiError, Body, ErrorCode, body, cell::CellError};

/// Names the failure of the router in an answer.
pub(crate) const X_CF_ROUTER_ERROR: HeaderName = HeaderName::from_static("x-cf-routererror");

/// A request that the router answers itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// No route for this host and path. With an instance header it is the caller's mistake (400).
    UnknownRoute { host: String, is_pinned: bool },
    /// The route's app has no instance that may answer, now.
    NoEndpoints { host: String },
    /// `X-Cf-App-Instance` is not `<app guid>:<index>`.
    InvalidAppInstance,
    /// `X-Cf-Process-Instance` is not `<process guid>[:<index>]`.
    InvalidProcessInstance,
    /// No host at all.
    EmptyHost,
    /// Not a request that can be carried on.
    BadRequest(&'static str),
    /// TRACE and CONNECT.
    MethodNotAllowed,
    /// An upgrade to a protocol that instances do not speak.
    UpgradeRefused,
    /// The instance had no room in time.
    Overloaded { limit: &'static str, retry_after_seconds: u32 },
    /// The instance broke.
    Endpoint(&'static str),
    /// The instance was ended by a limit.
    Limit { limit: &'static str, is_time: bool },
    /// The body is over the limit.
    BodyTooLarge,
    /// The header block is over the limit.
    HeaderTooLarge,
    /// The client stopped sending its body.
    SlowBody,
    /// The client went away, or broke off its body; nobody reads this answer, but the access log does.
    ClientGone,
    /// An upgrade of a route with a route service.
    RouteServiceUnsupported,
    /// A signature of a route service that does not hold, or holds no more.
    RouteServiceSignature { is_expired: bool },
    /// The control process does not answer.
    ApiAway,
}

impl From<&CellError> for Failure {
    /// [`CellError::Gone`] is for the caller to judge; here it counts as a broken endpoint. Texts of the guest stay in
    /// the app's own log.
    fn from(error: &CellError) -> Self {
        match error {
            CellError::Gone => Self::Endpoint("the instance is gone"),
            CellError::Overloaded { limit, retry_after_seconds } => Self::Overloaded { limit, retry_after_seconds: *retry_after_seconds },
            CellError::Guest(_) => Self::Endpoint("the app failed"),
            CellError::Limit { limit, is_time } => Self::Limit { limit, is_time: *is_time },
            CellError::Load(_) => Self::Endpoint("the app could not be loaded"),
            CellError::NoConnections => Self::UpgradeRefused,
        }
    }
}

impl Failure {
    /// The HTTP status of the answer; 499 is nginx's word, also gorouter's, for a client that did not wait.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::UnknownRoute { is_pinned: false, .. } => StatusCode::NOT_FOUND,
            Self::UnknownRoute { is_pinned: true, .. } => StatusCode::BAD_REQUEST,
            Self::InvalidAppInstance | Self::InvalidProcessInstance | Self::EmptyHost | Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::NoEndpoints { .. } | Self::Overloaded { .. } | Self::ApiAway | Self::RouteServiceUnsupported => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::RouteServiceSignature { is_expired: false } => StatusCode::BAD_REQUEST,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::UpgradeRefused => StatusCode::NOT_IMPLEMENTED,
            Self::Endpoint(_) | Self::Limit { is_time: false, .. } => StatusCode::BAD_GATEWAY,
            Self::Limit { is_time: true, .. } | Self::RouteServiceSignature { is_expired: true } => StatusCode::GATEWAY_TIMEOUT,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::HeaderTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::SlowBody => StatusCode::REQUEST_TIMEOUT,
            Self::ClientGone => StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST),
        }
    }

    /// Under which name it is counted.
    pub(crate) fn kind(&self) -> ErrorKind {
        match self {
            Self::UnknownRoute { .. } => ErrorKind::UnknownRoute,
            Self::NoEndpoints { .. } => ErrorKind::NoEndpoints,
            Self::InvalidAppInstance => ErrorKind::InvalidAppInstance,
            Self::InvalidProcessInstance => ErrorKind::InvalidProcessInstance,
            Self::EmptyHost => ErrorKind::EmptyHost,
            Self::BadRequest(_) => ErrorKind::BadRequest,
            Self::MethodNotAllowed => ErrorKind::MethodNotAllowed,
            Self::UpgradeRefused | Self::Endpoint(_) | Self::Limit { .. } | Self::ClientGone => ErrorKind::EndpointFailure,
            Self::Overloaded { .. } => ErrorKind::ConnectionLimit,
            Self::BodyTooLarge | Self::HeaderTooLarge => ErrorKind::RequestTooLarge,
            Self::SlowBody => ErrorKind::RequestTimeout,
            Self::RouteServiceUnsupported => ErrorKind::RouteServiceUnsupported,
            Self::RouteServiceSignature { is_expired: false } => ErrorKind::InvalidRouteServiceSignature,
            Self::RouteServiceSignature { is_expired: true } => ErrorKind::ExpiredRouteServiceSignature,
            Self::ApiAway => ErrorKind::ApiAway,
        }
    }

    /// `X-Cf-RouterError`.
    pub(crate) fn name(&self) -> Cow<'static, str> {
        let cause: Cow<'static, str> = match self {
            Self::UpgradeRefused => "upgrades are not supported by this kind of app".into(),
            Self::Endpoint(cause) => (*cause).into(),
            Self::Limit { limit, .. } => format!("limit {limit}").into(),
            Self::ClientGone => "context canceled".into(),
            other => return other.kind().name().into(),
        };
        format!("{} ({cause})", self.kind().name()).into()
    }

    /// What follows the status line's words in the text.
    fn text(&self) -> Cow<'static, str> {
        match self {
            Self::UnknownRoute { host, .. } => format!("Requested route ('{host}') does not exist.").into(),
            Self::NoEndpoints { host } => format!("Requested route ('{host}') has no available endpoints.").into(),
            Self::InvalidAppInstance => "Invalid X-CF-App-Instance Header".into(),
            Self::InvalidProcessInstance => "Invalid X-CF-Process-Instance Header".into(),
            Self::EmptyHost => "Request had empty Host header".into(),
            Self::BadRequest(what) => format!("The request could not be understood: {what}.").into(),
            Self::MethodNotAllowed => "The router does not carry TRACE or CONNECT requests.".into(),
            Self::UpgradeRefused => "This kind of app cannot take over a connection (WebSocket or other upgrade).".into(),
            Self::Overloaded { limit, .. } => format!("The app instance is at its limit ({limit}).").into(),
            Self::Endpoint(_) => "Registered endpoint failed to handle the request.".into(),
            Self::Limit { limit, .. } => format!("The app exceeded its limit ({limit}).").into(),
            Self::BodyTooLarge => "The request body is larger than allowed.".into(),
            Self::HeaderTooLarge => "The request header is larger than allowed.".into(),
            Self::SlowBody => "The request body did not arrive in time.".into(),
            Self::ClientGone => "The client closed the request.".into(),
            Self::RouteServiceUnsupported => "Route services do not carry upgrades (WebSocket).".into(),
            Self::RouteServiceSignature { is_expired: false } => "Failed to validate Route Service Signature".into(),
            Self::RouteServiceSignature { is_expired: true } => "Failed to validate Route Service Signature: it has expired".into(),
            Self::ApiAway => "The platform's API is restarting. Try again in a moment.".into(),
        }
    }

    /// Whether what the client still sends is better not read.
    pub(crate) fn closes(&self) -> bool {
        matches!(self, Self::BodyTooLarge | Self::HeaderTooLarge | Self::SlowBody | Self::BadRequest(_) | Self::EmptyHost)
    }

    fn retry_after_seconds(&self) -> Option<u32> {
        match self {
            Self::NoEndpoints { .. } | Self::ApiAway => Some(1),
            Self::Overloaded { retry_after_seconds, .. } => Some((*retry_after_seconds).max(1)),
            _ => None,
        }
    }

    /// The answer, counted.
    pub(crate) fn into_response(self, counters: &Counters) -> Response<Body> {
        counters.failed(self.kind());
        let status = self.status();
        let (body, content_type) = match &self {
            Self::ApiAway => {
                let error = ApiError::new(ErrorCode::ServiceUnavailable, self.text());
                (error.to_json().to_string(), HeaderValue::from_static("application/json; charset=utf-8"))
            }
            _ => {
                let reason = status.canonical_reason().unwrap_or("Client Closed Request");
                (format!("{} {reason}: {}\n", status.as_u16(), self.text()), HeaderValue::from_static("text/plain; charset=utf-8"))
            }
        };
        let mut response = Response::new(body::full(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, content_type);
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        let name = HeaderValue::from_str(&self.name()).unwrap_or(HeaderValue::from_static("unknown_failure"));
        headers.insert(X_CF_ROUTER_ERROR, name);
        if let Some(seconds) = self.retry_after_seconds() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if matches!(self, Self::UnknownRoute { .. } | Self::NoEndpoints { .. }) {
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-store"));
        }
        if self == Self::MethodNotAllowed {
            headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"));
        }
        if self.closes() {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}
