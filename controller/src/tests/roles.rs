//! Roles by guid and by name, and the order in which they come and go.

use crate::testing::{Api, User, on_both};
use serde_json::{Value, json};
use virga_model::{UserGuid, state::RoleType};

fn role(kind: &str, user: Value, place: &str, guid: &impl ToString) -> Value {
    let mut relationships = json!({ "user": { "data": user } });
    relationships[place] = json!({ "data": { "guid": guid.to_string() } });
    json!({ "type": kind, "relationships": relationships })
}

async fn give(user: &User<'_>, body: Value) -> crate::testing::Answer {
    user.post("/v3/roles", body).await
}

#[tokio::test]
async fn a_space_role_comes_after_one_in_the_organization_and_goes_before_it() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let (org, space) = api.org_and_space("o").await;
        let manager = api.user_who_is(RoleType::OrganizationManager, org, space).await;
        let dora = api.user("dora").await;
        let by_name = json!({ "username": "dora" });
        let early = give(&manager, role("space_developer", by_name.clone(), "space", &space)).await.error(422).1;
        assert_eq!(early, "Users cannot be assigned roles in a space if they do not have a role in that space's organization.");
        let nobody = give(&manager, role("space_developer", json!({ "username": "nobody" }), "space", &space)).await.error(422).1;
        assert_eq!(nobody, early);
        let nobody = give(&manager, role("organization_user", json!({ "username": "nobody" }), "organization", &org)).await.error(422).1;
        assert_eq!(nobody, "No user exists with the username 'nobody'.");
        let user = give(&manager, role("organization_user", by_name.clone(), "organization", &org)).await.created();
        let twice = give(&manager, role("organization_user", json!({ "guid": dora.guid }), "organization", &org)).await.error(422).1;
        assert_eq!(twice, "User 'dora' already has 'organization_user' role in organization 'o'.");
        let developer = give(&manager, role("space_developer", by_name, "space", &space)).await.created();

        let members = manager.get(&format!("/v3/roles?space_guids={space}&include=user,space&order_by=-created_at")).await.ok();
        assert_eq!(members["included"]["users"][0]["username"], "dora");
        assert_eq!(members["included"]["spaces"][0]["name"], "space");
        let one = format!("/v3/roles/{}", developer["guid"].as_str().unwrap());
        assert_eq!(manager.get(&format!("{one}?include=user")).await.ok()["included"]["users"][0]["presentation_name"], "dora");
        manager.get(&format!("{one}?include=app")).await.error(400);
        let first = format!("/v3/roles/{}", user["guid"].as_str().unwrap());
        let early = manager.delete(&first).await.error(422).1;
        assert_eq!(early, "Cannot delete organization_user role while user has roles in spaces in that organization.");
        manager.delete(&one).await.job();
        manager.delete(&first).await.job();
        manager.get(&first).await.error(404);
    })
    .await;
}

#[tokio::test]
async fn what_a_role_request_may_not_say_is_named() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let admin = api.admin().await;
        let (org, space) = api.org_and_space("o").await;
        let guid = json!({ "guid": admin.guid });
        for (body, what) in [
            (
                role("space_developer", guid.clone(), "organization", &org),
                "Relationships organization cannot be provided with the space role type: 'space_developer'.",
            ),
            (
                role("organization_user", guid.clone(), "space", &space),
                "Relationships space cannot be provided with the organization role type: 'organization_user'.",
            ),
            (
                json!({ "type": "organization_user", "relationships": { "user": { "data": guid } } }),
                "Relationships must specify either a space or an organization.",
            ),
            (
                role("organization_user", json!({ "guid": "x", "username": "y" }), "organization", &org),
                "Relationships username cannot be specified when identifying user by guid",
            ),
            (role("organization_user", json!({}), "organization", &org), "Relationships user must have a username or guid specified"),
        ] {
            assert_eq!(give(&admin, body).await.error(422).1, what);
        }
        let unknown = give(&admin, role("janitor", guid, "organization", &org)).await.error(422).1;
        assert!(unknown.starts_with("Type must be one of the allowed types [\"organization_user\", "), "{unknown}");
    })
    .await;
}

#[tokio::test]
async fn names_are_looked_up_only_where_the_flag_lets_them() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let (org, space) = api.org_and_space("o").await;
        let manager = api.user_who_is(RoleType::OrganizationManager, org, space).await;
        let dora = api.user("dora").await;
        api.admin().await.patch("/v3/feature_flags/set_roles_by_username", json!({ "enabled": false })).await.ok();
        let by_name = role("organization_user", json!({ "username": "dora" }), "organization", &org);
        assert_eq!(give(&manager, by_name.clone()).await.error(403).1, "Feature Disabled: set_roles_by_username");
        give(&manager, role("organization_auditor", json!({ "guid": dora.guid }), "organization", &org)).await.created();
        give(&api.admin().await, by_name).await.created();
        // A user whom the UAA does not know has roles by guid alone, and shows it as a name.
        let stranger = UserGuid::random();
        give(&manager, role("organization_user", json!({ "guid": stranger }), "organization", &org)).await.created();
        let shown = manager.get(&format!("/v3/users/{stranger}")).await.ok();
        assert_eq!((&shown["username"], &shown["presentation_name"]), (&Value::Null, &json!(stranger)));
        assert_eq!(manager.get("/v3/users?usernames=DORA").await.ok()["pagination"]["total_results"], 1);
        let admin = api.admin().await;
        admin.delete(&format!("/v3/users/{stranger}")).await.job();
        assert_eq!(admin.get(&format!("/v3/roles?user_guids={stranger}")).await.ok()["pagination"]["total_results"], 0);
    })
    .await;
}

#[tokio::test]
async fn users_of_other_identity_providers_are_known_before_their_first_login() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let admin = api.admin().await;
        let made = admin.post("/v3/users", json!({ "username": "eve", "origin": "corporate" })).await.created();
        assert_eq!((&made["username"], &made["origin"]), (&json!("eve"), &json!("corporate")));
        let twice = admin.post("/v3/users", json!({ "username": "EVE", "origin": "corporate" })).await.error(422).1;
        assert_eq!(twice, "User with username 'EVE' and origin 'corporate' already exists.");
        for (body, what) in [
            (json!({}), "Guid or 'username' and 'origin' must be provided"),
            (json!({ "username": "a" }), "Username can only be provided together with 'origin'"),
            (json!({ "origin": "a" }), "Origin can only be provided together with 'username'"),
            (json!({ "username": "a", "origin": "uaa" }), "Origin cannot be 'uaa' when creating a user by username"),
            (json!({ "guid": made["guid"], "username": "a" }), "Username cannot be provided with 'guid'"),
        ] {
            assert_eq!(admin.post("/v3/users", body).await.error(422).1, what);
        }
        // Of two of one name, the request must say which.
        api.user("eve").await;
        let (org, _) = api.org_and_space("o").await;
        let by_name = |user: Value| role("organization_user", user, "organization", &org);
        let either = give(&admin, by_name(json!({ "username": "eve" }))).await.error(422).1;
        assert_eq!(
            either,
            "Ambiguous user. User with username 'eve' exists in the following origins: corporate, uaa. Specify an origin to disambiguate."
        );
        let given = give(&admin, by_name(json!({ "username": "eve", "origin": "corporate" }))).await.created();
        assert_eq!(given["relationships"]["user"]["data"]["guid"], made["guid"]);
    })
    .await;
}

#[tokio::test]
async fn a_client_has_roles_by_its_id_and_uses_them() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let admin = api.admin().await;
        let (org, space) = api.org_and_space("o").await;
        let by_id = |kind: &str, place: &str, guid: String| role(kind, json!({ "guid": "ci" }), place, &guid);
        let early = give(&admin, by_id("organization_user", "organization", org.to_string())).await.error(422).1;
        assert_eq!(early, "Invalid user. Ensure that the user exists and you have access to it.");
        api.client("ci").await;
        let ci = api.as_client("ci", &["cloud_controller.read", "cloud_controller.write"]);
        ci.get(&format!("/v3/spaces/{space}")).await.error(404);
        give(&admin, by_id("organization_user", "organization", org.to_string())).await.created();
        let developer = give(&admin, by_id("space_developer", "space", space.to_string())).await.created();
        let app = json!({ "name": "app", "relationships": { "space": { "data": { "guid": space } } } });
        ci.post("/v3/apps", app).await.created();

        let shown = admin.get("/v3/users/ci").await.ok();
        assert_eq!((&shown["username"], &shown["presentation_name"], &shown["origin"]), (&Value::Null, &json!("ci"), &Value::Null));
        let found = admin.get("/v3/roles?user_guids=ci&types=space_developer&include=user").await.ok();
        assert_eq!((&found["resources"][0]["guid"], &found["pagination"]["total_results"]), (&developer["guid"], &json!(1)));
        assert_eq!(found["included"]["users"][0]["presentation_name"], "ci");
        admin.delete("/v3/users/ci").await.job();
        ci.get(&format!("/v3/spaces/{space}")).await.error(404);
    })
    .await;
}
