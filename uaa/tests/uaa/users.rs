//! SCIM users and their passwords.

use crate::support::{Answer, Harness};
use serde_json::{Value, json};
use virga_serve::axum::http::Method;

async fn create(uaa: &Harness, body: Value) -> Answer {
    uaa.call(Method::POST, "/Users", Some(&uaa.admin().await), Some(body)).await
}

async fn list(uaa: &Harness, filter: &str) -> Answer {
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("filter", filter).finish();
    uaa.get(&format!("/Users?{query}"), &uaa.admin().await).await
}

async fn passwd(uaa: &Harness, id: &str, token: &str, old: &str, new: &str) -> Answer {
    let body = json!({"oldPassword": old, "password": new});
    uaa.call(Method::PUT, &format!("/Users/{id}/password"), Some(token), Some(body)).await
}

#[tokio::test]
async fn users_are_made_found_and_deleted_as_the_cli_does_it() {
    let uaa = Harness::start().await;
    let id = uaa.create_user("ann", "secret").await;
    let found = list(&uaa, "userName eq \"ANN\" and origin eq \"uaa\"").await;
    assert_eq!(found.body["totalResults"], 1);
    assert_eq!((found.body["startIndex"].clone(), found.body["itemsPerPage"].clone()), (json!(1), json!(100)));
    let user = &found.body["resources"][0];
    assert_eq!((user["id"].as_str(), user["userName"].as_str(), user["origin"].as_str()), (Some(id.as_str()), Some("ann"), Some("uaa")));
    assert!(!found.body.to_string().contains("argon2"));
    create(&uaa, json!({"userName": "Ann", "password": "x"})).await.is(409, "scim_resource_already_exists");
    assert_eq!(create(&uaa, json!({"userName": "ann", "origin": "ldap"})).await.status, 201);
    assert_eq!(list(&uaa, "userName eq \"ann\"").await.body["totalResults"], 2);

    let (path, admin) = (format!("/Users/{id}"), uaa.admin().await);
    assert_eq!(uaa.get(&path, &admin).await.body, *user);
    let gone = uaa.call(Method::DELETE, &path, Some(&admin), None).await;
    assert_eq!((gone.status, gone.body["userName"].as_str()), (200, Some("ann")), "the CLI decodes this body");
    uaa.call(Method::DELETE, &path, Some(&admin), None).await.is(404, "scim_resource_not_found");
    uaa.get("/Users/no-guid", &admin).await.is(404, "scim_resource_not_found");
}

#[tokio::test]
async fn what_is_no_user_is_refused() {
    let uaa = Harness::start().await;
    for body in [json!({}), json!({"userName": " ", "password": "x"}), json!({"userName": "a\u{0}", "password": "x"}), json!([])] {
        create(&uaa, body).await.is(400, "invalid_scim_resource");
    }
    let long = "x".repeat(256);
    create(&uaa, json!({"userName": long, "password": "x"})).await.is(400, "invalid_scim_resource");
    for password in [None, Some(""), Some(long.as_str())] {
        create(&uaa, json!({"userName": "bob", "password": password})).await.is(400, "invalid_password");
    }
    list(&uaa, "userName pr").await.is(400, "invalid_filter");
}

#[tokio::test]
async fn a_new_password_voids_every_old_token() {
    let uaa = Harness::start().await;
    let id = uaa.create_user("ann", "old").await;
    let login = uaa.log_in("ann", "old").await;
    let (access, refresh) = (login.text("access_token"), login.text("refresh_token"));
    assert!(uaa.uaa.verifier().verify(&access).await.is_ok());
    passwd(&uaa, &id, &access, "wrong", "new").await.is(401, "unauthorized");
    passwd(&uaa, &id, &access, "old", "old").await.is(422, "invalid_password");
    passwd(&uaa, &id, &access, "old", "").await.is(400, "invalid_password");
    let changed = passwd(&uaa, &id, &access, "old", "new").await;
    assert_eq!((changed.status, changed.body), (200, json!({"status": "ok", "message": "password updated"})));

    assert!(uaa.uaa.verifier().verify(&access).await.is_err());
    uaa.refresh(&refresh).await.is(401, "invalid_token");
    uaa.log_in("ann", "old").await.is(401, "unauthorized");
    assert_eq!(uaa.log_in("ann", "new").await.status, 200);
}

#[tokio::test]
async fn old_passwords_cannot_be_guessed_with_a_found_token() {
    let uaa = Harness::start().await;
    let id = uaa.create_user("ann", "old").await;
    let token = uaa.log_in("ann", "old").await.text("access_token");
    for _ in 0..5 {
        passwd(&uaa, &id, &token, "guess", "mine").await.is(401, "unauthorized");
    }
    let locked = passwd(&uaa, &id, &token, "old", "mine").await;
    assert!(locked.text("error_description").contains("locked"));
}

#[tokio::test]
async fn a_deleted_user_is_out_at_once() {
    let uaa = Harness::start().await;
    let id = uaa.create_user("ann", "secret").await;
    let login = uaa.log_in("ann", "secret").await;
    let token = login.text("access_token");
    assert!(uaa.uaa.verifier().verify(&token).await.is_ok());
    uaa.call(Method::DELETE, &format!("/Users/{id}"), Some(&uaa.admin().await), None).await;
    assert!(uaa.uaa.verifier().verify(&token).await.is_err());
    uaa.refresh(&login.text("refresh_token")).await.is(401, "invalid_token");
}
