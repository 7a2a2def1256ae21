//! TCP routes: router groups, ports, quotas.

use crate::testing::{Answer, Api, User, on_both};
use serde_json::{Value, json};
use virga_model::{SpaceGuid, state::RoleType};

const GROUPS: &str = "/routing/v1/router_groups";

async fn group(admin: &User<'_>, name: &str, ports: &str) -> Value {
    admin.post(GROUPS, json!({ "name": name, "type": "tcp", "reservable_ports": ports })).await.created()
}

async fn domain(admin: &User<'_>, name: &str, group: &Value) -> Value {
    admin.post("/v3/domains", json!({ "name": name, "router_group": { "guid": group["guid"] } })).await.created()
}

async fn route(user: &User<'_>, space: SpaceGuid, domain: &Value, mut rest: Value) -> Answer {
    rest["relationships"] = json!({ "space": { "data": { "guid": space } }, "domain": { "data": { "guid": domain["guid"] } } });
    user.post("/v3/routes", rest).await
}

#[tokio::test]
async fn router_groups_are_listed_with_the_routing_apis_scopes_and_words() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let admin = api.admin().await;
        let links = admin.get("/").await.ok()["links"].clone();
        assert_eq!(links["routing"]["href"], "http://api.virga.localhost/routing");
        let groups = admin.get(GROUPS).await.ok();
        assert_eq!(groups, json!([{ "guid": groups[0]["guid"], "name": "default-tcp", "type": "tcp", "reservable_ports": "1024-1123" }]));
        assert_eq!(admin.get(&format!("{GROUPS}?name=default-tcp")).await.ok(), groups);
        let missing = admin.get(&format!("{GROUPS}?name=other")).await.expect(404);
        assert_eq!(missing, json!({ "name": "ResourceNotFoundError", "message": "Router Group 'other' does not exist" }));
        assert_eq!(api.anonymous().get(GROUPS).await.expect(401)["name"], "UnauthorizedError");
        let (org, space) = api.org_and_space("o").await;
        let developer = api.user_who_is(RoleType::SpaceDeveloper, org, space).await;
        let scope = json!({ "name": "UnauthorizedError", "message": "Token does not have 'routing.router_groups.read' scope" });
        assert_eq!(developer.get(GROUPS).await.expect(401), scope);
        let operator = api.user_with(developer.guid.unwrap(), "operator", &["routing.router_groups.read"]);
        operator.get(GROUPS).await.ok();
        operator.post(GROUPS, json!({ "name": "a", "type": "tcp", "reservable_ports": "2000" })).await.expect(401);
    })
    .await;
}

#[tokio::test]
async fn the_ports_of_groups_never_overlap() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let admin = api.admin().await;
        let other = group(&admin, "other", "2000-2010").await;
        let one = format!("{GROUPS}/{}", other["guid"].as_str().unwrap());
        for (ports, what) in [
            ("1100-1200", "the ports 1100-1200 overlap those of router group default-tcp, 1024-1123"),
            ("80", "Port must be between 1024 - 65535"),
            ("3000,2999-3001", "Overlapping values: [3000-3000] and [2999-3001]"),
        ] {
            let answer =
                admin.send(http::Method::PUT, &one, "application/json", json!({ "reservable_ports": ports }).to_string().into()).await;
            let body = answer.expect(400);
            assert_eq!(body, json!({ "name": "ProcessRequestError", "message": format!("Cannot process request: {what}") }));
        }
        let wider = json!({ "reservable_ports": "2000-2020" }).to_string();
        let changed = admin.send(http::Method::PUT, &one, "application/json", wider.into()).await.ok();
        assert_eq!(changed["reservable_ports"], "2000-2020");
        admin.post(GROUPS, json!({ "name": "other", "type": "tcp", "reservable_ports": "3000" })).await.expect(400);
        admin.post(GROUPS, json!({ "name": "http", "type": "http" })).await.expect(400);
        domain(&admin, "tcp.example", &other).await;
        admin.delete(&one).await.expect(400);
        admin.delete("/v3/domains/none").await.expect(404);
    })
    .await;
}

#[tokio::test]
async fn a_tcp_route_is_a_port_and_nothing_else() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let admin = api.admin().await;
        let (org, space) = api.org_and_space("o").await;
        let developer = api.user_who_is(RoleType::SpaceDeveloper, org, space).await;
        let group = group(&admin, "small", "2000-2001").await;
        let (one, two) = (domain(&admin, "one.example", &group).await, domain(&admin, "two.example", &group).await);
        assert_eq!((&one["supported_protocols"], &one["router_group"]["guid"]), (&json!(["tcp"]), &group["guid"]));

        for (body, what) in [
            (json!({ "host": "a", "port": 2000 }), "Hosts are not supported for TCP routes."),
            (json!({ "path": "/a", "port": 2000 }), "Paths are not supported for TCP routes."),
            (json!({ "port": 0 }), "Routes with protocol 'tcp' must specify a port."),
            (json!({ "port": 2002 }), "Port '2002' is not available. Try a different port or use a different domain."),
            (json!({ "port": 70_000 }), "Port must be between 0 and 65535"),
        ] {
            assert_eq!(route(&developer, space, &one, body).await.error(422).1, what);
        }
        let first = route(&developer, space, &one, json!({ "port": 2000 })).await.created();
        assert_eq!((&first["url"], &first["protocol"], &first["port"]), (&json!("one.example:2000"), &json!("tcp"), &json!(2000)));
        assert_eq!(
            route(&developer, space, &one, json!({ "port": 2000 })).await.error(422).1,
            "Route already exists with port '2000' for domain 'one.example'."
        );
        let elsewhere = route(&developer, space, &two, json!({ "port": 2000 })).await.error(422).1;
        assert_eq!(elsewhere, "Port '2000' is not available. Try a different port or use a different domain.");
        let free = route(&developer, space, &two, json!({})).await.created();
        assert_eq!(free["port"], 2001);
        let full = route(&developer, space, &two, json!({})).await.error(422).1;
        assert_eq!(full, "There are no more ports available for this domain.");

        let reserved = |port: &str| format!("/v3/domains/{}/route_reservations?port={port}", one["guid"].as_str().unwrap());
        assert_eq!(developer.get(&reserved("2000")).await.ok()["matching_route"], true);
        assert_eq!(developer.get(&reserved("2001")).await.ok()["matching_route"], false);
        developer.get(&reserved("many")).await.error(400);
        let found = developer.get("/v3/routes?ports=2000,5").await.ok();
        assert_eq!((&found["pagination"]["total_results"], &found["resources"][0]["guid"]), (&json!(1), &first["guid"]));

        let app = json!({ "name": "app", "relationships": { "space": { "data": { "guid": space } } } });
        let app = developer.post("/v3/apps", app).await.created();
        let destinations = format!("/v3/routes/{}/destinations", first["guid"].as_str().unwrap());
        let to = |protocol: Value| json!({ "destinations": [{ "app": { "guid": app["guid"] }, "protocol": protocol }] });
        let wrong = developer.post(&destinations, to(json!("http2"))).await.error(422).1;
        assert_eq!(wrong, "Cannot use 'http2' protocol for tcp routes; valid options are: [tcp].");
        assert_eq!(developer.post(&destinations, to(Value::Null)).await.ok()["destinations"][0]["protocol"], "tcp");
    })
    .await;
}

#[tokio::test]
async fn reserved_ports_are_counted_against_the_quota() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let admin = api.admin().await;
        let (org, space) = api.org_and_space("o").await;
        let quota = json!({ "name": "one port", "routes": { "total_routes": 10, "total_reserved_ports": 1 },
            "relationships": { "organizations": { "data": [{ "guid": org }] } } });
        admin.post("/v3/organization_quotas", quota).await.created();
        let groups = admin.get(GROUPS).await.ok();
        let domain = domain(&admin, "tcp.example", &groups[0]).await;
        route(&admin, space, &domain, json!({})).await.created();
        let over = route(&admin, space, &domain, json!({})).await.error(422).1;
        assert_eq!(over, "Reserved route ports quota exceeded for organization 'o'.");
    })
    .await;
}
