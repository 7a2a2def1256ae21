//! Administration of clients.

use crate::support::{Answer, Harness};
use serde_json::{Value, json};
use virga_serve::axum::http::Method;

async fn call(uaa: &Harness, method: Method, path: &str, scopes: &[&str], body: Value) -> Answer {
    let token = uaa.client_token("op", scopes).await;
    uaa.call(method, path, Some(&token), Some(body)).await
}

async fn own_token(uaa: &Harness, id: &str, secret: &str) -> Answer {
    uaa.form("/oauth/token", Some(&format!("{id}:{secret}")), &[("grant_type", "client_credentials")]).await
}

const ADMIN: &[&str] = &["clients.admin", "clients.read"];

#[tokio::test]
async fn clients_are_made_found_changed_and_deleted() {
    let uaa = Harness::start().await;
    let body = json!({
        "client_id": "ci", "client_secret": "s", "name": "CI", "authorized_grant_types": "client_credentials,refresh_token",
        "authorities": ["scim.read"], "team": "blue", "access_token_validity": 60,
    });
    let made = call(&uaa, Method::POST, "/oauth/clients", ADMIN, body.clone()).await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!((made.text("team"), made.body["authorities"].clone()), ("blue".to_owned(), json!(["scim.read"])));
    assert!(!made.body.to_string().contains("argon2") && made.body.get("client_secret").is_none());
    call(&uaa, Method::POST, "/oauth/clients", ADMIN, body).await.is(409, "invalid_client");
    let token = own_token(&uaa, "ci", "s").await;
    assert_eq!((token.text("scope"), token.body["expires_in"].clone()), ("scim.read".to_owned(), json!(59)));
    let found = call(&uaa, Method::GET, "/oauth/clients?filter=client_id%20sw%20%22c%22&sortBy=client_id", ADMIN, json!({})).await;
    let ids: Vec<_> = found.body["resources"].as_array().unwrap().iter().map(|client| client["client_id"].clone()).collect();
    assert_eq!((ids, found.body["totalResults"].clone()), (vec![json!("cf"), json!("ci")], json!(2)));

    let changed = json!({"client_id": "ci", "authorized_grant_types": ["client_credentials"], "authorities": ["scim.write"]});
    assert_eq!(call(&uaa, Method::PUT, "/oauth/clients/ci", ADMIN, changed.clone()).await.status, 200);
    assert_eq!(own_token(&uaa, "ci", "s").await.text("scope"), "scim.write", "the secret stays");
    call(&uaa, Method::PUT, "/oauth/clients/other", ADMIN, changed).await.is(400, "invalid_client");
    let access = own_token(&uaa, "ci", "s").await.text("access_token");
    assert_eq!(uaa.get("/Groups", &access).await.status, 403);
    assert_eq!(call(&uaa, Method::DELETE, "/oauth/clients/ci", ADMIN, json!({})).await.text("client_id"), "ci");
    uaa.get("/Groups", &access).await.is(401, "invalid_token");
    own_token(&uaa, "ci", "s").await.is(401, "unauthorized");
    call(&uaa, Method::DELETE, "/oauth/clients/ci", ADMIN, json!({})).await.is(404, "not_found");
    call(&uaa, Method::DELETE, "/oauth/clients/cf", ADMIN, json!({})).await.is(400, "invalid_client");
}

#[tokio::test]
async fn a_second_secret_takes_the_place_of_the_first_without_a_failed_request() {
    let uaa = Harness::start().await;
    let body = json!({"client_id": "ci", "client_secret": "one", "authorized_grant_types": ["client_credentials"], "authorities": ["clients.secret"]});
    assert_eq!(call(&uaa, Method::POST, "/oauth/clients", ADMIN, body).await.status, 201);
    let token = own_token(&uaa, "ci", "one").await.text("access_token");
    let secret = async |body: Value| call(&uaa, Method::PUT, "/oauth/clients/ci/secret", ADMIN, body).await;
    assert_eq!(secret(json!({"secret": "two", "changeMode": "ADD"})).await.status, 200);
    for good in ["one", "two"] {
        assert_eq!(own_token(&uaa, "ci", good).await.status, 200, "{good}");
    }
    secret(json!({"secret": "three", "changeMode": "ADD"})).await.is(400, "invalid_client");
    assert_eq!(secret(json!({"changeMode": "DELETE"})).await.status, 200);
    own_token(&uaa, "ci", "one").await.is(401, "unauthorized");
    assert_eq!(own_token(&uaa, "ci", "two").await.status, 200);
    let own = async |old: &str, new: &str| {
        let body = json!({"oldSecret": old, "secret": new});
        uaa.call(Method::PUT, "/oauth/clients/ci/secret", Some(&token), Some(body)).await
    };
    own("one", "three").await.is(400, "invalid_request");
    assert_eq!(own("two", "three").await.status, 200, "a client changes its own, and its token stood through the rotation");
    own("three", "four").await.is(401, "invalid_token");
    assert_eq!(own_token(&uaa, "ci", "three").await.status, 200);
    secret(json!({"changeMode": "DELETE"})).await.is(400, "invalid_client");
    secret(json!({})).await.is(400, "invalid_client");
}

#[tokio::test]
async fn nobody_makes_a_client_mightier_than_the_maker() {
    let uaa = Harness::start().await;
    let writer: &[&str] = &["clients.write", "clients.read", "scim.read"];
    let body = |id: &str, authority: &str| json!({"client_id": id, "client_secret": "s", "authorized_grant_types": ["client_credentials"], "authorities": [authority]});
    for authority in ["uaa.admin", "clients.admin", "cloud_controller.admin"] {
        call(&uaa, Method::POST, "/oauth/clients", writer, body("x", authority)).await.is(400, "invalid_client");
    }
    for (id, authority) in [("x", "scim.read"), ("y", "y.read")] {
        assert_eq!(call(&uaa, Method::POST, "/oauth/clients", writer, body(id, authority)).await.status, 201, "{authority}");
    }
    call(&uaa, Method::PUT, "/oauth/clients/x", writer, body("x", "uaa.admin")).await.is(400, "invalid_client");
    let change = call(&uaa, Method::PUT, "/oauth/clients/x/secret", &["clients.secret"], json!({"oldSecret": "s", "secret": "t"})).await;
    change.is(403, "access_denied");
}

#[tokio::test]
async fn what_is_no_client_is_refused() {
    let uaa = Harness::start().await;
    let good = json!({"client_id": "x", "client_secret": "s", "authorized_grant_types": ["client_credentials"]});
    for (member, value) in [
        ("client_id", json!("")),
        ("client_id", json!("a:b")),
        ("client_id", json!("a b")),
        ("client_id", json!("admin")),
        ("authorized_grant_types", json!([])),
        ("authorized_grant_types", json!(["implicit"])),
        ("authorized_grant_types", json!(["authorization_code"])),
        ("redirect_uri", json!(["javascript:alert(1)"])),
        ("redirect_uri", json!(["https://*.example/"])),
        ("access_token_validity", json!(2_592_001)),
        ("access_token_validity", json!(0)),
        ("scope", json!(["a b"])),
        ("client_secret", json!("")),
        ("client_secret", json!("x".repeat(256))),
        ("note", json!("x".repeat(20_000))),
        ("jwks_uri", json!("https://a.example/keys")),
        ("required_user_groups", json!("shop.user")),
    ] {
        let mut body = good.clone();
        body[member] = value.clone();
        let answer = call(&uaa, Method::POST, "/oauth/clients", ADMIN, body).await;
        assert!(matches!(answer.status, 400 | 409), "{member} {value}: {}", answer.body);
    }
    assert_eq!(call(&uaa, Method::POST, "/oauth/clients", ADMIN, good).await.status, 201);
}

#[tokio::test]
async fn a_client_may_require_groups_of_its_users() {
    let uaa = Harness::start().await;
    let body =
        json!({"authorized_grant_types": ["password", "refresh_token"], "scope": ["openid"], "required_user_groups": ["clients.read"]});
    uaa.create_secret_client("web", &body).await;
    uaa.create_user("ann", "secret").await;
    let log_in = async |name: &str, password: &str| {
        let fields = [("grant_type", "password"), ("username", name), ("password", password)];
        uaa.form("/oauth/token", Some("web:s"), &fields).await
    };
    log_in("ann", "secret").await.is(400, "invalid_scope");
    let token = log_in("admin", crate::support::ADMIN_PASSWORD).await;
    assert_eq!(token.text("scope"), "openid");
    let root = uaa.client_token("root", &["uaa.admin"]).await;
    let group = uaa.get("/Groups?filter=displayName%20eq%20%22clients.read%22", &root).await.body["resources"][0].clone();
    let member = format!("/Groups/{}/members/{}", group["id"].as_str().unwrap(), group["members"][0]["value"].as_str().unwrap());
    assert_eq!(uaa.call(Method::DELETE, &member, Some(&root), None).await.status, 200);
    let refresh = token.text("refresh_token");
    let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str())];
    uaa.form("/oauth/token", Some("web:s"), &fields).await.is(400, "invalid_scope");
}
