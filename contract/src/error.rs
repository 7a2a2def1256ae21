//! The one table of Cloud Foundry errors: code, title, HTTP status. `serve` turns an [`ApiError`] into an answer.

use http::StatusCode;

macro_rules! error_codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $status:literal;)+) => {
        /// An error of the v3 API; its title on the wire is `CF-` and the variant's name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ErrorCode { $($(#[$doc])* $name,)+ }

        impl ErrorCode {
            /// Every code, for tests over the whole table.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The number clients match on.
            #[must_use]
            pub fn code(self) -> u32 {
                match self { $(Self::$name => $code,)+ }
            }

            /// `CF-…`.
            #[must_use]
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => concat!("CF-", stringify!($name)),)+ }
            }

            /// The HTTP status of the answer.
            #[must_use]
            pub fn status(self) -> StatusCode {
                let status: u16 = match self { $(Self::$name => $status,)+ };
                StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            }
        }
    };
}

// Numbers and statuses: cloud_controller_ng, vendor/errors/v2.yml.
error_codes! {
    InvalidAuthToken = 1000, 401;
    MessageParseError = 1001, 400;
    InvalidRelation = 1002, 400;
    BadRequest = 1004, 400;
    NotFound = 10000, 404;
    ServerError = 10001, 500;
    // What a service broker did wrong has the number of a server error, and a title of its own.
    AppRequired = 10001, 400;
    MaintenanceInfoConflict = 10001, 422;
    ServiceBrokerApiAuthenticationFailed = 10001, 502;
    ServiceBrokerApiTimeout = 10001, 504;
    ServiceBrokerApiUnreachable = 10001, 502;
    ServiceBrokerBadResponse = 10001, 502;
    ServiceBrokerConflict = 10001, 409;
    ServiceBrokerInvalidBindingsRetrievable = 10001, 502;
    ServiceBrokerInvalidSyslogDrainUrl = 10001, 502;
    ServiceBrokerInvalidVolumeMounts = 10001, 502;
    ServiceBrokerResponseMalformed = 10001, 502;
    NotAuthenticated = 10002, 401;
    NotAuthorized = 10003, 403;
    InvalidRequest = 10004, 400;
    BadQueryParameter = 10005, 400;
    InsufficientScope = 10007, 403;
    UnprocessableEntity = 10008, 422;
    UnableToPerform = 10009, 400;
    ResourceNotFound = 10010, 404;
    RateLimitExceeded = 10013, 429;
    IPBasedRateLimitExceeded = 10014, 429;
    ServiceUnavailable = 10015, 503;
    UniquenessError = 10016, 422;
    OrgSuspended = 10017, 403;
    SpaceSuspended = 10019, 403;
    ResourceBeingDeleted = 10020, 422;
    UaaUnavailable = 20004, 503;
    AsyncServiceInstanceOperationInProgress = 60016, 409;
    ServiceFetchBindingParametersNotSupported = 90007, 400;
    AsyncServiceBindingOperationInProgress = 90008, 409;
    AppMemoryQuotaExceeded = 100005, 400;
    QuotaInstanceMemoryLimitExceeded = 100007, 400;
    ServiceFetchInstanceParametersNotSupported = 120004, 400;
    InsufficientRunningResourcesAvailable = 150003, 503;
    PackageBitsAlreadyUploaded = 150004, 400;
    AppBitsUploadInvalid = 160001, 400;
    StagingError = 170001, 400;
    NoAppDetectedError = 170003, 400;
    BuildpackCompileFailed = 170004, 400;
    BuildpackReleaseFailed = 170005, 400;
    NoBuildpacksFound = 170006, 400;
    StagingTimeExpired = 170007, 504;
    InsufficientResources = 170008, 400;
    StagingInProgress = 170017, 422;
    TaskWorkersUnavailable = 170020, 503;
    StatsUnavailable = 200002, 503;
    ServiceBrokerNotRemovable = 270010, 422;
    ServiceBrokerGone = 270011, 422;
    ServiceBrokerCatalogInvalid = 270012, 502;
    ServiceBrokerAsyncRequired = 270014, 400;
    ServiceBrokerRespondedAsyncWhenNotAllowed = 270017, 502;
    ServiceBrokerConcurrencyError = 270018, 422;
    ServiceBrokerRequestRejected = 270020, 502;
    ServiceBrokerRequestMalformed = 270021, 502;
    BuildpackNameStackLifecycleTaken = 290000, 422;
    BuildpackInvalid = 290003, 400;
    JobTimeout = 290006, 524;
    DockerDisabled = 320003, 400;
    FeatureDisabled = 330002, 403;
    RoutingApiUnavailable = 370001, 503;
    RoutingApiDisabled = 370003, 403;
    BuildpackStacksDontMatch = 390011, 422;
    BuildpackStackDoesNotExist = 390012, 422;
    BuildpackZipError = 390013, 422;
    ServiceInstanceDeletionSharesExists = 390002, 422;
    DeploymentsDisabled = 390014, 403;
    ScaleDisabledDuringDeployment = 390016, 422;
    ProcessUpdateDisabledDuringDeployment = 390017, 422;
    LabelLimitExceeded = 390020, 422;
    AnnotationLimitExceeded = 390023, 422;
    StopDisabledDuringDeployment = 390024, 422;
}

/// An error that a client will read. `detail` is public; `context` is logged and never sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// One entry per problem; never empty. The CLI prints them all.
    pub problems: Vec<(ErrorCode, String)>,
    /// What an operator needs to know and a client must not.
    pub context: Option<String>,
    /// Seconds for a `Retry-After` header.
    pub retry_after_seconds: Option<u32>,
}

impl ApiError {
    /// One problem with a public text.
    #[must_use]
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self { problems: vec![(code, detail.into())], context: None, retry_after_seconds: None }
    }

    /// Several problems of the same code, as validation gives them; `details` must not be empty.
    #[must_use]
    pub fn unprocessable_all(details: Vec<String>) -> Self {
        debug_assert!(!details.is_empty());
        let problems = details.into_iter().map(|detail| (ErrorCode::UnprocessableEntity, detail)).collect();
        Self { problems, context: None, retry_after_seconds: None }
    }

    /// 422 with this sentence.
    #[must_use]
    pub fn unprocessable(detail: impl Into<String>) -> Self {
        Self::new(ErrorCode::UnprocessableEntity, detail)
    }

    /// 404 `<resource> not found`; `resource` as the CLI matches it, such as `App`.
    #[must_use]
    pub fn not_found(resource: &str) -> Self {
        Self::new(ErrorCode::ResourceNotFound, format!("{resource} not found"))
    }

    /// 403 for a caller who may read but not change.
    #[must_use]
    pub fn not_authorized() -> Self {
        Self::new(ErrorCode::NotAuthorized, "You are not authorized to perform the requested action")
    }

    /// 500; `context` says what went wrong inside.
    #[must_use]
    pub fn internal(context: impl std::fmt::Display) -> Self {
        Self {
            problems: vec![(ErrorCode::ServerError, "The server failed to process the request; the failure was recorded.".to_owned())],
            context: Some(context.to_string()),
            retry_after_seconds: None,
        }
    }

    /// Adds what an operator should see in the log.
    #[must_use]
    pub fn with_context(mut self, context: impl std::fmt::Display) -> Self {
        self.context = Some(context.to_string());
        self
    }

    /// The HTTP status: that of the first problem.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.problems.first().map_or(StatusCode::INTERNAL_SERVER_ERROR, |(code, _)| code.status())
    }

    /// `{"errors":[{"code","title","detail"}]}`.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let errors: Vec<_> = self
            .problems
            .iter()
            .map(|(code, detail)| serde_json::json!({"code": code.code(), "title": code.title(), "detail": detail}))
            .collect();
        serde_json::json!({ "errors": errors })
    }
}

impl std::fmt::Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, (code, detail)) in self.problems.iter().enumerate() {
            write!(f, "{}{}: {detail}", if index == 0 { "" } else { "; " }, code.title())?;
        }
        Ok(())
    }
}

impl std::error::Error for ApiError {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn codes_are_unique_and_statuses_are_errors() {
        let own: Vec<_> = ErrorCode::ALL.iter().filter(|code| code.code() != ErrorCode::ServerError.code()).collect();
        let codes: HashSet<_> = own.iter().map(|code| code.code()).collect();
        assert_eq!(codes.len(), own.len());
        assert!(ErrorCode::ALL.iter().all(|code| code.status().is_client_error() || code.status().is_server_error()));
    }

    #[test]
    fn context_is_not_in_what_is_sent() {
        let error = ApiError::internal("password=hunter2");
        assert!(!error.to_json().to_string().contains("hunter2"));
        assert_eq!(error.status(), StatusCode::INTERNAL_SERVER_ERROR);
    }
}
