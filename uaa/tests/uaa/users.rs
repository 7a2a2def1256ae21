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
    list(&uaa, "password pr").await.is(400, "invalid_filter");
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

#[tokio::test]
async fn users_change_by_version() {
    let uaa = Harness::start().await;
    let (id, admin) = (uaa.create_user("ann", "secret").await, uaa.admin().await);
    let path = format!("/Users/{id}");
    assert_eq!(uaa.get(&path, &admin).await.etag.as_deref(), Some("\"0\""));
    let body =
        json!({"userName": "anna", "emails": [{"value": "a@example"}], "name": {"givenName": "A"}, "phoneNumbers": [{"value": "1"}]});
    let put = async |version: Option<&str>, body: &Value| uaa.call_if(Method::PUT, &path, &admin, version, body.clone()).await;
    put(None, &body).await.is(400, "invalid_scim_resource");
    put(Some("1"), &body).await.is(409, "scim_resource_conflict");
    put(Some("x"), &body).await.is(400, "invalid_scim_resource");
    let changed = put(Some("0"), &body).await;
    assert_eq!(
        (changed.status, changed.etag.as_deref(), changed.text("userName")),
        (200, Some("\"1\""), "anna".into()),
        "{}",
        changed.body
    );
    assert_eq!(changed.body["name"], json!({"familyName": "", "givenName": "A"}));
    put(Some("*"), &json!({"userName": "anna"})).await.is(400, "invalid_scim_resource");
    put(Some("*"), &json!({"userName": "admin", "emails": [{"value": "x"}]})).await.is(409, "scim_resource_already_exists");
    put(Some("*"), &json!({"userName": "anna", "emails": [{"value": "x"}], "origin": "corp"})).await.is(400, "invalid_scim_resource");
    let patch = async |body: Value| uaa.call_if(Method::PATCH, &path, &admin, Some("*"), body).await;
    let patched = patch(json!({"externalId": "e", "meta": {"attributes": ["name.givenName", "phoneNumbers"]}})).await;
    assert_eq!((patched.text("externalId"), patched.body["name"]["givenName"].clone()), ("e".into(), json!("")));
    assert_eq!((patched.body.get("phoneNumbers"), patched.body["emails"][0]["value"].clone()), (None, json!("a@example")));
    patch(json!({"meta": {"attributes": ["userName"]}})).await.is(400, "invalid_scim_resource");

    let token = uaa.log_in("anna", "secret").await.text("access_token");
    assert_eq!(patch(json!({"active": false})).await.status, 200);
    uaa.get("/userinfo", &token).await.is(401, "invalid_token");
    uaa.log_in("anna", "secret").await.is(401, "unauthorized");
    uaa.call_if(Method::DELETE, &path, &admin, Some("1"), json!(null)).await.is(409, "scim_resource_conflict");
}

#[tokio::test]
async fn users_change_their_own_name_and_nothing_else() {
    let uaa = Harness::start().await;
    let (ann, bob) = (uaa.create_user("ann", "secret").await, uaa.create_user("bob", "secret").await);
    let token = uaa.log_in("ann", "secret").await.text("access_token");
    let patch = async |id: &str, body: Value| uaa.call_if(Method::PATCH, &format!("/Users/{id}"), &token, Some("*"), body).await;
    assert_eq!(patch(&ann, json!({"name": {"givenName": "Ann", "familyName": "B"}})).await.status, 200);
    for body in [
        json!({"userName": "root"}),
        json!({"emails": [{"value": "x"}]}),
        json!({"active": false}),
        json!({"verified": false}),
        json!({"externalId": "x"}),
    ] {
        patch(&ann, body).await.is(403, "insufficient_scope");
    }
    patch(&bob, json!({"name": {"givenName": "x"}})).await.is(403, "insufficient_scope");
}

#[tokio::test]
async fn lists_are_sorted_cut_and_paged() {
    let uaa = Harness::start().await;
    for name in ["c", "a", "b"] {
        uaa.wait(1);
        uaa.create_user(name, "x").await;
    }
    let admin = uaa.admin().await;
    let names = async |query: &str| {
        let list = uaa.get(&format!("/Users?{query}"), &admin).await;
        assert_eq!(list.status, 200, "{}", list.body);
        let resources = list.body["resources"].as_array().unwrap().clone();
        resources.iter().map(|user| user["userName"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("").await, ["admin", "c", "a", "b"], "as they were made");
    assert_eq!(names("sortBy=userName&sortOrder=descending&count=2").await, ["c", "b"]);
    assert_eq!(names("sortBy=userName&startIndex=3&count=2").await, ["b", "c"]);
    assert!(names("count=0").await.is_empty());
    let cut = uaa.get("/Users?attributes=userName,emails.value,nothing&filter=userName%20eq%20%22a%22", &admin).await;
    assert_eq!(cut.body["resources"], json!([{"userName": "a", "emails.value": ["a"]}]));
    for query in ["sortBy=password", "sortOrder=up", "count=-1", "startIndex=x"] {
        assert_eq!(uaa.get(&format!("/Users?{query}"), &admin).await.status, 400, "{query}");
    }
}

#[tokio::test]
async fn ids_are_told_only_of_names_and_names_of_ids() {
    let uaa = Harness::start().await;
    let ann = uaa.create_user("ann", "x").await;
    let token = uaa.client_token("op", &["scim.userids"]).await;
    let ids = async |filter: &str| {
        let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("filter", filter).finish();
        uaa.get(&format!("/ids/Users?{query}"), &token).await
    };
    let found = ids("userName eq \"ann\" or id eq \"x\"").await;
    assert_eq!(found.body["resources"], json!([{"id": ann, "userName": "ann", "origin": "uaa"}]));
    assert_eq!(ids("origin eq \"uaa\" and id eq \"none\"").await.body["totalResults"], 0);
    for filter in
        ["", "userName co \"a\"", "origin eq \"uaa\"", "userName eq \"ann\" or origin eq \"uaa\"", "not (userName eq \"x\")", "userName pr"]
    {
        ids(filter).await.is(400, "invalid_filter");
    }
    ids("emails.value eq \"ann\"").await.is(400, "invalid_filter");
}

#[tokio::test]
async fn a_locked_account_is_unlocked_by_an_administrator() {
    let uaa = Harness::start().await;
    let (id, admin) = (uaa.create_user("ann", "secret").await, uaa.admin().await);
    for _ in 0..5 {
        uaa.log_in("ann", "wrong").await;
    }
    assert!(uaa.log_in("ann", "secret").await.text("error_description").contains("locked"));
    let status = async |body: Value| uaa.call(Method::PATCH, &format!("/Users/{id}/status"), Some(&admin), Some(body)).await;
    status(json!({"locked": true})).await.is(400, "invalid_request");
    assert_eq!(status(json!({"locked": false})).await.body, json!({"locked": false}));
    assert_eq!(uaa.log_in("ann", "secret").await.status, 200);
    let verified = uaa.get(&format!("/Users/{id}/verify"), &admin).await;
    assert_eq!(verified.body["verified"], true);
}
