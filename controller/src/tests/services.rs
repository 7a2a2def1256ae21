//! User-provided service instances and their bindings: what they keep, what apps are given, what is refused, what goes with what.

use super::started::started_app;
use crate::testing::{Api, User, on_both};
use http::Method;
use serde_json::{Value, json};
use virga_model::{AppGuid, SpaceGuid, state::RoleType};
use virga_store::{service_credential_bindings, service_instances};

const SECRET: &str = "hunter2";

fn to(guid: &impl ToString) -> Value {
    json!({ "data": { "guid": guid.to_string() } })
}

fn provided(name: &str, space: SpaceGuid) -> Value {
    json!({ "type": "user-provided", "name": name, "credentials": { "password": SECRET }, "relationships": { "space": to(&space) } })
}

async fn provide(user: &User<'_>, name: &str, space: SpaceGuid) -> String {
    guid(&user.post("/v3/service_instances", provided(name, space)).await.created())
}

fn binding(app: &AppGuid, instance: &str) -> Value {
    json!({ "type": "app", "relationships": { "app": to(app), "service_instance": to(&instance) } })
}

async fn bind(user: &User<'_>, app: &AppGuid, instance: &str) -> String {
    guid(&user.post("/v3/service_credential_bindings", binding(app, instance)).await.created())
}

fn guid(resource: &Value) -> String {
    resource["guid"].as_str().unwrap().to_owned()
}

async fn names(user: &User<'_>, list: &str) -> Vec<String> {
    let page = user.get(list).await.ok();
    page["resources"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap_or_default().to_owned()).collect()
}

/// `VCAP_SERVICES` as `cf env` shows it.
async fn services(user: &User<'_>, app: AppGuid) -> Value {
    user.get(&format!("/v3/apps/{app}/env")).await.ok()["system_env_json"]["VCAP_SERVICES"].clone()
}

#[tokio::test]
async fn an_instance_is_kept_changed_and_deleted_and_its_credentials_are_nobodys_but_developers() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let (org, space) = api.org_and_space("o").await;
        let developer = api.user_who_is(RoleType::SpaceDeveloper, org, space).await;
        let auditor = api.user_who_is(RoleType::SpaceAuditor, org, space).await;
        let mut body = provided("db", space);
        for (member, value) in [
            ("tags", json!(["sql", "relational"])),
            ("syslog_drain_url", json!("syslog-tls://logs.example.com:6514")),
            ("route_service_url", json!("https://proxy.example.com")),
            ("metadata", json!({ "labels": { "tier": "gold" } })),
        ] {
            body[member] = value;
        }
        let made = developer.post("/v3/service_instances", body).await.created();
        let path = format!("/v3/service_instances/{}", guid(&made));
        assert_eq!((&made["type"], &made["tags"]), (&json!("user-provided"), &json!(["sql", "relational"])));
        assert_eq!((&made["last_operation"]["type"], &made["last_operation"]["state"]), (&json!("create"), &json!("succeeded")));
        assert_eq!(made["route_service_url"], "https://proxy.example.com");
        assert_eq!(made["relationships"], json!({ "space": to(&space) }));
        assert_eq!(developer.get(&format!("{path}/credentials")).await.ok(), json!({ "password": SECRET }));
        auditor.get(&format!("{path}/credentials")).await.error(403);

        // Everything that others see, and what the database holds.
        let asked = [path.clone(), "/v3/service_instances".into(), "/v3/audit_events".into(), "/v3/service_usage_events".into()];
        for asked in asked {
            let shown = api.admin().await.get(&asked).await.ok();
            assert!(!shown.to_string().contains(SECRET), "{asked}: {shown}");
        }
        let mut db = api.controller.store.read().await.unwrap();
        let row = service_instances::find(&mut db, guid(&made).parse().unwrap()).await.unwrap().unwrap();
        drop(db);
        assert!(row.credentials.is_some_and(|sealed| !sealed.as_str().contains(SECRET) && !sealed.as_str().contains("password")));

        let change = json!({ "name": "store", "tags": null, "syslog_drain_url": null, "credentials": { "password": "new" } });
        let changed = developer.patch(&path, change).await.ok();
        assert_eq!((&changed["name"], &changed["tags"], &changed["syslog_drain_url"]), (&json!("store"), &json!([]), &Value::Null));
        assert_eq!(changed["last_operation"]["type"], "update");
        assert_eq!(changed["metadata"]["labels"], json!({ "tier": "gold" }), "what is not named stays");
        assert_eq!(developer.get(&format!("{path}/credentials")).await.ok(), json!({ "password": "new" }));
        developer.patch(&path, json!({ "metadata": { "labels": { "tier": null } } })).await.ok();
        assert_eq!(developer.get(&format!("{path}/credentials")).await.ok(), json!({ "password": "new" }));
        assert_eq!(developer.delete(&path).await.expect(204), Value::Null);
        developer.get(&path).await.error(404);

        let usage = api.admin().await.get("/v3/service_usage_events").await.ok();
        let states: Vec<&Value> = usage["resources"].as_array().unwrap().iter().map(|event| &event["state"]).collect();
        assert_eq!(states, ["CREATED", "UPDATED", "DELETED"], "a change of labels is none");
        assert_eq!(usage["resources"][0]["service_instance"]["type"], "user_provided_service_instance");
        let events = developer.get(&format!("/v3/audit_events?target_guids={}&order_by=created_at", guid(&made))).await.ok();
        let verbs: Vec<&str> = events["resources"].as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap()).collect();
        let verb = |verb: &str| format!("audit.user_provided_service_instance.{verb}");
        assert_eq!(verbs, ["create", "show", "update", "show", "update", "show", "delete"].map(verb));
    })
    .await;
}

#[tokio::test]
async fn instances_are_listed_filtered_and_shown_with_where_they_are() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let admin = api.admin().await;
        let ((org, space), (_, elsewhere)) = (api.org_and_space("o").await, api.org_and_space("p").await);
        let developer = api.user_who_is(RoleType::SpaceDeveloper, org, space).await;
        for (name, space) in [("b", space), ("a", space), ("c", elsewhere)] {
            provide(&admin, name, space).await;
        }
        assert_eq!(names(&developer, "/v3/service_instances?order_by=name").await, ["a", "b"]);
        assert_eq!(names(&admin, "/v3/service_instances").await, ["b", "a", "c"]);
        for (filter, expected) in [
            ("names=a,c".to_owned(), vec!["a", "c"]),
            (format!("space_guids={elsewhere}"), vec!["c"]),
            (format!("organization_guids={org}"), vec!["b", "a"]),
            ("type=user-provided".to_owned(), vec!["b", "a", "c"]),
            ("type=managed".to_owned(), vec![]),
            ("service_plan_names=small".to_owned(), vec![]),
        ] {
            assert_eq!(names(&admin, &format!("/v3/service_instances?{filter}")).await, expected, "{filter}");
        }
        assert_eq!(admin.get("/v3/service_instances?type=magic").await.error(400).0, 10005);
        let refused = admin.get("/v3/service_instances?fields[space]=secrets").await.error(400).1;
        assert!(refused.contains("'guid', 'name', 'relationships.organization'"), "{refused}");
        let fields = "fields[space]=name,guid&fields[space.organization]=name&fields[service_plan]=name";
        let included = developer.get(&format!("/v3/service_instances?{fields}")).await.ok()["included"].clone();
        assert_eq!(
            included,
            json!({ "service_plans": [], "spaces": [{ "guid": space, "name": "space" }], "organizations": [{ "name": "o" }] })
        );
    })
    .await;
}

#[tokio::test]
async fn what_an_instance_cannot_be_is_refused_and_leaves_nothing() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let (org, space) = api.org_and_space("o").await;
        let (_, elsewhere) = api.org_and_space("p").await;
        let developer = api.user_who_is(RoleType::SpaceDeveloper, org, space).await;
        let with = |member: &str, value: Value| {
            let mut body = provided("x", space);
            body[member] = value;
            body
        };
        for (body, says) in [
            (with("type", json!("magic")), "Type must be one of 'managed', 'user-provided'"),
            (with("name", json!(" ")), "Name can't be blank"),
            (with("route_service_url", json!("http://proxy.example.com")), "Route service url must be https"),
            (with("syslog_drain_url", json!("not a url")), "Syslog drain url must be a valid URI"),
            (with("tags", json!(["t".repeat(2_049)])), "Tags are too long: their combined length must be 2048 characters or less"),
            (with("parameters", json!({})), "Unknown field(s): 'parameters'"),
            (provided("x", elsewhere), "Invalid space. Ensure that the space exists and you have access to it."),
        ] {
            assert_eq!(developer.post("/v3/service_instances", body).await.error(422).1, says);
        }
        let large = developer.post("/v3/service_instances", with("credentials", json!({ "a": "b".repeat(65_536) }))).await.error(422).1;
        assert!(large.ends_with("65536 is the most"), "{large}");
        developer.post("/v3/service_instances", with("credentials", json!("text"))).await.expect(422);
        developer.post("/v3/service_instances", with("password", json!("x"))).await.expect(422);
        let managed = json!({ "type": "managed", "name": "x", "relationships": { "space": to(&space), "service_plan": to(&space) } });
        let refused = developer.post("/v3/service_instances", managed).await.error(422).1;
        assert_eq!(refused, "Invalid service plan. Ensure that the service plan exists, is available, and you have access to it.");
        assert_eq!(names(&developer, "/v3/service_instances").await, [""; 0]);

        provide(&developer, "x", space).await;
        let other = provide(&developer, "y", space).await;
        let taken = "The service instance name is taken: x.";
        assert_eq!(developer.post("/v3/service_instances", provided("x", space)).await.error(422).1, taken);
        let path = format!("/v3/service_instances/{other}");
        assert_eq!(developer.patch(&path, json!({ "name": "x" })).await.error(422).1, taken);
        developer.patch(&path, json!({ "parameters": {} })).await.expect(422);
        provide(&api.admin().await, "x", elsewhere).await;

        let (code, detail) = developer.get(&format!("{path}/parameters")).await.error(400);
        assert_eq!((code, detail.as_str()), (120_004, "This service does not support fetching service instance parameters."));
        let share = json!({ "data": [{ "guid": elsewhere }] });
        developer.post(&format!("{path}/relationships/shared_spaces"), share.clone()).await.error(403);
        let admin = api.admin().await;
        admin.patch("/v3/feature_flags/service_instance_sharing", json!({ "enabled": true })).await.ok();
        let refused = developer.post(&format!("{path}/relationships/shared_spaces"), share).await.error(422).1;
        assert_eq!(refused, "User-provided services cannot be shared.");
        admin.patch("/v3/feature_flags/service_instance_creation", json!({ "enabled": false })).await.ok();
        assert_eq!(developer.post("/v3/service_instances", provided("z", space)).await.error(403).0, 330_002);
        provide(&admin, "z", space).await;
    })
    .await;
}

#[tokio::test]
async fn a_bound_app_is_given_the_credentials_and_new_ones_when_they_change() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let (org, space) = api.org_and_space("o").await;
        let developer = api.user_who_is(RoleType::SpaceDeveloper, org, space).await;
        let supporter = api.user_who_is(RoleType::SpaceSupporter, org, space).await;
        let app = started_app(&api, "a", space).await;
        assert_eq!(services(&developer, app).await, json!({}));
        let (first, second) = (provide(&developer, "db", space).await, provide(&developer, "cache", space).await);
        let mut body = binding(&app, &first);
        body["name"] = json!("main");
        let made = supporter.post("/v3/service_credential_bindings", body).await.created();
        assert_eq!((&made["type"], &made["name"], &made["last_operation"]["state"]), (&json!("app"), &json!("main"), &json!("succeeded")));
        assert_eq!(made["relationships"], json!({ "service_instance": to(&first), "app": to(&app) }));
        let other = bind(&developer, &app, &second).await;
        let given = json!({ "user-provided": [
            {
                "label": "user-provided", "name": "main", "tags": [], "instance_guid": first, "instance_name": "db",
                "binding_guid": guid(&made), "binding_name": "main", "credentials": { "password": SECRET },
                "syslog_drain_url": null, "volume_mounts": [],
            },
            {
                "label": "user-provided", "name": "cache", "tags": [], "instance_guid": second, "instance_name": "cache",
                "binding_guid": other, "binding_name": null, "credentials": { "password": SECRET },
                "syslog_drain_url": null, "volume_mounts": [],
            },
        ] });
        assert_eq!(services(&developer, app).await, given);
        let hidden = supporter.get(&format!("/v3/apps/{app}/env")).await.ok()["system_env_json"].clone();
        assert_eq!(hidden, json!({ "redacted_message": "[PRIVATE DATA HIDDEN]" }));

        let change = json!({ "credentials": { "uri": "mysql://h/d" }, "tags": ["sql"], "syslog_drain_url": "https://logs.example.com" });
        developer.patch(&format!("/v3/service_instances/{first}"), change).await.ok();
        let now = services(&developer, app).await;
        let changed = &now["user-provided"][0];
        assert_eq!((&changed["credentials"], &changed["tags"]), (&json!({ "uri": "mysql://h/d" }), &json!(["sql"])));
        assert_eq!(changed["syslog_drain_url"], "https://logs.example.com");
        assert_eq!(now["user-provided"][1], given["user-provided"][1]);

        let path = format!("/v3/service_credential_bindings/{}", guid(&made));
        let details = developer.get(&format!("{path}/details")).await.ok();
        let expected =
            json!({ "credentials": { "uri": "mysql://h/d" }, "syslog_drain_url": "https://logs.example.com", "volume_mounts": [] });
        assert_eq!(details, expected);
        supporter.get(&format!("{path}/details")).await.error(404);
        assert_eq!(developer.get(&format!("{path}/parameters")).await.error(400).0, 90_007);
        let labelled = developer.patch(&path, json!({ "metadata": { "labels": { "a": "b" } } })).await.ok();
        assert_eq!(labelled["metadata"]["labels"], json!({ "a": "b" }));
        supporter.delete(&path).await.expect(204);
        assert_eq!(services(&developer, app).await["user-provided"].as_array().unwrap().len(), 1);
        let events = developer.get(&format!("/v3/audit_events?target_guids={}&order_by=created_at", guid(&made))).await.ok();
        let verbs: Vec<&str> = events["resources"].as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap()).collect();
        assert_eq!(verbs, ["create", "show", "update", "delete"].map(|verb| format!("audit.service_binding.{verb}")));
        assert!(!events.to_string().contains("mysql://"), "{events}");
    })
    .await;
}

#[tokio::test]
async fn bindings_are_listed_with_both_their_ends() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let admin = api.admin().await;
        let ((org, space), (_, elsewhere)) = (api.org_and_space("o").await, api.org_and_space("p").await);
        let developer = api.user_who_is(RoleType::SpaceDeveloper, org, space).await;
        let (one, two) = (started_app(&api, "one", space).await, started_app(&api, "two", elsewhere).await);
        let (db, far) = (provide(&admin, "db", space).await, provide(&admin, "far", elsewhere).await);
        let (own, foreign) = (bind(&admin, &one, &db).await, bind(&admin, &two, &far).await);
        let list = |query: &str| format!("/v3/service_credential_bindings?{query}");
        for (query, expected) in [
            (String::new(), vec![&own, &foreign]),
            (format!("app_guids={one}"), vec![&own]),
            ("app_names=two".to_owned(), vec![&foreign]),
            (format!("service_instance_guids={db}"), vec![&own]),
            ("service_instance_names=far,none".to_owned(), vec![&foreign]),
            ("type=app&order_by=-created_at".to_owned(), vec![&foreign, &own]),
            ("type=key".to_owned(), vec![]),
            ("names=main".to_owned(), vec![]),
            ("service_offering_names=redis".to_owned(), vec![]),
        ] {
            let page = admin.get(&list(&query)).await.ok();
            let found: Vec<String> = page["resources"].as_array().unwrap().iter().map(guid).collect();
            assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{query}");
        }
        let page = developer.get(&list("include=app,service_instance")).await.ok();
        assert_eq!(page["pagination"]["total_results"], 1);
        assert_eq!(page["included"]["apps"][0]["name"], "one");
        assert_eq!(page["included"]["service_instances"][0]["name"], "db");
        assert!(!page.to_string().contains(SECRET));
        let single = developer.get(&format!("/v3/service_credential_bindings/{own}?include=app")).await.ok();
        assert_eq!(single["included"]["apps"][0]["guid"], json!(one));
        developer.get(&format!("/v3/service_credential_bindings/{foreign}")).await.error(404);
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_bound_is_refused_in_the_words_that_clients_match() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let admin = api.admin().await;
        let ((org, space), (_, elsewhere)) = (api.org_and_space("o").await, api.org_and_space("p").await);
        let developer = api.user_who_is(RoleType::SpaceDeveloper, org, space).await;
        let app = started_app(&api, "a", space).await;
        let (db, far, spare) =
            (provide(&admin, "db", space).await, provide(&admin, "far", elsewhere).await, provide(&admin, "spare", space).await);
        let with = |member: &str, value: Value| {
            let mut body = binding(&app, &db);
            body[member] = value;
            body
        };
        let missing = AppGuid::random();
        for (who, body, says) in [
            (&developer, with("type", json!("magic")), "Type must be one of 'key', 'app'".to_owned()),
            (&developer, with("strategy", json!("many")), "Strategy must be 'single' or 'multiple'".to_owned()),
            (
                &developer,
                with("parameters", json!({})),
                "Binding parameters are not supported for user-provided service instances".to_owned(),
            ),
            (
                &developer,
                json!({ "type": "key", "name": "k", "relationships": { "service_instance": to(&db) } }),
                "Service credential bindings of type 'key' are not supported for user-provided service instances.".to_owned(),
            ),
            (
                &developer,
                with("name", json!("a b")),
                "The binding name is invalid. Valid characters are alphanumeric, underscore, and dash.".to_owned(),
            ),
            (
                &developer,
                with("name", json!("n".repeat(256))),
                "The binding name is invalid. App binding names must be less than 256 characters.".to_owned(),
            ),
            (&developer, binding(&app, &far), format!("The service instance could not be found: '{far}'")),
            (&developer, binding(&missing, &db), format!("The app could not be found: '{missing}'")),
            (&admin, binding(&app, &far), "The service instance and the app are in different spaces".to_owned()),
        ] {
            assert_eq!(who.post("/v3/service_credential_bindings", body).await.error(422).1, says);
        }
        assert_eq!(services(&developer, app).await, json!({}), "nothing was bound");
        developer.post("/v3/service_credential_bindings", with("name", json!("main"))).await.created();
        let again = developer.post("/v3/service_credential_bindings", binding(&app, &db)).await.error(422).1;
        assert_eq!(again, "The app is already bound to the service instance");
        let mut same_name = binding(&app, &spare);
        same_name["name"] = json!("main");
        let refused = developer.post("/v3/service_credential_bindings", same_name).await.error(422).1;
        assert!(refused.ends_with("The app already has a binding with name 'main'."), "{refused}");
    })
    .await;
}

#[tokio::test]
async fn of_two_bindings_that_come_at_once_one_is_made() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let admin = api.admin().await;
        let (_, space) = api.org_and_space("o").await;
        let app = started_app(&api, "a", space).await;
        let db = provide(&admin, "db", space).await;
        let bind = || admin.post("/v3/service_credential_bindings", binding(&app, &db));
        let (one, two) = tokio::join!(bind(), bind());
        let mut statuses = [one.status.as_u16(), two.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 422]);
        assert_eq!(services(&admin, app).await["user-provided"].as_array().unwrap().len(), 1);
    })
    .await;
}

/// Whatever comes first: every binding ends with what the instance has, or goes with it.
#[tokio::test]
async fn bindings_made_while_their_instance_changes_or_goes_are_not_left_behind() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let admin = api.admin().await;
        let (_, space) = api.org_and_space("o").await;
        let db = provide(&admin, "db", space).await;
        let path = format!("/v3/service_instances/{db}");
        let mut apps = Vec::new();
        for number in 0..6 {
            apps.push(started_app(&api, &format!("a{number}"), space).await);
        }
        for (round, app) in apps.iter().enumerate() {
            let credentials = json!({ "round": round });
            let change = admin.patch(&path, json!({ "credentials": credentials }));
            let (changed, bound) = tokio::join!(change, admin.post("/v3/service_credential_bindings", binding(app, &db)));
            assert_eq!((changed.ok()["name"].as_str(), bound.created()["type"].as_str()), (Some("db"), Some("app")));
            assert_eq!(services(&admin, *app).await["user-provided"][0]["credentials"], credentials, "round {round}");
        }
        let last = started_app(&api, "last", space).await;
        let (gone, bound) = tokio::join!(admin.delete(&path), admin.post("/v3/service_credential_bindings", binding(&last, &db)));
        gone.expect(204);
        assert!(matches!(bound.status.as_u16(), 201 | 422), "{bound:?}");
        assert_eq!(services(&admin, last).await, json!({}));
        assert_eq!(admin.get("/v3/service_credential_bindings").await.ok()["pagination"]["total_results"], 0);
    })
    .await;
}

#[tokio::test]
async fn the_services_of_an_app_fit_into_its_environment() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let admin = api.admin().await;
        let (_, space) = api.org_and_space("o").await;
        let app = started_app(&api, "a", space).await;
        let large = json!({ "key": "k".repeat(60_000) });
        let mut instances = Vec::new();
        for number in 0..5 {
            let mut body = provided(&format!("s{number}"), space);
            body["credentials"] = large.clone();
            instances.push(guid(&admin.post("/v3/service_instances", body).await.created()));
        }
        for instance in &instances[..4] {
            bind(&admin, &app, instance).await;
        }
        let refused = admin.post("/v3/service_credential_bindings", binding(&app, &instances[4])).await.error(422).1;
        assert!(refused.starts_with("The services of an app must not exceed 262144 bytes in VCAP_SERVICES; they would have "), "{refused}");
        let last = format!("/v3/service_instances/{}", instances[4]);
        admin.patch(&last, json!({ "credentials": {} })).await.ok();
        bind(&admin, &app, &instances[4]).await;
        let refused = admin.patch(&last, json!({ "credentials": large })).await.error(422).1;
        assert!(refused.ends_with(&format!("(app {app} is bound to it)")), "{refused}");
        assert_eq!(admin.get(&format!("{last}/credentials")).await.ok(), json!({}), "it stays as it was");
        assert_eq!(services(&admin, app).await["user-provided"].as_array().unwrap().len(), 5);
        admin.patch(&last, json!({ "credentials": { "key": "k".repeat(20_000) } })).await.ok();
        let refused = admin.patch(&last, json!({ "tags": ["t".repeat(2_000)] })).await.error(422).1;
        assert!(refused.starts_with("The services of an app must not exceed"), "tags are in it too: {refused}");
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_files_is_refused_to_apps_that_ask_for_files() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let admin = api.admin().await;
        let (_, space) = api.org_and_space("o").await;
        let app = started_app(&api, "a", space).await;
        let (db, upper, key) =
            (provide(&admin, "db", space).await, provide(&admin, "My DB", space).await, provide(&admin, "key", space).await);
        let feature = format!("/v3/apps/{app}/features/service-binding-k8s");
        let switch = |enabled: bool| admin.patch(&feature, json!({ "enabled": enabled }));
        bind(&admin, &app, &upper).await;
        let refused = switch(true).await.error(422).1;
        assert!(refused.starts_with("The binding name 'My DB' cannot be that of a folder"), "{refused}");
        assert_eq!(admin.get(&feature).await.ok()["enabled"], false);
        admin.patch(&format!("/v3/service_instances/{upper}"), json!({ "name": "my-db" })).await.ok();
        assert_eq!(switch(true).await.ok()["enabled"], true);
        let env = admin.get(&format!("/v3/apps/{app}/env")).await.ok();
        assert_eq!(env["system_env_json"], json!({ "SERVICE_BINDING_ROOT": "/etc/cf-service-bindings" }));

        let refused = admin.patch(&format!("/v3/service_instances/{upper}"), json!({ "name": "My DB" })).await.error(422).1;
        assert!(refused.contains("'My DB'") && refused.ends_with(&format!("(app {app} is bound to it)")), "{refused}");
        admin.patch(&format!("/v3/service_instances/{key}"), json!({ "credentials": { "apiKey": "secret" } })).await.ok();
        let refused = admin.post("/v3/service_credential_bindings", binding(&app, &key)).await.error(422).1;
        assert!(refused.starts_with("The credential 'apiKey' of the binding 'key' cannot be a file"), "{refused}");
        let mut same = binding(&app, &db);
        same["name"] = json!("my-db");
        let refused = admin.post("/v3/service_credential_bindings", same).await.error(422).1;
        assert!(refused.starts_with("Two bindings of the app have the name 'my-db'"), "{refused}");
        bind(&admin, &app, &db).await;
        switch(false).await.ok();
        bind(&admin, &app, &key).await;
        assert!(switch(true).await.error(422).1.contains("apiKey"));
    })
    .await;
}

#[tokio::test]
async fn bindings_go_with_their_app_or_instance_and_instances_with_their_space() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let admin = api.admin().await;
        let (_, space) = api.org_and_space("o").await;
        let (one, two) = (started_app(&api, "one", space).await, started_app(&api, "two", space).await);
        let (db, cache) = (provide(&admin, "db", space).await, provide(&admin, "cache", space).await);
        for (app, instance) in [(one, &db), (one, &cache), (two, &db), (two, &cache)] {
            bind(&admin, &app, instance).await;
        }
        let count = async |list: &str| admin.get(&format!("/v3/{list}")).await.ok()["pagination"]["total_results"].as_u64().unwrap();
        admin.delete(&format!("/v3/apps/{one}")).await.job();
        api.settle().await;
        assert_eq!((count("service_credential_bindings").await, count("service_instances").await), (2, 2));
        admin.delete(&format!("/v3/service_instances/{cache}")).await.expect(204);
        assert_eq!((count("service_credential_bindings").await, count("service_instances").await), (1, 1));
        let deleted = admin.get("/v3/audit_events?types=audit.service_binding.delete").await.ok();
        assert_eq!(deleted["resources"][0]["data"]["request"]["service_instance_guid"], json!(cache));
        admin.delete(&format!("/v3/spaces/{space}")).await.job();
        api.settle().await;
        assert_eq!((count("service_credential_bindings").await, count("service_instances").await), (0, 0));
        let usage = admin.get("/v3/service_usage_events?order_by=-created_at&per_page=1").await.ok();
        assert_eq!(
            (&usage["resources"][0]["state"], &usage["resources"][0]["service_instance"]["name"]),
            (&json!("DELETED"), &json!("db"))
        );
        let purge = "/v3/service_usage_events/actions/destructively_purge_all_and_reseed";
        let (_, space) = api.org_and_space("p").await;
        provide(&admin, "new", space).await;
        admin.post(purge, json!({})).await.ok();
        let seeded = admin.get("/v3/service_usage_events").await.ok();
        assert_eq!((&seeded["pagination"]["total_results"], &seeded["resources"][0]["state"]), (&json!(1), &json!("CREATED")));
    })
    .await;
}

#[tokio::test]
async fn a_manifest_binds_what_it_names_once() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let admin = api.admin().await;
        let (_, space) = api.org_and_space("o").await;
        let app = started_app(&api, "a", space).await;
        for name in ["db", "cache", "kept"] {
            provide(&admin, name, space).await;
        }
        let kept = admin.get("/v3/service_instances?names=kept").await.ok();
        bind(&admin, &app, &guid(&kept["resources"][0])).await;
        let apply = async |services: &str| {
            let manifest = format!("applications:\n- name: a\n  services: {services}\n");
            let path = format!("/v3/spaces/{space}/actions/apply_manifest");
            admin.send(Method::POST, &path, "application/x-yaml", manifest.into_bytes()).await
        };
        for (services, says) in [
            ("[db, none]", "For application 'a': For service 'none': Service instance 'none' not found"),
            ("[{name: db, binding_name: a b}]", "For application 'a': For service 'db': The binding name is invalid. Valid characters are alphanumeric, underscore, and dash."),
            ("[{name: db, parameters: {a: 1}}]", "For application 'a': For service 'db': Binding parameters are not supported for user-provided service instances"),
            ("[{binding_name: x}]", "For application 'a': Services: All services must specify a name"),
        ] {
            assert_eq!(apply(services).await.error(422).1, says);
        }
        assert_eq!(services(&admin, app).await["user-provided"].as_array().unwrap().len(), 1, "all of a manifest or nothing");
        for _ in 0..2 {
            apply("[{name: db, binding_name: ''}, {name: cache, binding_name: fast}]").await.job();
        }
        let bound = services(&admin, app).await;
        let names: Vec<&Value> = bound["user-provided"].as_array().unwrap().iter().map(|service| &service["name"]).collect();
        assert_eq!(names, ["kept", "db", "fast"]);
        let events = admin.get("/v3/audit_events?types=audit.service_binding.create&order_by=-created_at").await.ok();
        assert_eq!((&events["pagination"]["total_results"], &events["resources"][0]["data"]["manifest_triggered"]), (&json!(3), &json!(true)));
        let mut db = api.controller.store.read().await.unwrap();
        assert_eq!(service_credential_bindings::names_of_app(&mut db, app).await.unwrap(), ["cache", "db", "kept"]);
        drop(db);
        let text = admin.get(&format!("/v3/apps/{app}/manifest")).await;
        assert_eq!(text.status.as_u16(), 200);
    })
    .await;
}
