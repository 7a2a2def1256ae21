//! `GET /login` and `GET /info`: what a client needs to know before anybody logs in; and the description that OpenID Connect
//! has of a provider.

use crate::authority::Uaa;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use virga_model::time::api_time;
use virga_serve::{
    Base,
    axum::{Json, extract::State},
};

/// The UAA release whose behaviour this one keeps to. The `cf` CLI switches features on by it.
const UAA_VERSION: &str = "77.20.0";

/// Prompts and links. Every prompt here but the passcode is asked by `cf login`, so there are no more than these.
pub(crate) async fn show(State(uaa): State<Arc<Uaa>>, base: Base) -> Json<Value> {
    let login = &base.login;
    let entity = login.split_once("://").map_or(login.as_str(), |(_, host)| host);
    let providers: Map<String, Value> =
        uaa.providers.links().map(|(origin, _)| (origin.to_owned(), format!("{login}/login/start/{origin}").into())).collect();
    let passcode = format!("Temporary Authentication Code ( Get one at {login}/passcode )");
    Json(json!({
        "app": {"version": UAA_VERSION},
        "zone_name": "uaa",
        "entityID": entity,
        "commit_id": concat!("virga-", env!("CARGO_PKG_VERSION")),
        "timestamp": api_time(uaa.opened_at),
        "links": {"uaa": base.uaa, "login": login, "passwd": "/forgot_password"},
        "idpDefinitions": providers,
        "prompts": {
            "username": ["text", "Email"],
            "password": ["password", "Password"],
            "passcode": ["password", passcode],
        },
    }))
}

/// `GET /.well-known/openid-configuration`
pub(crate) async fn openid_configuration(State(uaa): State<Arc<Uaa>>, base: Base) -> Json<Value> {
    Json(json!({
        "issuer": uaa.issuer,
        "authorization_endpoint": format!("{}/oauth/authorize", base.login),
        "token_endpoint": format!("{}/oauth/token", base.uaa),
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "jwks_uri": format!("{}/token_keys", base.uaa),
        "userinfo_endpoint": format!("{}/userinfo", base.uaa),
        "introspection_endpoint": format!("{}/introspect", base.uaa),
        "end_session_endpoint": format!("{}/logout.do", base.login),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": crate::clients::GRANTS,
        "code_challenge_methods_supported": ["S256"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "subject_types_supported": ["public"],
        "scopes_supported": ["openid", "profile", "email", "roles", "user_attributes"],
        "claims_supported": [
            "sub", "user_name", "origin", "iss", "auth_time", "aud", "azp", "iat", "exp", "nonce", "email", "email_verified",
            "given_name", "family_name",
        ],
        "claim_types_supported": ["normal"],
        "claims_parameter_supported": false,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
        "ui_locales_supported": ["en"],
    }))
}
