//! Walks the route table: every endpoint is called by nobody, by an outsider, by members without its right, and by who has
//! it. A new line of the table is tested by being there; where it needs a body or refuses even who may, `fixture` or
//! [`REFUSED`] must say so.

use super::fixture::Fixture;
use crate::{
    Endpoint, OrgRight, Who,
    routes::endpoints,
    testing::{Answer, Api, User, on_both},
};
use http::Method;
use serde_json::json;
use std::collections::HashSet;
use virga_model::{
    UserGuid,
    state::RoleType::{self, OrganizationAuditor, OrganizationManager, SpaceAuditor, SpaceDeveloper, SpaceManager, SpaceSupporter},
};

/// Endpoints that refuse the walk's request even from who may call them, with the status of that.
const REFUSED: &[(&str, &str, u16)] = &[
    ("POST", "/v3/apps/{guid}/tasks", 403),
    ("POST", "/v3/apps/{guid}/sidecars", 403),
    ("POST", "/v3/packages/{guid}/upload", 400),
    ("DELETE", "/v3/droplets/{guid}", 422),
    ("POST", "/v3/droplets/{guid}/upload", 422),
    ("POST", "/v3/deployments/{guid}/actions/continue", 422),
    ("GET", "/v3/tasks/{guid}", 404),
    ("GET", "/v3/revisions/{guid}", 404),
];

async fn call(user: &User<'_>, fixture: &Fixture, endpoint: &Endpoint) -> Answer {
    let (content_type, body) = match endpoint.method {
        Method::GET | Method::DELETE => ("application/json", Vec::new()),
        _ => fixture.body(&endpoint.method, endpoint.path),
    };
    user.send(endpoint.method.clone(), &fixture.path(endpoint.path), content_type, body).await
}

fn complaint(endpoint: &Endpoint, who: &str, answer: &Answer) -> String {
    format!("{} {} as {who}: {} {}", endpoint.method, endpoint.path, answer.status, answer.body)
}

/// What is wrong with the answer of an endpoint to who may call it.
fn allowed(endpoint: &Endpoint, who: &str, answer: &Answer) -> Vec<String> {
    let refused = REFUSED.iter().find(|(method, path, _)| *method == endpoint.method.as_str() && *path == endpoint.path);
    let right = refused.map_or(answer.status.is_success(), |(_, _, status)| answer.status.as_u16() == *status);
    (!right).then(|| complaint(endpoint, who, answer)).into_iter().collect()
}

/// What is wrong with the answer of an endpoint to who may not call it.
fn denied(endpoint: &Endpoint, who: &str, answer: &Answer, with: &[u16]) -> Vec<String> {
    let right = with.contains(&answer.status.as_u16());
    (!right).then(|| complaint(endpoint, who, answer)).into_iter().collect()
}

/// The roles that see what the right is about without having it, and one that has it.
fn roles_without_and_with(who: Who) -> (Vec<RoleType>, Option<RoleType>) {
    match who {
        Who::Space(right) => {
            let members = [SpaceDeveloper, SpaceSupporter, SpaceManager, SpaceAuditor];
            let (with, without): (Vec<_>, Vec<_>) = members.into_iter().partition(|role| right.granted_by(*role));
            (without, with.first().copied())
        }
        Who::Org(OrgRight::Write) => (vec![OrganizationAuditor], Some(OrganizationManager)),
        Who::Org(OrgRight::See) => (vec![], Some(OrganizationAuditor)),
        Who::Anyone | Who::LoggedIn | Who::Admin => (vec![SpaceDeveloper], None),
    }
}

/// What is wrong with the answers of an endpoint to every kind of caller.
async fn ask_as_everybody(api: &Api, fixture: &Fixture, endpoint: &Endpoint) -> Vec<String> {
    let anonymous = call(&api.anonymous(), fixture, endpoint).await;
    if endpoint.who == Who::Anyone {
        return allowed(endpoint, "anonymous", &anonymous);
    }
    let mut wrong = denied(endpoint, "anonymous", &anonymous, &[401]);
    let scopeless = api.user_with(UserGuid::random(), "scopeless", &["openid"]);
    wrong.extend(denied(endpoint, "scopeless", &call(&scopeless, fixture, endpoint).await, &[403]));
    let (without, with) = roles_without_and_with(endpoint.who);
    if let Who::Space(_) | Who::Org(_) = endpoint.who {
        let outsider = api.user(&format!("outsider-{}", UserGuid::random())).await;
        // What is named in a body and cannot be seen is answered 422.
        wrong.extend(denied(endpoint, "outsider", &call(&outsider, fixture, endpoint).await, &[404, 422]));
    }
    if endpoint.who != Who::LoggedIn {
        for role in without {
            let member = api.user_who_is(role, fixture.org, fixture.space).await;
            wrong.extend(denied(endpoint, role.as_str(), &call(&member, fixture, endpoint).await, &[403, 404]));
        }
    }
    let member = match with {
        Some(role) => api.user_who_is(role, fixture.org, fixture.space).await,
        None => api.admin().await,
    };
    if endpoint.path == "/v3/routes/{guid}/relationships/space" {
        give_spare_space(api, fixture, &member).await;
    }
    wrong.extend(allowed(endpoint, with.map_or("admin", RoleType::as_str), &call(&member, fixture, endpoint).await));
    wrong
}

/// Moving a route takes the right in both spaces.
async fn give_spare_space(api: &Api, fixture: &Fixture, member: &User<'_>) {
    let user = json!({ "data": { "guid": member.guid } });
    let org =
        json!({ "type": "organization_user", "relationships": { "user": user, "organization": { "data": { "guid": fixture.org } } } });
    let space = json!({ "type": "space_developer", "relationships": { "user": user, "space": { "data": { "guid": fixture.spare } } } });
    let admin = api.admin().await;
    admin.post("/v3/roles", org).await.created();
    admin.post("/v3/roles", space).await.created();
}

#[tokio::test]
async fn every_endpoint_is_guarded() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        api.admin().await.patch("/v3/feature_flags/route_sharing", json!({ "enabled": true })).await.ok();
        let reading = Fixture::make(&api, true).await;
        let mut wrong = Vec::new();
        for endpoint in endpoints() {
            if endpoint.method == Method::GET {
                wrong.extend(ask_as_everybody(&api, &reading, &endpoint).await);
            } else {
                let own = Fixture::make(&api, endpoint.path.starts_with("/v3/deployments/")).await;
                wrong.extend(ask_as_everybody(&api, &own, &endpoint).await);
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    })
    .await;
}

#[test]
fn every_line_of_the_table_is_there_once() {
    let mut seen = HashSet::new();
    for endpoint in endpoints() {
        assert!(seen.insert((endpoint.method.clone(), endpoint.path)), "{} {}", endpoint.method, endpoint.path);
    }
    for (method, path, _) in REFUSED {
        assert!(seen.iter().any(|(known, at)| known.as_str() == *method && at == path), "{method} {path} is in no line");
    }
}
