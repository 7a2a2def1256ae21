//! Sharing routes with other spaces, moving them, weights of destinations, options.

use crate::testing::{Api, User, on_both};
use serde_json::{Value, json};
use virga_model::{SpaceGuid, state::RoleType};

fn guid(resource: &Value) -> &str {
    resource["guid"].as_str().unwrap()
}

async fn route(user: &User<'_>, space: SpaceGuid, host: &str, path: &str) -> Value {
    let domain = user.get("/v3/domains?names=apps.virga.localhost").await.ok()["resources"][0]["guid"].clone();
    let relationships = json!({ "space": { "data": { "guid": space } }, "domain": { "data": { "guid": domain } } });
    user.post("/v3/routes", json!({ "host": host, "path": path, "relationships": relationships })).await.created()
}

async fn app(user: &User<'_>, space: SpaceGuid, name: &str) -> Value {
    user.post("/v3/apps", json!({ "name": name, "relationships": { "space": { "data": { "guid": space } } } })).await.created()
}

async fn turn_on(api: &Api, flag: &str) {
    api.admin().await.patch(&format!("/v3/feature_flags/{flag}"), json!({ "enabled": true })).await.ok();
}

/// Lets a user who is in the organization of another space develop there.
async fn join(api: &Api, user: &User<'_>, org: virga_model::OrgGuid, space: SpaceGuid) {
    let admin = api.admin().await;
    let role = |kind: &str, place: &str, guid: String| {
        let mut relationships = json!({ "user": { "data": { "guid": user.guid } } });
        relationships[place] = json!({ "data": { "guid": guid } });
        json!({ "type": kind, "relationships": relationships })
    };
    admin.post("/v3/roles", role("organization_user", "organization", org.to_string())).await.created();
    admin.post("/v3/roles", role("space_developer", "space", space.to_string())).await.created();
}

#[tokio::test]
async fn a_shared_route_leads_to_apps_of_both_spaces() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let (org, space) = api.org_and_space("one").await;
        let (other_org, other) = api.org_and_space("two").await;
        let owner = api.user_who_is(RoleType::SpaceDeveloper, org, space).await;
        let neighbour = api.user_who_is(RoleType::SpaceDeveloper, other_org, other).await;
        let route = route(&owner, space, "shop", "").await;
        let path = format!("/v3/routes/{}", guid(&route));
        let shares = format!("{path}/relationships/shared_spaces");
        let with = json!({ "data": [{ "guid": other }] });
        let off = owner.post(&shares, with.clone()).await.error(403);
        assert_eq!(off, (330_002, "Feature Disabled: route_sharing".to_owned()));
        turn_on(&api, "route_sharing").await;

        let unseen = owner.post(&shares, with.clone()).await.error(422).1;
        assert_eq!(
            unseen,
            format!(
                "Unable to share route shop.apps.virga.localhost with spaces ['{other}']. Ensure the spaces exist and that you have access to them."
            )
        );
        join(&api, &owner, other_org, other).await;
        let itself = owner.post(&shares, json!({ "data": [{ "guid": space }] })).await.error(422).1;
        assert!(itself.ends_with("Routes cannot be shared into the space where they were created."), "{itself}");
        let elsewhere = app(&neighbour, other, "elsewhere").await;
        let to = json!({ "destinations": [{ "app": { "guid": elsewhere["guid"] } }] });
        let before = owner.post(&format!("{path}/destinations"), to.clone()).await.error(422).1;
        assert_eq!(before, "Routes destinations must be in either the route's space or the route's shared spaces");

        let shared = owner.post(&shares, with).await.ok();
        assert_eq!(shared["data"], json!([{ "guid": other }]));
        assert_eq!(owner.get(&shares).await.ok(), shared);
        owner.post(&format!("{path}/destinations"), to).await.ok();
        // Lists of the other space hold it; only its own developers change it.
        let seen = neighbour.get(&format!("/v3/routes?space_guids={other}&include=domain,space.organization")).await.ok();
        assert_eq!((seen["resources"].as_array().unwrap().len(), &seen["resources"][0]["guid"]), (1, &route["guid"]));
        assert_eq!(seen["included"]["domains"][0]["name"], "apps.virga.localhost");
        assert_eq!(seen["included"]["organizations"][0]["name"], "one");
        neighbour.delete(&path).await.error(404);

        owner.delete(&format!("{shares}/{other}")).await.expect(204);
        assert_eq!(owner.get(&shares).await.ok()["data"], json!([]));
        let own = owner.delete(&format!("{shares}/{space}")).await.error(422).1;
        assert!(own.ends_with("Routes cannot be removed from the space that owns them."), "{own}");
        let events = owner.get(&format!("/v3/audit_events?types=audit.route.share,audit.route.unshare&target_guids={}", guid(&route))).await;
        assert_eq!(events.ok()["pagination"]["total_results"], 2);
    })
    .await;
}

#[tokio::test]
async fn a_moved_route_stays_shared_with_the_space_it_left() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        turn_on(&api, "route_sharing").await;
        let (org, space) = api.org_and_space("one").await;
        let (other_org, other) = api.org_and_space("two").await;
        let owner = api.user_who_is(RoleType::SpaceDeveloper, org, space).await;
        let route = route(&owner, space, "shop", "").await;
        let path = format!("/v3/routes/{}", guid(&route));
        let home = format!("{path}/relationships/space");
        let to = json!({ "data": { "guid": other } });
        let what = format!("Unable to transfer owner of route 'shop.apps.virga.localhost' to space '{other}'.");
        let unseen = owner.patch(&home, to.clone()).await.error(422).1;
        assert_eq!(unseen, format!("{what} Ensure the space exists and that you have access to it."));
        join(&api, &owner, other_org, other).await;
        assert_eq!(owner.patch(&home, to).await.ok(), json!({ "status": "ok" }));
        let moved = owner.get(&path).await.ok();
        assert_eq!(moved["relationships"]["space"]["data"]["guid"], json!(other));
        assert_eq!(owner.get(&format!("{path}/relationships/shared_spaces")).await.ok()["data"], json!([{ "guid": space }]));
        // Moving it back takes the share away again.
        owner.patch(&home, json!({ "data": { "guid": space } })).await.ok();
        assert_eq!(owner.get(&format!("{path}/relationships/shared_spaces")).await.ok()["data"], json!([{ "guid": other }]));
    })
    .await;
}

#[tokio::test]
async fn weights_are_set_all_together_and_sum_to_a_hundred() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let (org, space) = api.org_and_space("o").await;
        let developer = api.user_who_is(RoleType::SpaceDeveloper, org, space).await;
        let (blue, green) = (app(&developer, space, "blue").await, app(&developer, space, "green").await);
        let route = route(&developer, space, "shop", "").await;
        let path = format!("/v3/routes/{}/destinations", guid(&route));
        let weighted = |one: Value, two: Value| {
            json!({ "destinations": [
                { "app": { "guid": blue["guid"] }, "weight": one }, { "app": { "guid": green["guid"] }, "weight": two } ] })
        };
        for (body, what) in [
            (weighted(json!(50), json!(60)), "Destinations must have weights that sum to 100."),
            (weighted(json!(50), Value::Null), "Destinations cannot contain both weighted and unweighted destinations."),
            (weighted(json!(0), json!(100)), "Destinations[0]: weight must be a positive integer between 1 and 100."),
        ] {
            assert_eq!(developer.patch(&path, body).await.error(422).1, what);
        }
        let inserted = developer.post(&path, weighted(json!(50), json!(50))).await.expect(422);
        assert_eq!(
            inserted["errors"][1]["detail"],
            "Destinations[1]: weighted destinations can only be used when replacing all destinations."
        );
        let set = developer.patch(&path, weighted(json!(20), json!(80))).await.ok();
        assert_eq!((&set["destinations"][0]["weight"], &set["destinations"][1]["weight"]), (&json!(20), &json!(80)));
        let one = format!("{path}/{}", guid(&set["destinations"][0]));
        assert_eq!(developer.delete(&one).await.error(422).1, "Weighted destinations cannot be deleted individually.");
        let more = json!({ "destinations": [{ "app": { "guid": blue["guid"] }, "port": 9000 }] });
        assert_eq!(
            developer.post(&path, more).await.error(422).1,
            "Destinations cannot be inserted when there are weighted destinations already configured."
        );
        // The same destinations keep their guids; none at all empties the route.
        let changed = developer.patch(&path, weighted(json!(60), json!(40))).await.ok();
        assert_eq!(
            (&changed["destinations"][0]["guid"], &changed["destinations"][0]["weight"]),
            (&set["destinations"][0]["guid"], &json!(60))
        );
        assert_eq!(developer.patch(&path, json!({ "destinations": [] })).await.ok()["destinations"], json!([]));
        developer.post(&path, json!({ "destinations": [] })).await.error(422);
    })
    .await;
}

#[tokio::test]
async fn destinations_differ_in_app_process_or_port() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let (org, space) = api.org_and_space("o").await;
        let developer = api.user_who_is(RoleType::SpaceDeveloper, org, space).await;
        let app = app(&developer, space, "app").await;
        let route = route(&developer, space, "shop", "").await;
        let path = format!("/v3/routes/{}/destinations", guid(&route));
        let to = |rest: &[Value]| {
            let all = rest.iter().map(|rest| {
                let mut one = rest.clone();
                one["app"] = json!({ "guid": app["guid"] });
                one
            });
            json!({ "destinations": all.collect::<Vec<_>>() })
        };
        let twice = to(&[json!({}), json!({ "port": 8080 })]);
        assert_eq!(developer.post(&path, twice).await.error(422).1, "Destinations cannot contain duplicate entries");
        let low = developer.post(&path, to(&[json!({ "port": 80 })])).await.error(422).1;
        assert_eq!(low, "Destinations[0]: port must be a positive integer between 1024 and 65535 inclusive.");
        assert_eq!(
            developer.post(&path, to(&[json!({}), json!({ "port": 9000 })])).await.ok()["destinations"].as_array().unwrap().len(),
            2
        );
        let other = developer.post(&path, to(&[json!({ "protocol": "http2" })])).await.error(422).1;
        assert!(other.starts_with("Cannot add destination with protocol: http2. Destination already exists for route: shop."), "{other}");
        let tcp = developer.post(&path, to(&[json!({ "port": 9001, "protocol": "tcp" })])).await.error(422).1;
        assert_eq!(tcp, "Cannot use 'tcp' protocol for http routes; valid options are: [http1, http2].");
        let nobody = json!({ "destinations": [{ "app": { "guid": "nobody" } }] });
        let missing = developer.post(&path, nobody).await.error(422).1;
        assert_eq!(missing, "App(s) with guid(s) \"nobody\" do not exist or you do not have access.");
    })
    .await;
}

#[tokio::test]
async fn a_host_of_a_shared_domain_is_one_spaces_alone() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let (org, space) = api.org_and_space("one").await;
        let (other_org, other) = api.org_and_space("two").await;
        let owner = api.user_who_is(RoleType::SpaceDeveloper, org, space).await;
        let rival = api.user_who_is(RoleType::SpaceDeveloper, other_org, other).await;
        route(&owner, space, "shop", "/v1").await;
        route(&owner, space, "shop", "/v2").await;
        let domain = rival.get("/v3/domains?names=apps.virga.localhost").await.ok()["resources"][0]["guid"].clone();
        let relationships = json!({ "space": { "data": { "guid": other } }, "domain": { "data": { "guid": domain } } });
        let stolen = rival.post("/v3/routes", json!({ "host": "shop", "path": "/v3", "relationships": relationships })).await.error(422).1;
        assert_eq!(stolen, "The host is taken: shop");
        let same = rival.post("/v3/routes", json!({ "host": "shop", "path": "/v1", "relationships": relationships })).await.error(422).1;
        assert_eq!(same, "Route already exists with host 'shop' and path '/v1' for domain 'apps.virga.localhost'.");
        let any = rival.post("/v3/routes", json!({ "host": "*", "relationships": relationships })).await.error(422).1;
        assert!(any.starts_with("You do not have sufficient permissions to create a route with a wildcard host"), "{any}");
    })
    .await;
}

#[tokio::test]
async fn options_are_merged_and_routers_told() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let (org, space) = api.org_and_space("o").await;
        let developer = api.user_who_is(RoleType::SpaceDeveloper, org, space).await;
        let route = route(&developer, space, "shop", "").await;
        let path = format!("/v3/routes/{}", guid(&route));
        let hash = json!({ "options": { "loadbalancing": "hash", "hash_header": "X-User", "hash_balance": 1.5 } });
        let off = developer.patch(&path, hash.clone()).await.expect(422);
        assert_eq!(off["errors"][0]["detail"], "Options Unknown field(s): 'hash_header', 'hash_balance'");
        turn_on(&api, "hash_based_routing").await;
        let before = api.scheduler.nudges();
        let set = developer.patch(&path, hash).await.ok();
        assert_eq!(set["options"], json!({ "loadbalancing": "hash", "hash_header": "X-User", "hash_balance": "1.5" }));
        assert!(api.scheduler.nudges() > before);
        let headless = developer.patch(&path, json!({ "options": { "hash_header": null } })).await.error(422).1;
        assert_eq!(headless, "Hash header must be present when loadbalancing is set to hash.");
        let plain = developer.patch(&path, json!({ "options": { "loadbalancing": "round-robin" } })).await.ok();
        assert_eq!(plain["options"], json!({ "loadbalancing": "round-robin" }));
        let none = developer.patch(&path, json!({ "options": { "loadbalancing": null } })).await.ok();
        assert_eq!(none.get("options"), None);
    })
    .await;
}
