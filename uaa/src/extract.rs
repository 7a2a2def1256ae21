//! Queries, forms and JSON bodies of requests, refused in the UAA's shape.

use crate::refusal::Refusal;
use serde::de::DeserializeOwned;
use virga_serve::axum::{
    Form,
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Query, Request},
    http::request::Parts,
};

/// A JSON body, whatever its content type says.
pub(crate) struct JsonBody<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let bytes = Bytes::from_request(request, state).await.map_err(|error| Refusal::invalid_request(error.body_text()))?;
        serde_json::from_slice(&bytes).map(Self).map_err(|error| Refusal::invalid_request(error.to_string()))
    }
}

/// A form's fields.
pub(crate) struct FormBody<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for FormBody<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let Form(form) = Form::from_request(request, state).await.map_err(|error| Refusal::invalid_request(error.body_text()))?;
        Ok(Self(form))
    }
}

/// The fields of a query.
pub(crate) struct QueryFields<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for QueryFields<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let query = Query::from_request_parts(parts, state).await.map_err(|error| Refusal::invalid_request(error.body_text()))?;
        Ok(Self(query.0))
    }
}
