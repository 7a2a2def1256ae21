//! Every endpoint of the table: without a token, with the wrong one, with the right one.

use crate::support::Harness;
use serde_json::json;
use virga_serve::axum::http::Method;
use virga_uaa::{Who, endpoints};

/// Everything that an endpoint may ask for.
const EVERYTHING: &[&str] =
    &["uaa.admin", "scim.read", "scim.write", "scim.userids", "clients.admin", "oauth.approvals", "openid", "tokens.revoke", "oauth.login"];

#[tokio::test]
async fn every_guarded_endpoint_asks_for_its_token() {
    let uaa = Harness::start().await;
    uaa.create_user("ann", "secret").await;
    let bob = uaa.create_user("bob", "secret").await;
    let root = uaa.client_token("root", EVERYTHING).await;
    let groups = uaa.get("/Groups?filter=displayName%20eq%20%22uaa.admin%22", &root).await;
    let group = groups.body["resources"][0]["id"].as_str().unwrap().to_owned();
    let user = uaa.log_in("ann", "secret").await.text("access_token");
    let (mut guarded, mut pages) = (0, 0);
    for endpoint in endpoints() {
        let id = match endpoint.path {
            path if path.contains("client") && !path.contains("user") => "cf",
            path if path.contains("Groups") => &group,
            _ => &bob,
        };
        let path = endpoint.path.replace("{id}", id).replace("{member}", &bob).replace("{client}", "cf");
        let path = path.replace("{jti}", "x").replace("{kid}", "x").replace("{origin}", "x");
        let call = async |token: Option<&str>| {
            let answer = uaa.call(endpoint.method.clone(), &path, token, Some(json!({}))).await;
            (answer.status, answer.body["error"].as_str().unwrap_or_default().to_owned())
        };
        let name = format!("{} {}", endpoint.method, endpoint.path);
        match endpoint.who {
            // Pages are served under the name of the login server, to which this request was not made.
            Who::Anyone => assert!(matches!(call(None).await.0, 200 | 303), "{name}"),
            Who::Client => assert!(matches!(call(None).await.0, 400 | 401), "{name}"),
            Who::Browser => {
                pages += 1;
                assert!((300..500).contains(&call(None).await.0), "{name}");
            }
            who => {
                guarded += 1;
                assert_eq!(call(None).await, (401, "unauthorized".into()), "{name}");
                assert_eq!(call(Some("made.up.token")).await, (401, "invalid_token".into()), "{name}");
                let (status, error) = call(Some(&user)).await;
                let own = matches!(who, Who::Token | Who::Scope(["openid"])) && !path.contains("revoke/user");
                assert_eq!((status, error.as_str()) == (403, "insufficient_scope"), !own, "{name}: {status} {error}");
                // What the right caller gets past the guard is the business of the other tests.
                if endpoint.method != Method::DELETE && !path.contains("revoke") {
                    let (status, error) = call(Some(&root)).await;
                    assert!(status < 500 && (status, error.as_str()) != (403, "insufficient_scope"), "{name}: {status} {error}");
                }
            }
        }
    }
    assert!(guarded >= 30 && pages >= 12, "{guarded} {pages}");
}

#[tokio::test]
async fn a_missing_token_and_a_bad_one_are_answered_with_a_challenge() {
    let uaa = Harness::start().await;
    for (token, challenge) in [(None, "Bearer realm=\"oauth\""), (Some("x.y.z"), "Bearer realm=\"oauth\", error=\"invalid_token\"")] {
        let answer = uaa.call(Method::GET, "/userinfo", token, None).await;
        assert_eq!(answer.headers["www-authenticate"], challenge);
    }
}

#[tokio::test]
async fn other_zones_are_not_answered_about_this_one() {
    use virga_serve::axum::{body::Body, http::Request};
    let uaa = Harness::start().await;
    for header in ["x-identity-zone-id", "x-identity-zone-subdomain"] {
        let request = |zone: &str| Request::get("/info").header(header, zone).body(Body::empty()).unwrap();
        uaa.send(request("other")).await.is(404, "not_found");
        assert_eq!(uaa.send(request("uaa")).await.status, 200);
    }
}
