//! Walks the route table: every endpoint is called by nobody, by every role in the organization and space that it is about, by
//! the same roles in another organization, and by every global role; `expectations` says what each must get. A new line of the
//! table is tested by being there; where it needs a body or refuses even who may, `fixture` or [`REFUSED`] must say so.

use super::{
    expectations::{Rule, rule},
    fixture::Fixture,
};
use crate::{
    Endpoint,
    openapi::success,
    routes::endpoints,
    testing::{Answer, Api, User, on_both},
};
use http::Method;
use serde_json::json;
use std::collections::HashSet;
use virga_model::{
    OrgGuid, RoleGuid, SpaceGuid, UserGuid,
    state::RoleType::{
        self, OrganizationAuditor, OrganizationBillingManager, OrganizationManager, OrganizationUser, SpaceAuditor, SpaceDeveloper,
        SpaceManager, SpaceSupporter,
    },
};
use virga_store::roles::{self, RoleRow, RoleScope};

/// Endpoints that refuse the walk's request even from who may call them, with the status of that.
const REFUSED: &[(&str, &str, u16)] = &[
    ("POST", "/v3/apps/{guid}/sidecars", 403),
    ("POST", "/v3/packages/{guid}/upload", 400),
    ("DELETE", "/v3/droplets/{guid}", 422),
    ("POST", "/v3/droplets/{guid}/upload", 422),
    ("POST", "/v3/deployments/{guid}/actions/continue", 422),
    ("POST", "/v3/domains/{guid}/relationships/shared_organizations", 422),
    ("DELETE", "/v3/domains/{guid}/relationships/shared_organizations/{organization}", 422),
    ("DELETE", "/v3/routes/{guid}/relationships/shared_spaces/{space}", 422),
    ("DELETE", "/v3/space_quotas/{guid}", 422),
    ("POST", "/v3/buildpacks/{guid}/upload", 400),
    ("DELETE", "/v3/isolation_segments/{guid}", 422),
    ("POST", "/v3/stacks", 422),
    ("DELETE", "/v3/stacks/{guid}", 422),
    ("DELETE", "/v3/service_offerings/{guid}", 422),
    ("POST", "/v3/service_plans/{guid}/visibility", 422),
    ("PATCH", "/v3/service_plans/{guid}/visibility", 422),
    ("DELETE", "/v3/service_plans/{guid}/visibility/{organization}", 422),
    ("GET", "/v3/service_instances/{guid}/parameters", 400),
    ("POST", "/v3/service_instances/{guid}/relationships/shared_spaces", 422),
    ("DELETE", "/v3/service_instances/{guid}/relationships/shared_spaces/{space}", 422),
    ("GET", "/v3/service_credential_bindings/{guid}/parameters", 400),
    ("GET", "/v3/service_route_bindings/{guid}/parameters", 400),
];

const ROLES: &[RoleType] = &[
    OrganizationUser,
    OrganizationManager,
    OrganizationAuditor,
    OrganizationBillingManager,
    SpaceDeveloper,
    SpaceManager,
    SpaceAuditor,
    SpaceSupporter,
];

/// Everybody who calls.
struct Callers<'a> {
    /// Each with the role in the fixture's organization or space.
    here: Vec<(RoleType, User<'a>)>,
    /// Each with the role in another organization.
    elsewhere: Vec<(RoleType, User<'a>)>,
    admin: User<'a>,
    reader: User<'a>,
    auditor: User<'a>,
}

impl<'a> Callers<'a> {
    async fn make(api: &'a Api) -> Self {
        let mut callers = Self {
            here: Vec::new(),
            elsewhere: Vec::new(),
            admin: api.admin().await,
            reader: api.user_with(UserGuid::random(), "reader", &["cloud_controller.admin_read_only"]),
            auditor: api.user_with(UserGuid::random(), "auditor", &["cloud_controller.global_auditor"]),
        };
        let (org, space) = api.org_and_space("elsewhere").await;
        for role in ROLES {
            callers.here.push((*role, api.user(&format!("{role}-here")).await));
            let user = api.user(&format!("{role}-elsewhere")).await;
            give(api, &user, *role, org, &[space]).await;
            callers.elsewhere.push((*role, user));
        }
        callers
    }

    /// Gives everybody who is here the role in the fixture's spaces.
    async fn come_to(&self, api: &Api, fixture: &Fixture) {
        for (role, user) in &self.here {
            give(api, user, *role, fixture.org, &[fixture.space, fixture.spare]).await;
        }
    }
}

/// Gives a role; one in a space comes after one in its organization.
async fn give(api: &Api, user: &User<'_>, kind: RoleType, org: OrgGuid, spaces: &[SpaceGuid]) {
    let now = api.controller.now();
    let mut tx = api.controller.store.begin().await.unwrap();
    let row = |kind, scope| RoleRow { guid: RoleGuid::random(), created_at: now, updated_at: now, kind, user: user.guid.unwrap(), scope };
    if kind.is_organization_role() {
        roles::insert(&mut tx, &row(kind, RoleScope::Organization(org))).await.unwrap();
    } else {
        roles::insert(&mut tx, &row(OrganizationUser, RoleScope::Organization(org))).await.unwrap();
        for space in spaces {
            roles::insert(&mut tx, &row(kind, RoleScope::Space(*space))).await.unwrap();
        }
    }
    tx.commit().await.unwrap();
}

/// What a caller must get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    /// The endpoint's own answer.
    Served,
    /// 401.
    Unknown,
    /// 403.
    Forbidden,
    /// 404, or 422 where the body names what cannot be seen.
    Hidden,
    /// 403 or 404.
    Refused,
    /// Anything but a failure of ours.
    Whatever,
}

fn due_by_role(rule: Rule, role: RoleType, is_here: bool) -> Due {
    match rule {
        Rule::Anyone | Rule::Everybody => Due::Served,
        Rule::Admin => Due::Refused,
        Rule::Global | Rule::Absent => Due::Hidden,
        Rule::Readers => Due::Forbidden,
        Rule::Policies if is_here && role == SpaceDeveloper => Due::Served,
        Rule::Policies => Due::Forbidden,
        Rule::Routing => Due::Unknown,
        Rule::Roles { .. } if !is_here => Due::Hidden,
        Rule::Roles { open, .. } if open.contains(&role) => Due::Whatever,
        Rule::Roles { may, .. } if may.contains(&role) => Due::Served,
        Rule::Roles { sees, .. } if sees.contains(&role) => Due::Forbidden,
        Rule::Roles { .. } => Due::Hidden,
    }
}

/// What callers get who read everything, secrets too or not.
fn due_to_readers(rule: Rule, method: &Method, reads_secrets: bool) -> Due {
    match rule {
        Rule::Anyone => Due::Served,
        Rule::Routing => Due::Unknown,
        Rule::Absent if method.is_safe() => Due::Hidden,
        _ if !method.is_safe() => Due::Forbidden,
        // What only they see who may read it, others do not find.
        Rule::Roles { secret: true, may, sees, .. } if !reads_secrets => {
            if may == sees {
                Due::Hidden
            } else {
                Due::Forbidden
            }
        }
        _ => Due::Served,
    }
}

/// Calls one endpoint as everybody and notes what is wrong.
struct Walk<'a> {
    api: &'a Api,
    callers: &'a Callers<'a>,
    endpoint: &'a Endpoint,
    fixture: Option<Fixture>,
    served: usize,
    wrong: Vec<String>,
}

impl Walk<'_> {
    async fn call(&mut self, who: &str, user: &User<'_>, due: Due) {
        let endpoint = self.endpoint;
        if self.fixture.is_none() || (due == Due::Served && self.served > 0 && endpoint.method == Method::DELETE) {
            let fixture = Fixture::make(self.api, endpoint.path.starts_with("/v3/deployments/")).await;
            self.callers.come_to(self.api, &fixture).await;
            self.fixture = Some(fixture);
        }
        let Some(fixture) = &self.fixture else { return };
        let (content_type, body) = match endpoint.method {
            Method::GET | Method::DELETE => ("application/json", Vec::new()),
            _ => fixture.body(&endpoint.method, endpoint.path),
        };
        let answer = user.send(endpoint.method.clone(), &fixture.path(endpoint.path), content_type, body).await;
        if !self.is_right(due, &answer) {
            self.wrong.push(format!("{} {} as {who}, due {due:?}: {} {}", endpoint.method, endpoint.path, answer.status, answer.body));
        }
        self.served += usize::from(due == Due::Served);
    }

    fn is_right(&self, due: Due, answer: &Answer) -> bool {
        let status = answer.status.as_u16();
        let (method, path) = (&self.endpoint.method, self.endpoint.path);
        match due {
            Due::Unknown => status == 401,
            Due::Forbidden => status == 403,
            Due::Hidden => status == 404 || (status == 422 && !method.is_safe()),
            Due::Refused => matches!(status, 403 | 404),
            Due::Whatever => status < 500 && status != 401,
            Due::Served => match REFUSED.iter().find(|(refused, at, _)| *refused == method.as_str() && *at == path) {
                Some((_, _, expected)) => status == *expected,
                // What was changed once may be in another state now, but not out of reach.
                None if self.served > 0 && !method.is_safe() && *method != Method::DELETE => !matches!(status, 401 | 403 | 404 | 500..),
                None => success(method, path).contains(&status),
            },
        }
    }
}

/// What is wrong with the answers of an endpoint to everybody.
async fn ask_as_everybody(
    api: &Api,
    callers: &Callers<'_>,
    endpoint: &Endpoint,
    shared: Option<Fixture>,
) -> (Vec<String>, Option<Fixture>) {
    let mut walk = Walk { api, callers, endpoint, fixture: shared, served: 0, wrong: Vec::new() };
    let Some(rule) = rule(endpoint.method.as_str(), endpoint.path) else {
        walk.wrong.push(format!("{} {}: `expectations` does not say who may", endpoint.method, endpoint.path));
        return (walk.wrong, walk.fixture);
    };
    let anonymous = if matches!(rule, Rule::Anyone) { Due::Served } else { Due::Unknown };
    walk.call("nobody", &api.anonymous(), anonymous).await;
    let scopeless = api.user_with(UserGuid::random(), "scopeless", &["openid"]);
    let without_scope = match rule {
        Rule::Anyone => Due::Served,
        Rule::Routing => Due::Unknown,
        _ => Due::Forbidden,
    };
    walk.call("scopeless", &scopeless, without_scope).await;
    walk.call("global auditor", &callers.auditor, due_to_readers(rule, &endpoint.method, false)).await;
    walk.call("admin read-only", &callers.reader, due_to_readers(rule, &endpoint.method, true)).await;
    for (role, user) in &callers.elsewhere {
        walk.call(&format!("{role} elsewhere"), user, due_by_role(rule, *role, false)).await;
    }
    // Who is refused first: what is served may change what others find.
    let (served, refused): (Vec<_>, Vec<_>) = callers.here.iter().partition(|(role, _)| due_by_role(rule, *role, true) == Due::Served);
    for (role, user) in refused.into_iter().chain(served) {
        walk.call(role.as_str(), user, due_by_role(rule, *role, true)).await;
    }
    let admins = match rule {
        Rule::Routing => Due::Whatever,
        Rule::Absent => Due::Hidden,
        _ => Due::Served,
    };
    walk.call("admin", &callers.admin, admins).await;
    (walk.wrong, walk.fixture)
}

async fn walk(reading: bool) {
    on_both(|store| async move {
        let api = Api::start(store).await;
        for flag in ["route_sharing", "service_instance_sharing"] {
            api.admin().await.patch(&format!("/v3/feature_flags/{flag}"), json!({ "enabled": true })).await.ok();
        }
        let callers = Callers::make(&api).await;
        let mut shared = None;
        if reading {
            let fixture = Fixture::make(&api, true).await;
            callers.come_to(&api, &fixture).await;
            shared = Some(fixture);
        }
        let mut wrong = Vec::new();
        for endpoint in endpoints().iter().filter(|endpoint| (endpoint.method == Method::GET) == reading) {
            let (complaints, fixture) = ask_as_everybody(&api, &callers, endpoint, shared.take()).await;
            wrong.extend(complaints);
            shared = fixture.filter(|_| reading);
        }
        assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    })
    .await;
}

#[tokio::test]
async fn every_endpoint_that_reads_is_guarded() {
    walk(true).await;
}

#[tokio::test]
async fn every_endpoint_that_changes_something_is_guarded() {
    walk(false).await;
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
