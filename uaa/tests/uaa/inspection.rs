//! What can be asked about tokens, keys and the UAA itself.

use crate::support::{ADMIN_PASSWORD, Harness};
use argon2::{Argon2, PasswordHash, PasswordHasher as _};
use serde_json::json;
use virga_serve::axum::{
    body::Body,
    http::{Method, Request},
};

#[tokio::test]
async fn prompts_and_links_lead_back_to_where_the_caller_is() {
    let uaa = Harness::start().await;
    let login = async |host: &str| uaa.send(Request::get("/login").header("host", host).body(Body::empty()).unwrap()).await;
    let answer = login("127.0.0.1:8080").await;
    let links = json!({"uaa": "http://127.0.0.1:8080", "login": "http://127.0.0.1:8080", "passwd": "/forgot_password"});
    assert_eq!(answer.body["links"], links);
    let passcode = "Temporary Authentication Code ( Get one at http://127.0.0.1:8080/passcode )";
    let prompts = json!({"username": ["text", "Email"], "password": ["password", "Password"], "passcode": ["password", passcode]});
    assert_eq!(answer.body["prompts"], prompts);
    assert!(answer.body["app"]["version"].is_string());
    assert_eq!(login("login.virga.localhost:8080").await.body["links"]["uaa"], "http://uaa.virga.localhost:8080");
    assert_eq!(login("evil.example").await.body["links"]["login"], "http://login.virga.localhost:8080");
}

#[tokio::test]
async fn public_keys_are_public_and_private_ones_are_not() {
    let uaa = Harness::start().await;
    let keys = uaa.call(Method::GET, "/token_keys", None, None).await.body;
    let key = &keys["keys"][0];
    assert_eq!((key["kty"].as_str(), key["alg"].as_str(), key["use"].as_str()), (Some("RSA"), Some("RS256"), Some("sig")));
    assert_eq!(uaa.call(Method::GET, "/token_key", None, None).await.body, *key);
    assert!(!keys.to_string().contains("PRIVATE"));
}

#[tokio::test]
async fn only_a_resource_server_looks_into_tokens() {
    let uaa = Harness::start().await;
    let hash: PasswordHash = Argon2::default().hash_password(b"s").unwrap();
    uaa.create_client("resource", &hash.to_string(), &["uaa.resource"]).await;
    let token = uaa.admin().await;
    let ask = async |path: &str, client: &str, token: &str| uaa.form(path, Some(client), &[("token", token)]).await;
    for path in ["/check_token", "/introspect"] {
        assert_eq!(ask(path, "resource:s", &token).await.text("user_name"), "admin");
        ask(path, "resource:wrong", &token).await.is(401, "unauthorized");
        ask(path, "cf:", &token).await.is(403, "access_denied");
    }
    assert_eq!(ask("/introspect", "resource:s", &token).await.body["active"], true);
    assert_eq!(ask("/introspect", "resource:s", "x").await.body, json!({"active": false}));
    ask("/check_token", "resource:s", "x").await.is(400, "invalid_token");
}

#[tokio::test]
async fn user_info_and_clients_are_shown() {
    let uaa = Harness::start().await;
    let token = uaa.admin().await;
    assert_eq!(uaa.get("/userinfo", &token).await.text("user_name"), "admin");
    let client = uaa.get("/oauth/clients/cf", &token).await;
    assert_eq!(client.body["authorized_grant_types"], json!(["password", "refresh_token", "urn:ietf:params:oauth:grant-type:jwt-bearer"]));
    uaa.get("/oauth/clients/nobody", &token).await.is(404, "not_found");
}

#[tokio::test]
async fn revoked_tokens_are_void_at_once_and_only_ones_own_can_be_revoked() {
    let uaa = Harness::start().await;
    uaa.create_user("ann", "secret").await;
    let (admin, ann) = (uaa.log_in("admin", ADMIN_PASSWORD).await, uaa.log_in("ann", "secret").await);
    let revoke =
        async |id: &str, token: &str| uaa.call(Method::DELETE, &format!("/oauth/token/revoke/{id}"), Some(token), None).await.status;
    let token = ann.text("access_token");
    assert_eq!(revoke(&admin.text("jti"), &token).await, 404);
    assert_eq!(revoke(&admin.text("refresh_token"), &token).await, 404);
    assert_eq!(uaa.refresh(&admin.text("refresh_token")).await.status, 200);
    assert_eq!(revoke(&ann.text("refresh_token"), &token).await, 200);
    uaa.refresh(&ann.text("refresh_token")).await.is(401, "invalid_token");
    assert_eq!(uaa.get("/userinfo", &token).await.status, 200);
    assert_eq!(revoke(&ann.text("jti"), &token).await, 200);
    uaa.get("/userinfo", &token).await.is(401, "invalid_token");
}
