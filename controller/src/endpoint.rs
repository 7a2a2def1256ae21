//! A line of the route table, and the guard in front of each.

use crate::{
    Access, Controller,
    access::{OrgRight, SpaceRight},
    again,
    openapi::{Arguments, Reads},
};
use http::{HeaderName, HeaderValue, Method};
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
        let guarding = controller.clone();
        let route = route.layer(from_fn(move |request, next| guard(who, path, guarding.clone(), request, next)));
        router = router.route(path, route);
    }
    router.with_state(controller)
}

/// Asks for a token and its scopes, and counts the request, before a handler sees anything of it.
async fn guard(who: Who, path: &'static str, controller: Controller, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let access = match who {
        Who::Anyone if ROOTS.contains(&path) => return next.run(Request::from_parts(parts, body)).await,
        // Read in any case: who shows a token is counted by it.
        _ => Access::from_request_parts(&mut parts, &()).await,
    };
    let standing = match controller.limiter().count(access.as_ref().ok(), &parts.headers, controller.now().as_second()) {
        Ok(standing) => standing,
        Err((standing, error)) => {
            let mut response = Failure::from(error).into_response();
            standing.write(response.headers_mut());
            return response;
        }
    };
    let user = access.as_ref().ok().and_then(Access::user);
    let mut response = match (access, who) {
        (Err(failure), who) if who != Who::Anyone => failure.into_response(),
        (Ok(access), Who::Admin) if !access.is_admin() => Failure::from(virga_contract::ApiError::not_authorized()).into_response(),
        (access, _) => {
            if let Ok(access) = access {
                parts.extensions.insert(access);
            }
            again::run(parts, body, next).await
        }
    };
    if let Some(standing) = standing {
        standing.write(response.headers_mut());
    }
    if let Some(user) = user.and_then(|user| HeaderValue::from_str(&user.to_string()).ok()) {
        response.headers_mut().insert(USER_GUID, user);
    }
    response
}

/// What nobody is counted for.
const ROOTS: &[&str] = &["/", "/v3"];
/// Who the token of a request is of.
const USER_GUID: HeaderName = HeaderName::from_static("x-user-guid");
