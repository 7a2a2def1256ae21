//! Errors of the APIs that stand beside v3: the routing API and the policy server have forms of their own, and their clients
//! read no other. Handlers answer as everywhere; here it is put into those words.

use http::StatusCode;
use serde_json::{Value, json};
use virga_contract::{ApiError, ErrorCode};
use virga_serve::{
    Caller,
    axum::{
        Json,
        body::to_bytes,
        extract::Request,
        middleware::Next,
        response::{IntoResponse as _, Response},
    },
};

/// Most bytes of an error that this program itself wrote.
const MAX_ERROR_BYTES: usize = 1 << 20;

/// Passes for tokens with a scope of the API that this path belongs to; `None` for a path of v3.
pub(crate) fn check_scopes(caller: &Caller, path: &str, is_safe: bool) -> Option<Result<(), ApiError>> {
    if path.starts_with("/routing/") {
        let (scope, scopes): (_, &[&str]) = match is_safe {
            true => ("routing.router_groups.read", &["routing.router_groups.read", "routing.router_groups.write"]),
            false => ("routing.router_groups.write", &["routing.router_groups.write"]),
        };
        let is_allowed = caller.is_admin() || caller.require_any_scope(scopes).is_ok();
        let refused = || ApiError::new(ErrorCode::InsufficientScope, format!("Token does not have '{scope}' scope"));
        return Some(if is_allowed { Ok(()) } else { Err(refused()) });
    }
    path.starts_with("/networking/").then(|| {
        let own = caller.require_any_scope(&["network.admin", "network.write"]);
        own.or_else(|_| if is_safe { caller.require_read() } else { caller.require_write() })
    })
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

/// Neither knows 422, and the routing API no 403.
fn routing(status: StatusCode, code: u64, detail: &str) -> (StatusCode, Value) {
    let status = match status {
        StatusCode::FORBIDDEN => StatusCode::UNAUTHORIZED,
        StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
        other => other,
    };
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
    let status = if status == StatusCode::UNPROCESSABLE_ENTITY { StatusCode::BAD_REQUEST } else { status };
    (status, json!({ "error": detail }))
}
