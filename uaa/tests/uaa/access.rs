//! Every endpoint of the table: without a token, with the wrong one, with the right one.

use crate::support::Harness;
use serde_json::json;
use virga_serve::axum::http::Method;
use virga_uaa::{Who, endpoints};

#[tokio::test]
async fn every_guarded_endpoint_asks_for_its_token() {
    let uaa = Harness::start().await;
    let ann = uaa.create_user("ann", "secret").await;
    let bob = uaa.create_user("bob", "secret").await;
    let (admin, user) = (uaa.admin().await, uaa.log_in("ann", "secret").await.text("access_token"));
    let mut guarded = 0;
    for endpoint in endpoints() {
        let path = endpoint.path.replace("{id}", if endpoint.path.contains("clients") { "cf" } else { &bob }).replace("{jti}", "x");
        let call = async |token: Option<&str>| {
            let answer = uaa.call(endpoint.method.clone(), &path, token, Some(json!({}))).await;
            (answer.status, answer.body["error"].as_str().unwrap_or_default().to_owned())
        };
        let name = format!("{} {}", endpoint.method, endpoint.path);
        match endpoint.who {
            Who::Anyone => assert_eq!(call(None).await.0, 200, "{name}"),
            Who::Client => assert!(matches!(call(None).await.0, 400 | 401), "{name}"),
            who => {
                guarded += 1;
                assert_eq!(call(None).await, (401, "unauthorized".into()), "{name}");
                assert_eq!(call(Some("made.up.token")).await, (401, "invalid_token".into()), "{name}");
                let (status, error) = call(Some(&user)).await;
                let open = matches!(who, Who::Token | Who::Scope(["openid"]));
                assert_eq!((status, error.as_str()) == (403, "insufficient_scope"), !open, "{name}: {status} {error}");
                // What the right caller gets past the guard is the business of the other tests.
                let right = if matches!(who, Who::Oneself(..)) { None } else { Some(&admin) };
                if let Some(right) = right.filter(|_| endpoint.method != Method::DELETE) {
                    assert_ne!(call(Some(right)).await.0, 403, "{name}");
                }
            }
        }
    }
    assert!(guarded >= 7, "{guarded}");
    let own = format!("/Users/{ann}/password");
    assert_eq!(uaa.call(Method::PUT, &own, Some(&user), Some(json!({}))).await.status, 400, "past the guard");
}
