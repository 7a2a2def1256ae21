//! The grants.

use crate::support::{ADMIN_PASSWORD, Harness};
use argon2::{Argon2, PasswordHash, PasswordHasher as _};
use serde_json::json;
use virga_serve::axum::{
    body::Body,
    http::{Method, Request},
};
use virga_uaa::{UaaSettings, bootstrap};

#[tokio::test]
async fn a_login_gives_what_the_cli_parses() {
    let uaa = Harness::start().await;
    let answer = uaa.log_in("Admin", ADMIN_PASSWORD).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!((answer.text("token_type").as_str(), answer.body["expires_in"].as_u64()), ("bearer", Some(1_199)));
    assert!(!answer.text("refresh_token").is_empty());
    let claims = uaa.uaa.verifier().verify(&answer.text("access_token")).await.unwrap();
    assert_eq!((claims.user_name.as_deref(), claims.origin.as_deref()), (Some("admin"), Some("uaa")));
    assert_eq!(claims.iss, "http://uaa.virga.localhost:8080/oauth/token");
    assert_eq!(claims.jti, answer.text("jti"));
    assert!(claims.identity().is_admin() && claims.identity().user.is_some());
    assert_eq!(claims.scope.join(" "), answer.text("scope"));
    for scope in ["openid", "scim.write", "cloud_controller.read", "password.write", "network.admin", "uaa.user"] {
        assert!(claims.identity().has_scope(scope), "{scope}");
    }
    assert!(claims.aud.contains(&"cloud_controller".to_owned()) && claims.aud.contains(&"cf".to_owned()));
}

#[tokio::test]
async fn a_user_gets_what_both_client_and_groups_allow() {
    let uaa = Harness::start().await;
    uaa.create_user("ann", "secret").await;
    let scope = uaa.log_in("ann", "secret").await.text("scope");
    assert_eq!(scope, "cloud_controller.read cloud_controller.write openid password.write uaa.user");
    let ask = async |scope: &str| {
        let fields = [("grant_type", "password"), ("username", "ann"), ("password", "secret"), ("scope", scope)];
        uaa.form("/oauth/token", Some("cf:"), &fields).await
    };
    assert_eq!(ask("").await.text("scope"), scope, "Python sends an empty scope");
    assert_eq!(ask("openid cloud_controller.admin").await.text("scope"), "openid");
    ask("cloud_controller.admin").await.is(400, "invalid_scope");
    ask("openid made.up").await.is(400, "invalid_scope");
}

#[tokio::test]
async fn clients_show_themselves_by_header_or_form() {
    let uaa = Harness::start().await;
    let user = [("grant_type", "password"), ("username", "admin"), ("password", ADMIN_PASSWORD)];
    // Python's oauth2_client sends both, the CLI only the header.
    let both = [&user[..], &[("client_id", "cf"), ("client_secret", ""), ("scope", "")]].concat();
    for client in [None, Some("cf:")] {
        assert_eq!(uaa.form("/oauth/token", client, &both).await.status, 200);
    }
    for client in [None, Some("cf:wrong"), Some("nobody:"), Some("no-colon")] {
        uaa.form("/oauth/token", client, &user).await.is(401, "unauthorized");
    }
    uaa.form("/oauth/token", Some("ssh-proxy:"), &user).await.is(401, "invalid_client");
    uaa.form("/oauth/token", Some("cf:"), &user[1..]).await.is(400, "invalid_request");
    uaa.form("/oauth/token", Some("cf:"), &[("grant_type", "magic")]).await.is(400, "unsupported_grant_type");
    uaa.form("/oauth/token", Some("cf:"), &[("grant_type", "password"), ("passcode", "made up")]).await.is(401, "unauthorized");
    let json = Request::post("/oauth/token").header("content-type", "application/json").body(Body::from("{}")).unwrap();
    uaa.send(json).await.is(400, "invalid_request");
}

#[tokio::test]
async fn a_login_hint_names_the_identity_provider() {
    let uaa = Harness::start().await;
    let fields = [("grant_type", "password"), ("username", "admin"), ("password", ADMIN_PASSWORD)];
    let login = async |hint: &str| {
        let path =
            format!("/oauth/token?{}", url::form_urlencoded::Serializer::new(String::new()).append_pair("login_hint", hint).finish());
        uaa.form(&path, Some("cf:"), &fields).await
    };
    assert_eq!(login(r#"{"origin":"uaa"}"#).await.status, 200);
    login(r#"{"origin":"ldap"}"#).await.is(401, "unauthorized");
    login("uaa").await.is(400, "invalid_request");
}

#[tokio::test]
async fn refresh_tokens_live_their_time_and_no_longer() {
    let uaa = Harness::start().await;
    let refresh = uaa.log_in("admin", ADMIN_PASSWORD).await.text("refresh_token");
    uaa.wait(1_201);
    let again = uaa.refresh(&refresh).await;
    assert_eq!((again.status, again.text("refresh_token")), (200, refresh.clone()));
    assert!(uaa.uaa.verifier().verify(&again.text("access_token")).await.is_ok());
    uaa.refresh("made up").await.is(401, "invalid_token");
    uaa.wait(2_592_000);
    uaa.refresh(&refresh).await.is(401, "invalid_token");
}

#[tokio::test]
async fn access_tokens_expire() {
    let uaa = Harness::start().await;
    let token = uaa.admin().await;
    uaa.wait(1_199);
    assert_eq!(uaa.get("/Users", &token).await.status, 200);
    uaa.wait(1);
    uaa.get("/Users", &token).await.is(401, "invalid_token");
}

#[tokio::test]
async fn a_client_gets_a_token_of_its_own() {
    let uaa = Harness::start().await;
    let hash: PasswordHash = Argon2::default().hash_password(b"s3cret").unwrap();
    uaa.create_client("ci", &hash.to_string(), &["cloud_controller.admin", "scim.read"]).await;
    let ask = async |secret: &str| {
        let fields = [("grant_type", "client_credentials"), ("client_id", "ci"), ("client_secret", secret)];
        uaa.form("/oauth/token", None, &fields).await
    };
    let answer = ask("s3cret").await;
    assert_eq!(answer.body["refresh_token"], json!(null));
    let claims = uaa.uaa.verifier().verify(&answer.text("access_token")).await.unwrap();
    assert_eq!((claims.sub.as_str(), claims.user_name), ("ci", None));
    assert_eq!(claims.authorities.unwrap(), claims.scope);
    for wrong in ["", "S3cret"] {
        ask(wrong).await.is(401, "unauthorized");
    }
    let cf = [("grant_type", "client_credentials"), ("client_id", "cf"), ("client_secret", "")];
    uaa.form("/oauth/token", None, &cf).await.is(401, "invalid_client");
}

#[tokio::test]
async fn tokens_and_keys_survive_a_restart() {
    let uaa = Harness::start().await;
    let login = uaa.log_in("admin", ADMIN_PASSWORD).await;
    let keys = uaa.call(Method::GET, "/token_keys", None, None).await.body;
    let uaa = uaa.restart().await;
    assert_eq!(uaa.call(Method::GET, "/token_keys", None, None).await.body, keys);
    assert_eq!(uaa.get("/Users", &login.text("access_token")).await.status, 200);
    assert_eq!(uaa.refresh(&login.text("refresh_token")).await.status, 200);
}

#[tokio::test]
async fn a_second_bootstrap_changes_nothing_and_a_password_is_made_up_once() {
    use virga_serve::Clock as _;
    let uaa = Harness::start().await;
    let now = uaa.clock.now();
    let again = bootstrap(uaa.store(), &UaaSettings::default(), now, Some("another".to_owned().into())).await.unwrap();
    assert!(again.generated_password.is_none());
    uaa.log_in("admin", "another").await.is(401, "unauthorized");
    assert_eq!(uaa.log_in("admin", ADMIN_PASSWORD).await.status, 200);

    let settings = UaaSettings::default();
    let empty = virga_store::testing::TestStore::sqlite().await;
    let (one, two) = tokio::join!(bootstrap(&empty.store, &settings, now, None), bootstrap(&empty.store, &settings, now, None));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!(one.admin, two.admin);
    let made: Vec<_> = [one, two].into_iter().filter_map(|made| made.generated_password).collect();
    assert!(made.len() == 1 && made[0].expose().len() == 24 && !format!("{made:?}").contains(made[0].expose()));
}
