//! Errors of the APIs that stand beside v3: the routing API and the policy server have forms of their own, and their clients
//! read no other. Handlers answer as everywhere; here it is put into those words.

use http::StatusCode;
use serde_json::{Value, json};
use virga_contract::ErrorCode;
use virga_serve::axum::{
    Json,
    body::to_bytes,
    extract::Request,
    middleware::Next,
    response::{IntoResponse as _, Response},
};

/// Most bytes of an error that this program itself wrote.
const MAX_ERROR_BYTES: usize = 1 << 20;

/// Whether the API of this path asks for other scopes than the Cloud Controller's; its handlers do.
pub(crate) fn has_scopes_of_its_own(path: &str) -> bool {
    path.starts_with("/routing/") || path.starts_with("/networking/")
}

/// Passes everything on, and rewrites errors of the paths that have another form of them.
pub(crate) async fn speak(request: Request, next: Next) -> Response {
    let write = match request.uri().path() {
        path if path.starts_with("/routing/") => routing,
        path if path.starts_with("/networking/") => networking,
        _ => return next.run(request).await,
    };
    let response = next.run(request).await;
    if !response.status().is_client_error() && !response.status().is_server_error() {
        return response;
    }
    let (parts, body) = response.into_parts();
    let body: Value = to_bytes(body, MAX_ERROR_BYTES).await.ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    let code = body.pointer("/errors/0/code").and_then(Value::as_u64).unwrap_or_default();
    let detail = body.pointer("/errors/0/detail").and_then(Value::as_str).unwrap_or("the request failed");
    let (status, body) = write(parts.status, code, detail);
    let mut rewritten = (status, Json(body)).into_response();
    for (name, value) in &parts.headers {
        if !rewritten.headers().contains_key(name) && name != http::header::CONTENT_LENGTH {
            rewritten.headers_mut().append(name, value.clone());
        }
    }
    rewritten
}

/// The routing API knows no 403.
fn routing(status: StatusCode, code: u64, detail: &str) -> (StatusCode, Value) {
    let status = if status == StatusCode::FORBIDDEN { StatusCode::UNAUTHORIZED } else { status };
    let name = match status.as_u16() {
        401 => "UnauthorizedError",
        404 => "ResourceNotFoundError",
        409 => "DBConflictError",
        500.. => "DBCommunicationError",
        _ => "ProcessRequestError",
    };
    // On these words the CLI gets itself a new token.
    let message = if code == u64::from(ErrorCode::InvalidAuthToken.code()) { "Token is expired" } else { detail };
    (status, json!({ "name": name, "message": message }))
}

fn networking(status: StatusCode, _: u64, detail: &str) -> (StatusCode, Value) {
    (status, json!({ "error": detail }))
}
