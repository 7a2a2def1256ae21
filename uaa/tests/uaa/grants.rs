//! Authorization code, refresh with rotation, JWT bearer, and what is refused.

use crate::support::{ADMIN_PASSWORD, Harness};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use proptest::prelude::*;
use serde_json::{Value, json};
use virga_serve::axum::{
    body::Body,
    http::{Method, Request},
};

const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

fn payload(token: &str) -> Value {
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

#[tokio::test]
async fn a_rotated_refresh_token_is_good_once_and_ends_its_family_when_used_again() {
    let uaa = Harness::start().await;
    let body = json!({"authorized_grant_types": ["password", "refresh_token"], "scope": ["openid"], "refresh_token_rotation": true});
    uaa.create_secret_client("web", &body).await;
    let fields = [("grant_type", "password"), ("username", "admin"), ("password", ADMIN_PASSWORD)];
    let first = uaa.form("/oauth/token", Some("web:s"), &fields).await.text("refresh_token");
    let refresh =
        async |token: &str| uaa.form("/oauth/token", Some("web:s"), &[("grant_type", "refresh_token"), ("refresh_token", token)]).await;
    uaa.wait(100);
    let second = refresh(&first).await.text("refresh_token");
    assert_ne!(first, second);
    assert_eq!(refresh(&first).await.status, 200, "requests that were under way");
    uaa.wait(61);
    let third = refresh(&second).await.text("refresh_token");
    refresh(&first).await.is(401, "invalid_token");
    refresh(&third).await.is(401, "invalid_token");
    refresh(&second).await.is(401, "invalid_token");
    uaa.form("/oauth/token", Some("cf:"), &[("grant_type", "refresh_token"), ("refresh_token", &first)]).await.is(401, "invalid_token");
}

#[tokio::test]
async fn a_refresh_token_shows_its_name_and_is_revoked_by_it() {
    let uaa = Harness::start().await;
    let login = uaa.log_in("admin", ADMIN_PASSWORD).await;
    let (access, refresh) = (login.text("access_token"), login.text("refresh_token"));
    assert_eq!(payload(&access)["revocable"], json!(true), "on which cf logout revokes");
    let jti = payload(&refresh)["jti"].as_str().unwrap().to_owned();
    uaa.form("/oauth/token", Some("cf:"), &[("grant_type", "refresh_token"), ("refresh_token", &jti)]).await.is(401, "invalid_token");
    let revoke = format!("/oauth/token/revoke/{jti}");
    assert_eq!(uaa.call(Method::DELETE, &revoke, Some(&access), None).await.status, 200);
    uaa.refresh(&refresh).await.is(401, "invalid_token");
}

#[tokio::test]
async fn every_token_of_a_user_or_a_client_is_revoked_at_once() {
    let uaa = Harness::start().await;
    let ann = uaa.create_user("ann", "secret").await;
    let (token, other) = (uaa.log_in("ann", "secret").await, uaa.admin().await);
    let root = uaa.client_token("root", &["tokens.revoke"]).await;
    let revoke = async |path: &str, token: &str| uaa.get(&format!("/oauth/token/revoke/{path}"), token).await;
    revoke(&format!("user/{ann}"), &uaa.log_in("admin", ADMIN_PASSWORD).await.text("access_token")).await.is(403, "insufficient_scope");
    assert_eq!(revoke(&format!("user/{ann}"), &root).await.status, 200);
    uaa.get("/userinfo", &token.text("access_token")).await.is(401, "invalid_token");
    uaa.refresh(&token.text("refresh_token")).await.is(401, "invalid_token");
    assert_eq!(uaa.get("/userinfo", &other).await.status, 200);
    let again = uaa.log_in("ann", "secret").await;
    assert_eq!(revoke(&format!("user/{ann}/client/cf"), &again.text("access_token")).await.status, 200, "one's own");
    uaa.refresh(&again.text("refresh_token")).await.is(401, "invalid_token");
    assert_eq!(revoke("client/cf", &root).await.status, 200);
    uaa.get("/userinfo", &other).await.is(401, "invalid_token");
}

#[tokio::test]
async fn cf_ssh_code_gets_a_redirect_with_a_code() {
    let uaa = Harness::start().await;
    let token = uaa.admin().await;
    let ask = async |token: &str, query: &str| {
        let request = Request::get(format!("/oauth/authorize?{query}")).header("authorization", format!("bearer {token}"));
        uaa.send(request.header("host", "uaa.virga.localhost:8080").body(Body::empty()).unwrap()).await
    };
    let answer = ask(&token, "client_id=ssh-proxy&response_type=code").await;
    assert_eq!(answer.status, 302, "{}", answer.body);
    let location = url::Url::parse(answer.location.as_deref().unwrap()).unwrap();
    let (_, code) = location.query_pairs().find(|(name, _)| name == "code").unwrap();
    let exchange = async || uaa.form("/oauth/token", Some("ssh-proxy:"), &[("grant_type", "authorization_code"), ("code", &code)]).await;
    let granted = exchange().await;
    assert_eq!(granted.status, 200, "{}", granted.body);
    assert!(granted.text("scope").contains("cloud_controller.admin"));
    exchange().await.is(400, "invalid_grant");

    uaa.create_user("ann", "secret").await;
    let fields = [("grant_type", "password"), ("username", "ann"), ("password", "secret"), ("scope", "uaa.user openid")];
    let narrow = uaa.form("/oauth/token", Some("cf:"), &fields).await.text("access_token");
    let answer = ask(&narrow, "client_id=ssh-proxy&response_type=code").await;
    let location = url::Url::parse(answer.location.as_deref().unwrap()).unwrap();
    let (_, code) = location.query_pairs().find(|(name, _)| name == "code").unwrap();
    let granted = uaa.form("/oauth/token", Some("ssh-proxy:"), &[("grant_type", "authorization_code"), ("code", &code)]).await;
    assert_eq!(granted.text("scope"), "openid", "no more than the token had");
    ask(&uaa.client_token("op", &["openid"]).await, "client_id=ssh-proxy&response_type=code").await.is(403, "access_denied");
    ask("x.y.z", "client_id=ssh-proxy&response_type=code").await.is(401, "invalid_token");
}

#[tokio::test]
async fn what_is_not_offered_is_said_so() {
    let uaa = Harness::start().await;
    let implicit = uaa.form("/oauth/token", Some("cf:"), &[("grant_type", "implicit")]).await;
    implicit.is(400, "unsupported_grant_type");
    assert!(implicit.text("error_description").contains("authorization_code with PKCE"));
    let configuration = uaa.call(Method::GET, "/oauth/token/.well-known/openid-configuration", None, None).await.body;
    assert_eq!(configuration["issuer"], "http://uaa.virga.localhost:8080/oauth/token");
    assert_eq!(
        (configuration["response_types_supported"].clone(), configuration["code_challenge_methods_supported"].clone()),
        (json!(["code"]), json!(["S256"]))
    );
}

#[tokio::test]
async fn a_token_of_ours_for_this_client_is_exchanged_and_no_other() {
    let uaa = Harness::start().await;
    let grants = json!({"authorized_grant_types": ["password", JWT_BEARER], "scope": ["openid", "cloud_controller.read"]});
    uaa.create_secret_client("shop", &grants).await;
    let fields = [("grant_type", "password"), ("username", "admin"), ("password", ADMIN_PASSWORD), ("response_type", "id_token token")];
    let login = uaa.form("/oauth/token", Some("shop:s"), &fields).await;
    let id_token = login.text("id_token");
    assert_eq!((payload(&id_token)["aud"].clone(), payload(&id_token)["user_name"].clone()), (json!(["shop"]), json!("admin")));
    uaa.get("/userinfo", &id_token).await.is(401, "invalid_token");
    let exchange = async |client: &str, assertion: &str| {
        uaa.form("/oauth/token", Some(client), &[("grant_type", JWT_BEARER), ("assertion", assertion)]).await
    };
    let got = exchange("shop:s", &id_token).await;
    assert_eq!((got.status, got.text("scope").as_str()), (200, "cloud_controller.read openid"), "{}", got.body);
    assert_eq!(payload(&got.text("access_token"))["grant_type"], json!(JWT_BEARER));
    exchange("cf:", &id_token).await.is(401, "unauthorized");
    exchange("shop:s", &login.text("access_token")).await.is(401, "invalid_token");
    exchange("shop:wrong", &id_token).await.is(401, "unauthorized");
    for forged in forgeries(&id_token) {
        assert_eq!(exchange("shop:s", &forged).await.status, 401, "{forged}");
    }
    uaa.form("/oauth/token", Some("shop:s"), &[("grant_type", JWT_BEARER)]).await.is(400, "invalid_request");
    uaa.wait(43_201);
    assert_eq!(exchange("shop:s", &id_token).await.status, 401, "expired");
}

/// Tokens that somebody without the key could make out of a good one.
fn forgeries(good: &str) -> Vec<String> {
    let parts: Vec<&str> = good.split('.').collect();
    let encode = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let mut claims = payload(good);
    claims["user_name"] = json!("somebody else");
    vec![
        format!("{}.{}.{}", parts[0], encode(&claims), parts[2]),
        format!("{}.{}.", encode(&json!({"alg": "none"})), parts[1]),
        format!("{}.{}.{}", encode(&json!({"alg": "HS256", "kid": "key-1"})), parts[1], parts[2]),
        format!("{}.{}", parts[0], parts[1]),
        String::new(),
        "x.y.z".to_owned(),
        format!("{good}A"),
    ]
}

#[tokio::test]
async fn forged_access_tokens_open_nothing() {
    let uaa = Harness::start().await;
    let token = uaa.admin().await;
    assert_eq!(uaa.get("/userinfo", &token).await.status, 200);
    for forged in forgeries(&token) {
        assert_eq!(uaa.get("/userinfo", &forged).await.status, 401, "{forged}");
    }
}

#[test]
fn no_text_is_taken_for_a_token() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (uaa, good) = runtime.block_on(async {
        let uaa = Harness::start().await;
        let token = uaa.admin().await;
        (uaa, token)
    });
    let verifier = uaa.uaa.verifier();
    let strategy = prop_oneof![
        "\\PC{0,80}",
        "[A-Za-z0-9_-]{0,40}\\.[A-Za-z0-9_-]{0,40}\\.[A-Za-z0-9_-]{0,40}",
        (0..good.len(), any::<u8>()).prop_map({
            let good = good.clone();
            move |(at, byte)| {
                let mut bytes = good.clone().into_bytes();
                bytes[at] = byte % 94 + 33;
                String::from_utf8(bytes).unwrap()
            }
        }),
    ];
    let mut runner = proptest::test_runner::TestRunner::default();
    runner
        .run(&strategy, |text| {
            // The last character of a base64url text may have bits that mean nothing.
            let same = text.len() == good.len() && text[..good.len() - 1] == good[..good.len() - 1];
            prop_assert!(same || verifier.claims(&text).is_err(), "{}", text);
            Ok(())
        })
        .unwrap();
}
