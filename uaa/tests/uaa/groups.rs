//! SCIM groups.

use crate::support::{ADMIN_PASSWORD, Answer, Harness};
use serde_json::{Value, json};
use virga_serve::axum::http::Method;

async fn change(uaa: &Harness, method: Method, path: &str, version: Option<&str>, body: Value) -> Answer {
    uaa.call_if(method, path, &uaa.admin().await, version, body).await
}

#[tokio::test]
async fn members_get_the_scope_of_their_group() {
    let uaa = Harness::start().await;
    let (ann, admin) = (uaa.create_user("ann", "secret").await, uaa.admin().await);
    let body = json!({"displayName": "shop.read", "description": "Readers", "members": [{"value": ann, "type": "USER"}]});
    let made = uaa.call(Method::POST, "/Groups", Some(&admin), Some(body.clone())).await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!((made.text("displayName"), made.text("description")), ("shop.read".into(), "Readers".into()));
    assert_eq!(made.body["members"], json!([{"origin": "uaa", "type": "USER", "value": ann}]));
    uaa.call(Method::POST, "/Groups", Some(&admin), Some(body)).await.is(409, "scim_resource_already_exists");
    let user = uaa.get(&format!("/Users/{ann}"), &admin).await;
    let groups = user.body["groups"].as_array().unwrap();
    assert!(groups.iter().any(|group| group["display"] == "shop.read" && group["value"] == made.body["id"]), "{groups:?}");

    uaa.create_secret_client("shop", &json!({"authorized_grant_types": ["password"], "scope": ["shop.read"]})).await;
    let log_in =
        async || uaa.form("/oauth/token", Some("shop:s"), &[("grant_type", "password"), ("username", "ann"), ("password", "secret")]).await;
    assert_eq!(log_in().await.text("scope"), "shop.read");
    let member = format!("/Groups/{}/members/{ann}", made.text("id"));
    assert_eq!(uaa.get(&member, &admin).await.body["value"], json!(ann));
    assert_eq!(uaa.call(Method::DELETE, &member, Some(&admin), None).await.status, 200);
    uaa.call(Method::DELETE, &member, Some(&admin), None).await.is(404, "scim_resource_not_found");
    log_in().await.is(400, "invalid_scope");
    let add = async |body: Value| uaa.call(Method::POST, &format!("/Groups/{}/members", made.text("id")), Some(&admin), Some(body)).await;
    assert_eq!(add(json!({"value": ann})).await.status, 201);
    add(json!({"value": ann})).await.is(409, "member_already_exists");
    add(json!({"value": made.body["id"], "type": "GROUP"})).await.is(400, "invalid_scim_resource");
    add(json!({"value": "nobody"})).await.is(400, "invalid_scim_resource");
    assert_eq!(log_in().await.status, 200);
    let list = uaa.get(&format!("/Groups/{}/members", made.text("id")), &admin).await;
    assert_eq!(list.body, json!([{"origin": "uaa", "type": "USER", "value": ann}]));
}

#[tokio::test]
async fn groups_change_by_version_and_keep_their_members_under_a_new_name() {
    let uaa = Harness::start().await;
    let (ann, bob) = (uaa.create_user("ann", "x").await, uaa.create_user("bob", "x").await);
    let admin = uaa.admin().await;
    let body = json!({"displayName": "a.b", "members": [{"value": ann}]});
    let made = uaa.call(Method::POST, "/Groups", Some(&admin), Some(body)).await;
    let path = format!("/Groups/{}", made.text("id"));
    change(&uaa, Method::PUT, &path, None, json!({"displayName": "a.c"})).await.is(400, "invalid_scim_resource");
    change(&uaa, Method::PUT, &path, Some("7"), json!({"displayName": "a.c"})).await.is(409, "scim_resource_conflict");
    let patched = change(&uaa, Method::PATCH, &path, Some("0"), json!({"displayName": "a.c", "members": [{"value": bob}]})).await;
    assert_eq!((patched.status, patched.etag.as_deref()), (200, Some("\"1\"")), "{}", patched.body);
    assert_eq!(patched.body["members"].as_array().unwrap().len(), 2);
    let out = json!({"members": [{"value": ann, "operation": "delete"}]});
    let patched = change(&uaa, Method::PATCH, &path, Some("*"), out).await;
    assert_eq!(patched.body["members"], json!([{"origin": "uaa", "type": "USER", "value": bob}]));
    let put = change(&uaa, Method::PUT, &path, Some("\"2\""), json!({"displayName": "a.c"})).await;
    assert_eq!((put.body["members"].clone(), put.body["meta"]["version"].clone()), (json!([]), json!(3)));
    change(&uaa, Method::PATCH, &path, Some("*"), json!({"displayName": "uaa.ADMIN"})).await.is(409, "scim_resource_already_exists");
    for name in ["", "a b", "a\u{0}", &"x".repeat(256)] {
        change(&uaa, Method::PATCH, &path, Some("*"), json!({"displayName": name})).await.is(400, "invalid_scim_resource");
    }
    let found = uaa.get("/Groups?filter=displayName%20sw%20%22a.%22&attributes=displayName", &admin).await;
    assert_eq!(found.body["resources"], json!([{"displayName": "a.c"}]));
    assert_eq!(uaa.call(Method::DELETE, &path, Some(&admin), None).await.body["displayName"], "a.c");
    uaa.get(&path, &admin).await.is(404, "scim_resource_not_found");
    assert_eq!(uaa.log_in("admin", ADMIN_PASSWORD).await.status, 200);
}
