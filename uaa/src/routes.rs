//! The route table of the UAA, and the guard in front of each endpoint.

use crate::{
    approvals,
    authority::Uaa,
    authorize, clients, groups, info, keys, pages,
    providers::login,
    refusal::{Refusal, Result},
    tokens, users,
};
use std::sync::Arc;
use virga_serve::{
    auth::{Claims, bearer_token},
    axum::{
        Router,
        extract::{FromRequestParts as _, RawPathParams, Request},
        handler::Handler,
        http::{Method, StatusCode},
        middleware::{Next, from_fn},
        response::{IntoResponse as _, Response},
        routing::{MethodFilter, MethodRouter, on},
    },
};

/// Who may call an endpoint. The table enforces it, before the handler sees anything; but for pages, whose handlers send who is
/// not logged in to the login page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Who {
    /// Everybody.
    Anyone,
    /// A client that shows its id and secret in the request; the handler checks them.
    Client,
    /// A browser with a session; the handler checks it.
    Browser,
    /// Any good token.
    Token,
    /// A token with one of these scopes.
    Scope(&'static [&'static str]),
    /// The user that the path names, with this scope; or anybody with one of those.
    Oneself(&'static str, &'static [&'static str]),
}

/// One endpoint.
pub struct Endpoint {
    /// Its method.
    pub method: Method,
    /// Its path, parameters in braces.
    pub path: &'static str,
    /// Who may call it.
    pub who: Who,
    route: MethodRouter<Arc<Uaa>>,
}

/// Every endpoint of the UAA.
#[must_use]
pub fn endpoints() -> Vec<Endpoint> {
    const READ_USERS: Who = Who::Scope(&["scim.read", "uaa.admin"]);
    const WRITE_USERS: Who = Who::Scope(&["scim.write", "uaa.admin"]);
    const CREATE_USERS: Who = Who::Scope(&["scim.write", "scim.create", "uaa.admin"]);
    const CHANGE_USER: Who = Who::Oneself("openid", &["scim.write", "uaa.admin"]);
    const WRITE_GROUPS: Who = Who::Scope(&["scim.write", "groups.update", "uaa.admin"]);
    const READ_CLIENTS: Who = Who::Scope(&["clients.read", "clients.admin", "uaa.admin"]);
    const WRITE_CLIENTS: Who = Who::Scope(&["clients.write", "clients.admin", "uaa.admin"]);
    const CLIENT_SECRET: Who = Who::Scope(&["clients.secret", "clients.admin", "uaa.admin"]);
    const REVOKE: Who = Who::Scope(&["tokens.revoke", "uaa.admin"]);
    const RESET: Who = Who::Scope(&["oauth.login", "scim.write", "uaa.admin"]);
    const ADMIN: Who = Who::Scope(&["uaa.admin"]);
    vec![
        get("/info", Who::Anyone, info::show),
        get("/.well-known/openid-configuration", Who::Anyone, info::openid_configuration),
        get("/oauth/token/.well-known/openid-configuration", Who::Anyone, info::openid_configuration),
        get("/token_keys", Who::Anyone, keys::list),
        get("/token_key", Who::Anyone, keys::show),
        post("/token_keys", ADMIN, keys::rotate),
        delete("/token_keys/{kid}", ADMIN, keys::delete),
        get("/resources/uaa.css", Who::Anyone, pages::style),
        get("/login", Who::Anyone, pages::show_login),
        post("/login.do", Who::Browser, pages::log_in),
        get("/logout.do", Who::Browser, pages::log_out),
        get("/login/start/{origin}", Who::Browser, login::start),
        get("/login/callback/{origin}", Who::Browser, login::finish),
        get("/passcode", Who::Browser, pages::passcode),
        get("/profile", Who::Browser, pages::profile),
        post("/profile", Who::Browser, pages::revoke),
        get("/change_password", Who::Browser, pages::show_change),
        post("/change_password", Who::Browser, pages::change),
        get("/forgot_password", Who::Anyone, pages::forgot),
        get("/reset_password", Who::Anyone, pages::show_reset),
        post("/reset_password", Who::Browser, pages::reset),
        get("/oauth/authorize", Who::Browser, authorize::show),
        post("/oauth/authorize", Who::Browser, authorize::answer),
        post("/oauth/token", Who::Client, tokens::create),
        post("/check_token", Who::Client, tokens::inspect::check),
        post("/introspect", Who::Client, tokens::inspect::introspect),
        get("/userinfo", Who::Scope(&["openid"]), tokens::inspect::user_info),
        post("/userinfo", Who::Scope(&["openid"]), tokens::inspect::user_info),
        delete("/oauth/token/revoke/{jti}", Who::Token, tokens::revoke::revoke),
        get("/oauth/token/revoke/user/{id}", Who::Token, tokens::revoke::of_user),
        get("/oauth/token/revoke/client/{id}", REVOKE, tokens::revoke::of_client),
        get("/oauth/token/revoke/user/{id}/client/{client}", Who::Token, tokens::revoke::of_user_and_client),
        get("/approvals", Who::Scope(&["oauth.approvals"]), approvals::list),
        delete("/approvals", Who::Scope(&["oauth.approvals"]), approvals::delete),
        get("/oauth/clients", READ_CLIENTS, clients::find::list),
        post("/oauth/clients", WRITE_CLIENTS, clients::create::create),
        get("/oauth/clients/{id}", READ_CLIENTS, clients::find::find),
        put("/oauth/clients/{id}", WRITE_CLIENTS, clients::change::update),
        delete("/oauth/clients/{id}", WRITE_CLIENTS, clients::change::delete),
        put("/oauth/clients/{id}/secret", CLIENT_SECRET, clients::secret::update),
        get("/ids/Users", Who::Scope(&["scim.userids"]), users::list::ids),
        get("/Users", READ_USERS, users::list::list),
        post("/Users", CREATE_USERS, users::create::create),
        get("/Users/{id}", READ_USERS, users::find::find),
        put("/Users/{id}", CHANGE_USER, users::change::update),
        patch("/Users/{id}", CHANGE_USER, users::change::update),
        delete("/Users/{id}", WRITE_USERS, users::delete::delete),
        put("/Users/{id}/password", Who::Oneself("password.write", &["uaa.admin"]), users::password::update),
        patch("/Users/{id}/status", WRITE_USERS, users::status::update),
        get("/Users/{id}/verify", WRITE_USERS, users::status::verify),
        post("/password_resets", RESET, pages::reset_code),
        get("/Groups", READ_USERS, groups::find::list),
        post("/Groups", WRITE_USERS, groups::create::create),
        get("/Groups/{id}", READ_USERS, groups::find::find),
        put("/Groups/{id}", WRITE_GROUPS, groups::change::update),
        patch("/Groups/{id}", WRITE_GROUPS, groups::change::update),
        delete("/Groups/{id}", WRITE_USERS, groups::delete::delete),
        get("/Groups/{id}/members", READ_USERS, groups::members::list),
        post("/Groups/{id}/members", WRITE_GROUPS, groups::members::create),
        get("/Groups/{id}/members/{member}", READ_USERS, groups::members::find),
        delete("/Groups/{id}/members/{member}", WRITE_GROUPS, groups::members::delete),
    ]
}

/// The router of these endpoints, to be merged with other APIs at one root.
pub fn router(uaa: &Arc<Uaa>) -> Router {
    let mut router = Router::new();
    for Endpoint { path, who, route, .. } in endpoints() {
        let guarded = match who {
            Who::Anyone | Who::Client | Who::Browser => route,
            _ => {
                let uaa = Arc::clone(uaa);
                route.layer(from_fn(move |request, next| guard(Arc::clone(&uaa), who, request, next)))
            }
        };
        router = router.route(path, guarded);
    }
    router.layer(from_fn(only_zone)).with_state(Arc::clone(uaa))
}

macro_rules! by_method {
    ($($name:ident $method:ident;)+) => {$(
        fn $name<H, T>(path: &'static str, who: Who, handler: H) -> Endpoint
        where
            H: Handler<T, Arc<Uaa>>,
            T: 'static,
        {
            Endpoint { method: Method::$method, path, who, route: on(MethodFilter::$method, handler) }
        }
    )+};
}

by_method! {
    get GET;
    post POST;
    put PUT;
    patch PATCH;
    delete DELETE;
}

/// There is one identity zone. Who means another must not be answered about this one.
async fn only_zone(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let zones = ["x-identity-zone-id", "x-identity-zone-subdomain"].map(|name| headers.get(name).cloned());
    if zones.iter().flatten().any(|zone| !zone.is_empty() && zone != "uaa") {
        return Refusal::new(StatusCode::NOT_FOUND, "not_found", "There are no identity zones but uaa").into_response();
    }
    next.run(request).await
}

/// Lets through who may come, with the [`Claims`] as an extension of the request.
async fn guard(uaa: Arc<Uaa>, who: Who, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let admitted = async {
        let token = bearer_token(&parts.headers);
        let missing = || Refusal::new(StatusCode::UNAUTHORIZED, "unauthorized", "Full authentication is required to access this resource");
        let claims = uaa.verifier().verify(token.ok_or_else(missing)?).await?;
        let params = RawPathParams::from_request_parts(&mut parts, &()).await.map_err(|error| Refusal::internal(error.body_text()))?;
        let named = params.iter().find(|(name, _)| *name == "id").map(|(_, value)| value);
        admit(who, &claims, named)?;
        Ok::<Claims, Refusal>(claims)
    };
    match admitted.await {
        Ok(claims) => {
            parts.extensions.insert(claims);
            next.run(Request::from_parts(parts, body)).await
        }
        Err(refusal) => refusal.into_response(),
    }
}

fn admit(who: Who, claims: &Claims, named: Option<&str>) -> Result<()> {
    let holds = |scope: &str| claims.scope.iter().any(|held| held == scope);
    let admitted = match who {
        Who::Anyone | Who::Client | Who::Browser | Who::Token => true,
        Who::Scope(scopes) => scopes.iter().any(|scope| holds(scope)),
        Who::Oneself(scope, others) => {
            others.iter().any(|scope| holds(scope)) || (holds(scope) && claims.user_id.is_some() && claims.user_id.as_deref() == named)
        }
    };
    if admitted {
        return Ok(());
    }
    Err(Refusal::new(StatusCode::FORBIDDEN, "insufficient_scope", "Insufficient scope for this resource"))
}
