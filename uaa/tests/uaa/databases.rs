//! The statements of the UAA as its endpoints make them, on each database there is.

use crate::{
    browser::Browser,
    support::{ADMIN_PASSWORD, Harness},
};
use serde_json::json;
use virga_serve::axum::http::Method;
use virga_store::testing::TestStore;
use virga_uaa::{UaaSettings, bootstrap};

#[tokio::test]
async fn every_kind_of_row_is_written_read_and_deleted() {
    use virga_serve::Clock as _;
    for database in [Some(TestStore::sqlite().await), TestStore::postgres().await].into_iter().flatten() {
        let settings =
            UaaSettings { admin_client_secret: Some("s".to_owned().into()), rotate_refresh_tokens: true, ..UaaSettings::default() };
        let uaa = Harness::on(database, settings.clone()).await;
        bootstrap(uaa.store(), &settings, uaa.clock.now(), None).await.unwrap();
        let root = uaa.form("/oauth/token", Some("admin:s"), &[("grant_type", "client_credentials")]).await.text("access_token");
        let ann = uaa.create_user("ann", "secret").await;
        uaa.log_in("ann", "wrong").await.is(401, "unauthorized");
        let login = uaa.log_in("ann", "secret").await;
        let rotated = uaa.refresh(&login.text("refresh_token")).await;
        assert_ne!(rotated.text("refresh_token"), login.text("refresh_token"));
        let group = json!({"displayName": "g.x", "members": [{"value": ann}]});
        let group = uaa.call(Method::POST, "/Groups", Some(&root), Some(group)).await;
        let list = uaa.get("/Groups?filter=displayName%20eq%20%22G.X%22&sortBy=displayName", &root).await;
        assert_eq!(list.body["resources"], json!([group.body]));
        let users = uaa.get("/Users?filter=not%20(lastLogonTime%20pr)%20or%20active%20eq%20true&sortBy=emails.value", &root).await;
        assert_eq!(users.body["totalResults"], 2, "{}", users.body);
        uaa.create_secret_client("web", &json!({"authorized_grant_types": ["password"], "scope": ["g.x"], "autoapprove": true})).await;
        let clients = uaa.get("/oauth/clients?filter=scope%20co%20%22g.x%22", &root).await;
        assert_eq!(clients.body["totalResults"], 1, "{}", clients.body);
        let mut browser = Browser::new(&uaa);
        let page = browser.log_in("/passcode", "ann", "secret").await;
        assert!(page.html.contains("One-time passcode"), "{}", page.html);
        assert_eq!(uaa.call(Method::POST, "/token_keys", Some(&root), None).await.status, 201);
        let reset = uaa.call(Method::POST, "/password_resets", Some(&root), Some(json!("ann"))).await;
        assert_eq!(reset.text("user_id"), ann);
        assert_eq!(uaa.get(&format!("/oauth/token/revoke/user/{ann}"), &root).await.status, 200);
        let gone = uaa.call(Method::DELETE, &format!("/Users/{ann}"), Some(&root), None).await;
        assert_eq!((gone.status, gone.text("userName")), (200, "ann".to_owned()));
        let members = uaa.get(&format!("/Groups/{}/members", group.text("id")), &root).await;
        assert_eq!(members.body, json!([]));
        assert_eq!(uaa.log_in("admin", ADMIN_PASSWORD).await.status, 200);
        let without = UaaSettings::default();
        bootstrap(uaa.store(), &without, uaa.clock.now(), None).await.unwrap();
        uaa.form("/oauth/token", Some("admin:s"), &[("grant_type", "client_credentials")]).await.is(401, "unauthorized");
        uaa.close().await;
    }
}
