//! Rotation of signing keys.

use crate::support::{ADMIN_PASSWORD, Harness};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::Value;
use virga_serve::axum::http::Method;
use virga_uaa::UaaSettings;

fn kid(token: &str) -> String {
    let header: Value = serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap()).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

async fn published(uaa: &Harness) -> Vec<String> {
    let keys = uaa.call(Method::GET, "/token_keys", None, None).await.body;
    keys["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_new_key_is_known_before_it_signs_and_an_old_one_verifies_until_its_tokens_are_over() {
    let uaa = Harness::start().await;
    let other = uaa.second_process().await;
    let root = uaa.client_token("root", &["uaa.admin"]).await;
    let old = uaa.admin().await;
    let made = uaa.call(Method::POST, "/token_keys", Some(&root), None).await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(published(&uaa).await, [made.text("kid"), "key-1".to_owned()]);
    assert_eq!(kid(&uaa.admin().await), "key-1", "published, but not signing yet");
    other.uaa.reload_keys().await.unwrap();
    uaa.wait(60);
    let new = uaa.admin().await;
    assert_eq!(kid(&new), made.text("kid"));
    for process in [&uaa, &other] {
        for token in [&old, &new] {
            assert_eq!(process.get("/userinfo", token).await.status, 200);
        }
    }
    let path = format!("/token_keys/{}", made.text("kid"));
    uaa.call(Method::DELETE, &path, Some(&root), None).await.is(409, "key_in_use");

    uaa.wait(2_592_000);
    let root = uaa.client_token("root", &["uaa.admin"]).await;
    let third = uaa.call(Method::POST, "/token_keys", Some(&root), None).await.text("kid");
    assert_eq!(published(&uaa).await, [third, made.text("kid")], "no token of the first can be in its time");
    uaa.wait(60);
    let last = uaa.admin().await;
    assert_eq!(uaa.get("/userinfo", &last).await.status, 200);
    uaa.call(Method::DELETE, "/token_keys/none", Some(&root), None).await.is(404, "not_found");
    assert_eq!(uaa.call(Method::DELETE, &path, Some(&uaa.client_token("root", &["uaa.admin"]).await), None).await.status, 204);
    uaa.get("/userinfo", &root).await.is(401, "invalid_token");
    assert_eq!(uaa.log_in("admin", ADMIN_PASSWORD).await.status, 200);
}

#[tokio::test]
async fn keys_are_rotated_by_age_where_the_settings_say_so() {
    let uaa = Harness::with(UaaSettings { key_rotation_days: 1, ..UaaSettings::default() }).await;
    uaa.wait(86_399);
    uaa.uaa.tend_keys().await.unwrap();
    assert_eq!(published(&uaa).await, ["key-1"]);
    uaa.wait(1);
    uaa.uaa.tend_keys().await.unwrap();
    uaa.uaa.tend_keys().await.unwrap();
    assert_eq!(published(&uaa).await.len(), 2, "once");
    uaa.wait(86_460);
    uaa.uaa.tend_keys().await.unwrap();
    assert_eq!(published(&uaa).await.len(), 3);
    let keeping = uaa.uaa.clone().keep_keys(std::future::ready(()));
    keeping.await;
}
