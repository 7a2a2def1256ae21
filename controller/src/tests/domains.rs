//! Domains: who may make them, which names are free, sharing with other organizations.

use crate::testing::{Answer, Api, User, on_both};
use serde_json::{Value, json};
use virga_model::{OrgGuid, SpaceGuid, state::RoleType};

fn text(resource: &Value) -> &str {
    resource["guid"].as_str().unwrap()
}

async fn private(user: &User<'_>, name: &str, org: OrgGuid) -> Answer {
    let body = json!({ "name": name, "relationships": { "organization": { "data": { "guid": org } } } });
    user.post("/v3/domains", body).await
}

async fn route(user: &User<'_>, space: SpaceGuid, domain: &Value, host: &str) -> Answer {
    let relationships = json!({ "space": { "data": { "guid": space } }, "domain": { "data": { "guid": domain["guid"] } } });
    user.post("/v3/routes", json!({ "host": host, "relationships": relationships })).await
}

/// Details of an answer with several errors.
fn details(answer: Answer) -> Vec<String> {
    let body = answer.expect(422);
    body["errors"].as_array().unwrap().iter().map(|error| error["detail"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn names_keep_rfc_1035_and_what_is_said_of_them() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let admin = api.admin().await;
        let (org, _) = api.org_and_space("o").await;
        let long = format!("{}.example", "a".repeat(64));
        for (name, what) in [
            ("a", "Name is too short (minimum is 3 characters)"),
            ("example", "Name must contain at least one \".\""),
            ("under_score.example", "Name must consist of alphanumeric characters and hyphens"),
            ("-a.example", "Name does not comply with RFC 1035 standards"),
            (long.as_str(), "Name subdomains must each be at most 63 characters"),
            ("api.virga.localhost", "The domain name \"api.virga.localhost\" cannot be created because \"api.virga.localhost\" is already reserved by the system"),
        ] {
            let found = details(private(&admin, name, org).await);
            assert!(found.iter().any(|detail| detail == what), "{name}: {found:?}");
        }
        let both = json!({ "name": "i.example", "internal": true, "router_group": { "guid": "x" },
            "relationships": { "organization": { "data": { "guid": org } } } });
        assert_eq!(
            details(admin.post("/v3/domains", both).await),
            [
                "Cannot associate an internal domain with an organization",
                "Internal domains cannot be associated to a router group.",
                "Domains scoped to an organization cannot be associated to a router group.",
            ]
        );
        let unknown = admin.post("/v3/domains", json!({ "name": "tcp.example", "router_group": { "guid": "x" } })).await.error(422).1;
        assert_eq!(unknown, "Router group with guid 'x' not found.");
        let policies = admin.post("/v3/domains", json!({ "name": "p.example", "enforce_route_policies": true })).await;
        assert_eq!(details(policies), ["Route policies are not supported on this platform."]);
    })
    .await;
}

#[tokio::test]
async fn a_name_is_taken_by_other_domains_and_by_routes() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let admin = api.admin().await;
        let (mine, space) = api.org_and_space("mine").await;
        let (theirs, _) = api.org_and_space("theirs").await;
        let refused = |name: &str, by: &str, what: &str| {
            format!("The domain name \"{name}\" cannot be created because \"{by}\" is already reserved by {what}")
        };
        private(&admin, "deep.mine.example", mine).await.created();
        let above = private(&admin, "mine.example", theirs).await.error(422).1;
        assert_eq!(above, refused("mine.example", "deep.mine.example", "another domain"));
        let below = private(&admin, "a.deep.mine.example", theirs).await.error(422).1;
        assert_eq!(below, refused("a.deep.mine.example", "deep.mine.example", "another domain"));
        private(&admin, "mine.example", mine).await.created();
        assert_eq!(private(&admin, "mine.example", mine).await.error(422).1, "The domain name \"mine.example\" is already in use");
        let shared = admin.post("/v3/domains", json!({ "name": "shared.example" })).await.created();
        assert_eq!((&shared["relationships"]["organization"]["data"], &shared["supported_protocols"]), (&Value::Null, &json!(["http"])));
        // Below a shared domain anybody may have a private one, where no route is in its way, and no route where a domain is.
        private(&admin, "x.shared.example", mine).await.created();
        route(&admin, space, &shared, "taken").await.created();
        let over = private(&admin, "below.taken.shared.example", mine).await.error(422).1;
        assert_eq!(over, refused("below.taken.shared.example", "taken.shared.example", "a route"));
        assert_eq!(route(&admin, space, &shared, "X").await.error(422).1, "Route conflicts with domain 'x.shared.example'.");
    })
    .await;
}

#[tokio::test]
async fn a_private_domain_is_shared_by_managers_of_both_sides_and_unshared_once_nothing_hangs_on_it() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let admin = api.admin().await;
        let (mine, my_space) = api.org_and_space("mine").await;
        let (theirs, their_space) = api.org_and_space("theirs").await;
        let manager = api.user_who_is(RoleType::OrganizationManager, mine, my_space).await;
        let neighbour = api.user_who_is(RoleType::SpaceDeveloper, theirs, their_space).await;
        let domain = private(&manager, "mine.example", mine).await.created();
        let path = format!("/v3/domains/{}", text(&domain));
        let shares = format!("{path}/relationships/shared_organizations");
        let with = |guid: &str| json!({ "data": [{ "guid": guid }] });

        neighbour.get(&path).await.error(404);
        let unseen = manager.post(&shares, with(&theirs.to_string())).await.error(422).1;
        assert_eq!(unseen, format!("Organization with guid '{theirs}' does not exist, or you do not have access to it."));
        assert_eq!(admin.post(&shares, with(&mine.to_string())).await.error(422).1, "Domain cannot be shared with owning organization.");
        let shared = admin.post(&shares, with(&theirs.to_string())).await.ok();
        assert_eq!(shared, json!({ "data": [{ "guid": theirs }] }));
        admin.post(&shares, with(&theirs.to_string())).await.ok();

        // Now the neighbours see and use it; each side sees only organizations of its own.
        let seen = neighbour.get(&path).await.ok();
        assert_eq!(seen["relationships"]["shared_organizations"]["data"], json!([{ "guid": theirs }]));
        assert_eq!(manager.get(&path).await.ok()["relationships"]["shared_organizations"]["data"], json!([]));
        let usable = neighbour.get(&format!("/v3/organizations/{theirs}/domains?names=MINE.example")).await.ok();
        assert_eq!(usable["pagination"]["total_results"], 1);
        neighbour.patch(&path, json!({ "metadata": { "labels": { "a": "b" } } })).await.error(403);
        let route = route(&neighbour, their_space, &domain, "shop").await.created();

        let other = format!("{shares}/{theirs}");
        assert_eq!(manager.delete(&path).await.error(422).1, "This domain is shared with other organizations. Unshare before deleting.");
        neighbour.delete(&other).await.error(403);
        let routes = admin.delete(&other).await.error(422).1;
        assert_eq!(routes, "This domain has associated routes in this organization. Delete the routes before unsharing.");
        neighbour.delete(&format!("/v3/routes/{}", text(&route))).await.job();
        let their_manager = api.user_who_is(RoleType::OrganizationManager, theirs, their_space).await;
        their_manager.delete(&other).await.expect(204);
        let gone = admin.delete(&other).await.error(422).1;
        assert_eq!(
            gone,
            "Unable to unshare domain from organization with name 'theirs'. Ensure the domain is shared to this organization."
        );
        neighbour.get(&path).await.error(404);
        manager.delete(&path).await.job();
    })
    .await;
}

#[tokio::test]
async fn a_shared_domains_owner_goes_with_everybodys_routes_below_it() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let admin = api.admin().await;
        let (mine, _) = api.org_and_space("mine").await;
        let (theirs, their_space) = api.org_and_space("theirs").await;
        let body = json!({ "name": "mine.example", "relationships": {
            "organization": { "data": { "guid": mine } }, "shared_organizations": { "data": [{ "guid": theirs }] } } });
        let domain = admin.post("/v3/domains", body).await.created();
        let route = route(&admin, their_space, &domain, "shop").await.created();
        admin.delete(&format!("/v3/organizations/{mine}")).await.job();
        api.settle().await;
        admin.get(&format!("/v3/domains/{}", text(&domain))).await.error(404);
        admin.get(&format!("/v3/routes/{}", text(&route))).await.error(404);
        admin.get(&format!("/v3/organizations/{theirs}")).await.ok();
    })
    .await;
}

#[tokio::test]
async fn private_domains_are_counted_against_the_quota() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let admin = api.admin().await;
        let (org, _) = api.org_and_space("o").await;
        let quota = json!({ "name": "one", "domains": { "total_domains": 1 },
            "relationships": { "organizations": { "data": [{ "guid": org }] } } });
        admin.post("/v3/organization_quotas", quota).await.created();
        private(&admin, "one.example", org).await.created();
        let over = private(&admin, "two.example", org).await.error(422).1;
        assert_eq!(over, "The number of private domains exceeds the quota for organization \"o\"");
        assert_eq!(admin.get("/v3/domains?names=two.example").await.ok()["pagination"]["total_results"], 0);
    })
    .await;
}

#[tokio::test]
async fn nobody_gets_a_name_at_which_the_platform_answers() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let admin = api.admin().await;
        let (org, space) = api.org_and_space("o").await;
        // An address is no domain, nor is what would make one with a host before it.
        for address in ["127.0.0.1", "0.0.1", "10.0x1"] {
            assert_eq!(private(&admin, address, org).await.error(422).1, "Name does not comply with RFC 1035 standards");
        }
        let reserved =
            |name: &str| format!("The domain name \"{name}\" cannot be created because \"{name}\" is already reserved by the system");
        for name in ["paas.corporate.example", "corporate.example"] {
            assert_eq!(private(&admin, name, org).await.error(422).1, reserved(name));
        }
        // An operator may have the domain, and nobody the name or a wildcard over it.
        let shared = admin.post("/v3/domains", json!({ "name": "corporate.example" })).await.created();
        for host in ["paas", "PAAS", "*"] {
            assert_eq!(route(&admin, space, &shared, host).await.error(422).1, "Route conflicts with a reserved system route.");
        }
        route(&admin, space, &shared, "shop").await.created();
    })
    .await;
}
