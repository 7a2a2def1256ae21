//! The route table of the UAA, and the guard in front of each endpoint.

use crate::{
    authority::Uaa,
    client_view, info,
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

/// Who may call an endpoint. The table enforces it, before the handler sees anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Who {
    /// Everybody.
    Anyone,
    /// A client that shows its id and secret in the request; the handler checks them.
    Client,
    /// Any good token.
    Token,
    /// A token with one of these scopes.
    Scope(&'static [&'static str]),
    /// The user that the path names, with this scope; or anybody with `uaa.admin`.
    Oneself(&'static str),
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
    const READ_CLIENTS: Who = Who::Scope(&["clients.read", "clients.admin", "uaa.admin"]);
    vec![
        get("/login", Who::Anyone, info::show),
        get("/info", Who::Anyone, info::show),
        get("/token_keys", Who::Anyone, tokens::keys::list),
        get("/token_key", Who::Anyone, tokens::keys::show),
        post("/oauth/token", Who::Client, tokens::create),
        post("/check_token", Who::Client, tokens::inspect::check),
        post("/introspect", Who::Client, tokens::inspect::introspect),
        get("/userinfo", Who::Scope(&["openid"]), tokens::inspect::user_info),
        delete("/oauth/token/revoke/{jti}", Who::Token, tokens::revoke::revoke),
        get("/oauth/clients/{id}", READ_CLIENTS, client_view::show),
        get("/Users", READ_USERS, users::list::list),
        post("/Users", WRITE_USERS, users::create::create),
        get("/Users/{id}", READ_USERS, users::find::find),
        delete("/Users/{id}", WRITE_USERS, users::delete::delete),
        put("/Users/{id}/password", Who::Oneself("password.write"), users::password::update),
    ]
}

/// The router of these endpoints, to be merged with other APIs at one root.
pub fn router(uaa: &Arc<Uaa>) -> Router {
    let mut router = Router::new();
    for Endpoint { path, who, route, .. } in endpoints() {
        let guarded = match who {
            Who::Anyone | Who::Client => route,
            _ => {
                let uaa = Arc::clone(uaa);
                route.layer(from_fn(move |request, next| guard(Arc::clone(&uaa), who, request, next)))
            }
        };
        router = router.route(path, guarded);
    }
    router.with_state(Arc::clone(uaa))
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
    delete DELETE;
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
        Who::Anyone | Who::Client | Who::Token => true,
        Who::Scope(scopes) => scopes.iter().any(|scope| holds(scope)),
        Who::Oneself(scope) => holds("uaa.admin") || (holds(scope) && claims.user_id.is_some() && claims.user_id.as_deref() == named),
    };
    if admitted {
        return Ok(());
    }
    Err(Refusal::new(StatusCode::FORBIDDEN, "insufficient_scope", "Insufficient scope for this resource"))
}
