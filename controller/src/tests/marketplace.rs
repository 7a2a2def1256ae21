//! Brokers over a real socket: how their catalogs become offerings and plans, and who sees them.

use crate::testing::{
    Api, User,
    broker::{Broker, PASSWORD, Reply},
    guid_of, on_both,
};
use serde_json::{Value, json};
use virga_model::{OrgGuid, SpaceGuid, state::RoleType};

fn schema() -> Value {
    json!({ "$schema": "http://json-schema.org/draft-04/schema#", "type": "object" })
}

/// A catalog with one offering that has these plans.
fn catalog(plans: &[&str]) -> Value {
    let plan = |name: &&str| {
        json!({
            "id": format!("{name}-id"),
            "name": name,
            "description": format!("the {name} one"),
            "free": *name == "small",
            "metadata": { "costs": [{ "amount": { "usd": 9.5 }, "unit": "MONTHLY" }], "bullets": ["fast"] },
            "maintenance_info": { "version": "1.0.0" },
            "schemas": { "service_instance": { "create": { "parameters": schema() } } },
        })
    };
    let plans: Vec<Value> = plans.iter().map(plan).collect();
    json!({ "services": [{
        "id": "database-id",
        "name": "database",
        "description": "a database",
        "bindable": true,
        "tags": ["sql"],
        "plan_updateable": true,
        "metadata": { "documentationUrl": "https://example.com/docs", "shareable": true },
        "plans": plans,
    }] })
}

/// Ends the jobs there are; the one at `path`.
async fn ended(api: &Api, user: &User<'_>, path: &str) -> Value {
    api.settle().await;
    user.get(path).await.ok()
}

/// Registers a broker; its guid.
async fn register(api: &Api, user: &User<'_>, broker: &Broker, space: Option<SpaceGuid>) -> String {
    let mut body = broker.registration("broker");
    if let Some(space) = space {
        body["relationships"] = json!({ "space": { "data": { "guid": space } } });
    }
    let job = user.post("/v3/service_brokers", body).await.job();
    let job = ended(api, user, &job).await;
    assert_eq!((&job["state"], &job["operation"]), (&json!("COMPLETE"), &json!("service_broker.catalog.synchronize")), "{job}");
    job["links"]["service_brokers"]["href"]
        .as_str()
        .or(job["links"]["service_broker"]["href"].as_str())
        .unwrap()
        .rsplit('/')
        .next()
        .unwrap()
        .to_owned()
}

async fn names(user: &User<'_>, list: &str) -> Vec<String> {
    let page = user.get(list).await.ok();
    page["resources"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
}

async fn only(user: &User<'_>, list: &str) -> Value {
    let page = user.get(list).await.ok();
    assert_eq!(page["pagination"]["total_results"], 1, "{list}: {page}");
    page["resources"][0].clone()
}

async fn developer<'a>(api: &'a Api, name: &str) -> (User<'a>, OrgGuid, SpaceGuid) {
    let (org, space) = api.org_and_space(name).await;
    (api.user_who_is(RoleType::SpaceDeveloper, org, space).await, org, space)
}

#[tokio::test]
async fn a_catalog_becomes_offerings_and_plans_and_follows_its_broker() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let (admin, broker) = (api.admin().await, Broker::start(catalog(&["small", "large"])).await);
        let guid = register(&api, &admin, &broker, None).await;
        let path = format!("/v3/service_brokers/{guid}");
        let asked = broker.asked();
        assert_eq!(asked.len(), 1);
        assert!(asked[0].headers["x-broker-api-version"].to_str().unwrap().starts_with("2."));

        let offering = only(&admin, "/v3/service_offerings").await;
        assert_eq!((&offering["name"], &offering["available"], &offering["shareable"]), (&json!("database"), &json!(true), &json!(true)));
        assert_eq!((&offering["tags"], &offering["documentation_url"]), (&json!(["sql"]), &json!("https://example.com/docs")));
        assert_eq!(offering["broker_catalog"]["id"], "database-id");
        assert_eq!(offering["relationships"]["service_broker"]["data"]["guid"], guid);
        let plan = only(&admin, "/v3/service_plans?names=large").await;
        assert_eq!((&plan["visibility_type"], &plan["free"], &plan["available"]), (&json!("admin"), &json!(false), &json!(true)));
        assert_eq!(plan["costs"], json!([{ "amount": 9.5, "currency": "USD", "unit": "MONTHLY" }]));
        assert_eq!(plan["maintenance_info"]["version"], "1.0.0");
        assert_eq!(plan["schemas"]["service_instance"]["create"]["parameters"], schema());
        assert_eq!(plan["broker_catalog"]["features"], json!({ "bindable": true, "plan_updateable": true }));

        // What is gone goes, what is new comes, what stays keeps its guid and labels.
        let small = only(&admin, "/v3/service_plans?names=small").await;
        let small_path = format!("/v3/service_plans/{}", guid_of::<OrgGuid>(&small));
        admin.patch(&small_path, json!({ "metadata": { "labels": { "tier": "gold" } } })).await.ok();
        broker.always("catalog", Reply::Is(200, catalog(&["small", "huge"])));
        let job = admin.patch(&path, json!({ "url": broker.url })).await.job();
        assert_eq!(ended(&api, &admin, &job).await["state"], "COMPLETE");
        assert_eq!(names(&admin, "/v3/service_plans?order_by=name").await, ["huge", "small"]);
        assert_eq!(admin.get(&small_path).await.ok()["metadata"]["labels"], json!({ "tier": "gold" }));

        // A new name needs no catalog; labels no job.
        let job = admin.patch(&path, json!({ "name": "renamed" })).await.job();
        assert_eq!(ended(&api, &admin, &job).await["state"], "COMPLETE");
        let shown = admin.patch(&path, json!({ "metadata": { "labels": { "a": "b" } } })).await.ok();
        assert_eq!((&shown["name"], &shown["metadata"]["labels"]["a"]), (&json!("renamed"), &json!("b")));
        assert_eq!(broker.asked().len(), 2);

        let job = admin.delete(&path).await.job();
        assert_eq!(ended(&api, &admin, &job).await["state"], "COMPLETE");
        for list in ["service_brokers", "service_offerings", "service_plans"] {
            assert_eq!(admin.get(&format!("/v3/{list}")).await.ok()["pagination"]["total_results"], 0, "{list}");
        }
        let events = admin.get("/v3/audit_events?per_page=500").await.ok().to_string();
        for kind in ["audit.service_broker.create", "audit.service_broker.delete", "audit.service.create", "audit.service_plan.delete"] {
            assert!(events.contains(kind), "{kind}");
        }
        assert!(!events.contains(PASSWORD), "{events}");
    })
    .await;
}

#[tokio::test]
async fn labels_that_a_broker_is_given_while_it_changes_stay() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let (admin, broker) = (api.admin().await, Broker::start(catalog(&["small"])).await);
        let path = format!("/v3/service_brokers/{}", register(&api, &admin, &broker, None).await);
        admin.patch(&path, json!({ "metadata": { "labels": { "old": "1" } } })).await.ok();
        let labelled = json!({ "name": "renamed", "metadata": { "labels": { "first": "1", "old": null } } });
        let job = admin.patch(&path, labelled).await.job();
        admin.patch(&path, json!({ "metadata": { "labels": { "second": "2" } } })).await.ok();
        assert_eq!(ended(&api, &admin, &job).await["state"], "COMPLETE");
        assert_eq!(admin.get(&path).await.ok()["metadata"]["labels"], json!({ "first": "1", "second": "2" }));
    })
    .await;
}

#[tokio::test]
async fn a_broker_that_cannot_be_read_offers_nothing_and_can_be_repaired() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let (admin, broker) = (api.admin().await, Broker::start(json!({ "services": [] })).await);
        let job = admin.post("/v3/service_brokers", broker.registration("broker")).await.job();
        let job = ended(&api, &admin, &job).await;
        assert_eq!((&job["state"], &job["errors"][0]["code"]), (&json!("FAILED"), &json!(270_012)), "{job}");
        let path = format!("/v3/service_brokers/{}", guid_of::<OrgGuid>(&only(&admin, "/v3/service_brokers").await));
        assert!(names(&admin, "/v3/service_offerings").await.is_empty());
        let (_, detail) = admin.post("/v3/service_brokers", broker.registration("broker")).await.error(422);
        assert_eq!(detail, "Name must be unique");

        broker.always("catalog", Reply::Is(200, catalog(&["small"])));
        let wrong = json!({ "authentication": { "type": "basic", "credentials": { "username": "x", "password": "y" } } });
        let refused = admin.patch(&path, wrong).await.job();
        assert_eq!(ended(&api, &admin, &refused).await["errors"][0]["title"], "CF-ServiceBrokerApiAuthenticationFailed");
        // Nothing of a change that failed is kept, so the old password still opens.
        let job = admin.patch(&path, json!({ "url": broker.url, "name": "better" })).await.job();
        assert_eq!(ended(&api, &admin, &job).await["state"], "COMPLETE");
        assert_eq!(names(&admin, "/v3/service_plans").await, ["small"]);

        let mut rows = api.controller.store.read().await.unwrap();
        let row = virga_store::service_brokers::find_by_name(&mut rows, "better").await.unwrap().unwrap();
        assert!(!row.password.as_str().contains(PASSWORD));
    })
    .await;
}

#[tokio::test]
async fn plans_are_shown_to_whom_the_operator_says() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let (admin, broker) = (api.admin().await, Broker::start(catalog(&["small"])).await);
        register(&api, &admin, &broker, None).await;
        let ((here, org, space), (there, other, _)) = (developer(&api, "here").await, developer(&api, "there").await);
        let plan = format!("/v3/service_plans/{}", guid_of::<OrgGuid>(&only(&admin, "/v3/service_plans").await));
        let visibility = format!("{plan}/visibility");
        let seen = async |user: &User<'_>| (names(user, "/v3/service_plans").await.len(), names(user, "/v3/service_offerings").await.len());
        assert_eq!((seen(&here).await, seen(&there).await), ((0, 0), (0, 0)), "new plans are seen by administrators only");
        here.get(&plan).await.error(404);
        here.patch(&visibility, json!({ "type": "public" })).await.error(404);

        let shown = admin.post(&visibility, json!({ "type": "organization", "organizations": [{ "guid": org }] })).await.ok();
        assert_eq!(shown, json!({ "type": "organization" }));
        assert_eq!((seen(&here).await, seen(&there).await), ((1, 1), (0, 0)));
        here.patch(&visibility, json!({ "type": "public" })).await.error(403);
        admin.post(&visibility, json!({ "type": "organization", "organizations": [{ "guid": other }] })).await.ok();
        assert_eq!(seen(&there).await, (1, 1));
        let organizations = admin.get(&visibility).await.ok()["organizations"].clone();
        assert_eq!(organizations, json!([{ "guid": org, "name": "here" }, { "guid": other, "name": "there" }]));
        assert_eq!(here.get(&visibility).await.ok()["organizations"].as_array().unwrap().len(), 1, "a user sees its own");
        assert_eq!(admin.delete(&format!("{visibility}/{org}")).await.expect(204), Value::Null);
        assert_eq!((seen(&here).await, seen(&there).await), ((0, 0), (1, 1)));
        admin.delete(&format!("{visibility}/{org}")).await.error(404);

        for (filter, expected) in [(other, 1), (org, 0)] {
            assert_eq!(names(&admin, &format!("/v3/service_plans?organization_guids={filter}")).await.len(), expected);
            assert_eq!(names(&admin, &format!("/v3/service_offerings?organization_guids={filter}")).await.len(), expected);
        }
        admin.patch(&visibility, json!({ "type": "public" })).await.ok();
        assert_eq!((seen(&here).await, seen(&there).await), ((1, 1), (1, 1)));
        admin.delete(&format!("{visibility}/{org}")).await.error(422);
        let managed = |plan: &str| {
            let to = |guid: &str| json!({ "data": { "guid": guid } });
            let relationships = json!({ "space": to(&space.to_string()), "service_plan": to(plan) });
            json!({ "type": "managed", "name": "db", "relationships": relationships })
        };
        let (_, detail) = here.post("/v3/service_instances", managed("none")).await.error(422);
        assert!(detail.contains("Invalid service plan"), "{detail}");
        admin.patch(&visibility, json!({ "type": "admin" })).await.ok();
        // Who does not see a plan is told what is told of one that is not there.
        let unseen = here.post("/v3/service_instances", managed(plan.rsplit('/').next().unwrap())).await.error(422).1;
        assert_eq!(unseen, detail);
        assert_eq!((seen(&here).await, seen(&there).await), ((0, 0), (0, 0)));

        for wrong in
            [json!({ "type": "space" }), json!({ "type": "organization" }), json!({ "type": "public", "organizations": [{ "guid": org }] })]
        {
            assert_eq!(admin.patch(&visibility, wrong).await.error(400).0, 1004);
        }
        let missing = json!({ "type": "organization", "organizations": [{ "guid": org }, { "guid": "none" }] });
        admin.patch(&visibility, missing).await.error(422);
        assert_eq!(admin.get(&visibility).await.ok(), json!({ "type": "admin" }), "a change that is refused changes nothing");
    })
    .await;
}

#[tokio::test]
async fn a_broker_of_a_space_is_its_developers_and_goes_with_it() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let broker = Broker::start(catalog(&["small"])).await;
        let ((here, _, space), (there, ..)) = (developer(&api, "here").await, developer(&api, "there").await);
        here.post("/v3/service_brokers", broker.registration("broker")).await.error(403);
        let guid = register(&api, &here, &broker, Some(space)).await;
        let list = "/v3/service_plans?include=service_offering,space.organization&fields[service_offering.service_broker]=name,guid";
        let page = here.get(list).await.ok();
        assert_eq!(page["resources"][0]["visibility_type"], "space");
        let included = &page["included"];
        assert_eq!(included["service_brokers"], json!([{ "name": "broker", "guid": guid }]));
        assert_eq!((&included["service_offerings"][0]["name"], &included["spaces"][0]["guid"]), (&json!("database"), &json!(space)));
        assert_eq!(included["organizations"][0]["name"], "here");
        assert!(names(&there, "/v3/service_plans").await.is_empty() && names(&there, "/v3/service_brokers").await.is_empty());
        there.get(&format!("/v3/service_brokers/{guid}")).await.error(404);
        let plan = guid_of::<OrgGuid>(&page["resources"][0]);
        here.patch(&format!("/v3/service_plans/{plan}/visibility"), json!({ "type": "public" })).await.error(422);

        let admin = api.admin().await;
        let job = admin.delete(&format!("/v3/spaces/{space}")).await.job();
        assert_eq!(ended(&api, &admin, &job).await["state"], "COMPLETE");
        assert!(names(&admin, "/v3/service_brokers").await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn what_a_broker_cannot_be_is_refused_before_it_is_asked() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let (admin, broker) = (api.admin().await, Broker::start(catalog(&["small"])).await);
        for (pointer, value, sentence) in [
            ("/name", json!(""), "Name must not be empty string"),
            ("/url", json!("ftp://broker"), "must be a valid url"),
            ("/url", json!("http://u:p@broker.example.com"), "Url must not contain authentication"),
            ("/authentication/type", json!("magic"), "must be one of"),
        ] {
            let mut body = broker.registration("broker");
            *body.pointer_mut(pointer).unwrap() = value;
            let (_, detail) = admin.post("/v3/service_brokers", body).await.error(422);
            assert!(detail.contains(sentence), "{detail}");
        }
        api.settle().await;
        assert!(broker.said().is_empty() && names(&admin, "/v3/service_brokers").await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn who_has_not_logged_in_sees_public_plans_unless_the_marketplace_is_hidden() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let (admin, broker) = (api.admin().await, Broker::start(catalog(&["small", "large"])).await);
        register(&api, &admin, &broker, None).await;
        let plan = only(&admin, "/v3/service_plans?names=small").await;
        let visibility = format!("/v3/service_plans/{}/visibility", guid_of::<OrgGuid>(&plan));
        let anonymous = api.anonymous();
        assert!(names(&anonymous, "/v3/service_plans").await.is_empty() && names(&anonymous, "/v3/service_offerings").await.is_empty());
        admin.post(&visibility, json!({ "type": "public" })).await.ok();
        assert_eq!(names(&anonymous, "/v3/service_plans?include=service_offering").await, ["small"]);
        assert_eq!(names(&anonymous, "/v3/service_offerings").await, ["database"]);
        anonymous.get("/v3/service_brokers").await.error(401);
        admin.patch("/v3/feature_flags/hide_marketplace_from_unauthenticated_users", json!({ "enabled": true })).await.ok();
        for list in ["/v3/service_plans", "/v3/service_offerings"] {
            assert_eq!(anonymous.get(list).await.error(401).0, 10002, "{list}");
        }
        assert_eq!(names(&admin, "/v3/service_plans").await.len(), 2);
    })
    .await;
}
