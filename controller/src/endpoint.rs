//! A line of the route table, and the guard in front of each.

use crate::{
    Access, Controller,
    access::{OrgRight, SpaceRight},
    openapi::{Arguments, Reads},
};
use http::Method;
use virga_serve::{
    Failure,
    axum::{
        Router,
        extract::{FromRequestParts as _, Request},
        handler::Handler,
        middleware::{Next, from_fn},
        response::{IntoResponse as _, Response},
        routing::{MethodFilter, MethodRouter, on},
    },
};

/// Who may call an endpoint. `Anyone`, `LoggedIn` and `Admin` are enforced by the table itself; rights in a space or
/// organization by the handler, which alone knows in which; a test walks the table and asks as every kind of caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Who {
    /// No token needed.
    Anyone,
    /// Any good token whose scopes allow reading (or, where the method changes something, writing). Lists show what the
    /// caller may see.
    LoggedIn,
    /// Scope `cloud_controller.admin`.
    Admin,
    /// Who has this right in the space of what the path or body names.
    Space(SpaceRight),
    /// Who has this right in the organization of what the path or body names.
    Org(OrgRight),
}

/// One endpoint.
pub struct Endpoint {
    /// Its method.
    pub method: Method,
    /// Its path, parameters in braces.
    pub path: &'static str,
    /// Who may call it.
    pub who: Who,
    /// What its handler reads of a request.
    pub(crate) reads: fn() -> Reads,
    pub(crate) route: MethodRouter<Controller>,
}

macro_rules! by_method {
    ($($name:ident $method:ident;)+) => {$(
        #[doc = concat!("A line of the route table with method ", stringify!($method), ".")]
        pub(crate) fn $name<H, T>(path: &'static str, who: Who, handler: H) -> Endpoint
        where
            H: Handler<T, Controller>,
            T: Arguments + 'static,
        {
            Endpoint { method: Method::$method, path, who, reads: T::reads, route: on(MethodFilter::$method, handler) }
        }
    )+};
}

by_method! {
    get GET;
    post POST;
    patch PATCH;
    put PUT;
    delete DELETE;
}

/// The router of these endpoints. A path may appear once per method.
pub(crate) fn router(endpoints: Vec<Endpoint>, controller: Controller) -> Router {
    let mut router = Router::new();
    for Endpoint { path, who, route, .. } in endpoints {
        let route = match who {
            Who::Anyone => route,
            _ => route.layer(from_fn(move |request, next| guard(who, request, next))),
        };
        router = router.route(path, route);
    }
    router.with_state(controller)
}

/// Asks for a token and its scopes before a handler sees anything of the request.
async fn guard(who: Who, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let access = match Access::from_request_parts(&mut parts, &()).await {
        Ok(access) => access,
        Err(failure) => return failure.into_response(),
    };
    if who == Who::Admin && !access.is_admin() {
        return Failure::from(virga_contract::ApiError::not_authorized()).into_response();
    }
    parts.extensions.insert(access);
    next.run(Request::from_parts(parts, body)).await
}
