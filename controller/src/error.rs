//! The one error type of handlers, actions and jobs.

use crate::again::LostRace;
use virga_blobstore::BlobError;
use virga_contract::{ApiError, ErrorCode};
use virga_serve::{
    Failure,
    axum::response::{IntoResponse, Response},
};
use virga_store::StoreError;

/// Shorthand of this room.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What a handler, action or job fails with. `?` makes one of an [`ApiError`], [`StoreError`], [`BlobError`] or
/// [`Failure`]; a uniqueness that has a sentence of Cloud Foundry's must be mapped before that (see [`StoreError::is_unique`]).
#[derive(Debug)]
pub struct Error {
    failure: Failure,
    /// Another request was quicker; this one may be done again.
    lost_race: bool,
}

impl Error {
    /// The same error with other details, where it is the client's; what the server did wrong keeps its words.
    #[must_use]
    pub(crate) fn with_details(self, change: impl Fn(&str) -> String) -> Self {
        let mut api = self.api().clone();
        if !api.status().is_client_error() {
            return self;
        }
        for (_, detail) in &mut api.problems {
            *detail = change(detail);
        }
        Self { failure: api.into(), lost_race: self.lost_race }
    }

    /// Whether another was quicker, so that this may be done again.
    pub(crate) fn lost_race(&self) -> bool {
        self.lost_race
    }

    /// What a client will read.
    #[must_use]
    pub fn api(&self) -> &ApiError {
        self.failure.error()
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut response = self.failure.into_response();
        if self.lost_race {
            response.extensions_mut().insert(LostRace);
        }
        response
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.failure.error().fmt(f)
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self { failure, lost_race: false }
    }
}

impl From<ApiError> for Error {
    fn from(error: ApiError) -> Self {
        Self { failure: error.into(), lost_race: false }
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        error.failure.error().clone()
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        let context = chain(&error);
        let lost_race = matches!(error, StoreError::Conflict);
        let error = match error {
            StoreError::Conflict => ApiError::unprocessable("The resource was changed by another request meanwhile. Try again."),
            StoreError::Unavailable(_) => {
                let mut busy = ApiError::new(ErrorCode::ServiceUnavailable, "The database is not available. Try again later.");
                busy.retry_after_seconds = Some(1);
                busy.with_context(context)
            }
            _ => ApiError::internal(context),
        };
        Self { failure: error.into(), lost_race }
    }
}

impl From<BlobError> for Error {
    fn from(error: BlobError) -> Self {
        let context = chain(&error);
        match error {
            BlobError::Unavailable(_) => {
                ApiError::new(ErrorCode::ServiceUnavailable, "The blobstore is not available. Try again later.").with_context(context)
            }
            _ => ApiError::internal(context),
        }
        .into()
    }
}

/// An error with all its causes, for the log.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_race_told_in_other_words_is_still_one() {
        let told = Error::from(StoreError::Conflict).with_details(|detail| format!("For application 'a': {detail}"));
        assert!(told.api().problems.iter().all(|(_, detail)| detail.starts_with("For application 'a': The resource was changed")));
        assert!(told.into_response().extensions().get::<LostRace>().is_some());
        let internal = Error::from(ApiError::internal("what only the log says"));
        let (before, after) = (internal.api().clone(), internal.with_details(|_| "other".to_owned()));
        assert_eq!(before.problems, after.api().problems);
    }
}
