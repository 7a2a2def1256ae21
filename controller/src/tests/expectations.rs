//! Who may call what, as Cloud Foundry documents it (its API reference and permission sets), written apart from the code that
//! is asked: the walk of `authorisation` compares the two. The first line that fits an endpoint counts; an endpoint that none
//! fits fails the walk.

use virga_model::state::RoleType::{
    self, OrganizationAuditor as OrgAuditor, OrganizationBillingManager as Billing, OrganizationManager as OrgManager,
    OrganizationUser as OrgUser, SpaceAuditor as Auditor, SpaceDeveloper as Developer, SpaceManager as Manager,
    SpaceSupporter as Supporter,
};

/// Roles that see an organization.
const ORG: &[RoleType] = &[OrgUser, OrgManager, OrgAuditor, Billing, Developer, Manager, Auditor, Supporter];
/// Roles that see a space and what is in it.
const SPACE: &[RoleType] = &[Developer, Manager, Auditor, Supporter, OrgManager];
/// Roles in a space itself, which show what its own brokers offer.
const MEMBERS: &[RoleType] = &[Developer, Manager, Auditor, Supporter];
/// Roles that see a route.
const ROUTE: &[RoleType] = &[Developer, Manager, Auditor, Supporter, OrgManager, OrgAuditor];
/// Roles that see an organization's own domains. What its users and billing managers see of them is not written down.
const DOMAIN: &[RoleType] = &[Developer, Manager, Auditor, Supporter, OrgManager, OrgAuditor];

/// What callers with a good token get.
#[derive(Debug, Clone, Copy)]
pub(super) enum Rule {
    /// Nobody needs a token.
    Anyone,
    /// Every caller is served, each with what it may see.
    Everybody,
    /// Administrators; everybody else is refused.
    Admin,
    /// Global roles that read; everybody else does not find it.
    Global,
    /// Callers with one of the roles `may`; who only `sees` is forbidden, who does not is not served. What Cloud Foundry does
    /// for `open` is not written down.
    Roles { may: &'static [RoleType], sees: &'static [RoleType], open: &'static [RoleType], secret: bool },
    /// There never is one: nobody finds it.
    Absent,
    /// The routing API: by scopes that no role gives; without them it answers 401, as for a token that is none.
    Routing,
    /// Global roles that read; everybody else is forbidden.
    Readers,
    /// The policy server: developers of both apps' spaces. It tells nobody whether an app exists.
    Policies,
}

const fn read(may: &'static [RoleType]) -> Rule {
    Rule::Roles { may, sees: may, open: &[], secret: false }
}

const fn secret(may: &'static [RoleType], open: &'static [RoleType]) -> Rule {
    Rule::Roles { may, sees: SPACE, open, secret: true }
}

const fn change(may: &'static [RoleType], sees: &'static [RoleType]) -> Rule {
    Rule::Roles { may, sees, open: &[], secret: false }
}

const fn change_perhaps(may: &'static [RoleType], sees: &'static [RoleType], open: &'static [RoleType]) -> Rule {
    Rule::Roles { may, sees, open, secret: false }
}

const WRITE: Rule = change(&[Developer], SPACE);
/// Whether supporters may is written down differently in different places.
const WRITE_PERHAPS: Rule = change_perhaps(&[Developer], SPACE, &[Supporter]);
const MANAGE: Rule = change(&[Developer, Supporter], SPACE);
const MANAGE_ROUTE: Rule = change(&[Developer, Supporter], ROUTE);
const UPDATE_SPACE: Rule = change(&[Manager, OrgManager], SPACE);
const WRITE_ORG: Rule = change(&[OrgManager], ORG);

/// Methods, path (a `*` at the end stands for anything that follows), rule.
const RULES: &[(&str, &str, Rule)] = &[
    // Without a token.
    ("GET", "/", Rule::Anyone),
    ("GET", "/v3", Rule::Anyone),
    ("GET", "/v3/info", Rule::Anyone),
    ("GET", "/v3/openapi.json", Rule::Anyone),
    ("GET", "/api/v1/info", Rule::Anyone),
    // Public plans are for everybody.
    ("GET", "/v3/service_offerings", Rule::Anyone),
    ("GET", "/v3/service_plans", Rule::Anyone),
    // Other APIs at the same root.
    ("GET", "/api/v1/read/{source}", read(SPACE)),
    ("GET", "/api/v1/meta", Rule::Everybody),
    ("GET", "/networking/v1/external/policies", Rule::Everybody),
    ("POST", "/networking/v1/external/policies*", Rule::Policies),
    ("GET POST PUT PATCH DELETE", "/routing/*", Rule::Routing),
    // Organizations.
    ("POST", "/v3/organizations", Rule::Admin),
    ("DELETE", "/v3/organizations/{guid}", Rule::Admin),
    ("GET", "/v3/organizations/{guid}/domains*", change_perhaps(DOMAIN, ORG, &[OrgUser, Billing])),
    ("GET", "/v3/organizations/{guid}*", read(ORG)),
    ("PATCH", "/v3/organizations/{guid}*", WRITE_ORG),
    // Spaces.
    ("POST", "/v3/spaces", WRITE_ORG),
    ("DELETE", "/v3/spaces/{guid}", change(&[OrgManager], SPACE)),
    ("DELETE", "/v3/spaces/{guid}/routes", MANAGE),
    ("POST", "/v3/spaces/{guid}/actions/apply_manifest", WRITE),
    ("POST", "/v3/spaces/{guid}/manifest_diff", WRITE),
    ("PATCH", "/v3/spaces/{guid}/relationships/isolation_segment", change(&[OrgManager], SPACE)),
    ("GET", "/v3/spaces/{guid}*", read(SPACE)),
    ("PATCH", "/v3/spaces/{guid}*", UPDATE_SPACE),
    // Users and roles.
    ("POST PATCH DELETE", "/v3/users*", Rule::Admin),
    ("GET", "/v3/users/{guid}", read(ORG)),
    ("POST", "/v3/roles", UPDATE_SPACE),
    ("GET", "/v3/roles/{guid}", read(SPACE)),
    ("DELETE", "/v3/roles/{guid}", UPDATE_SPACE),
    // Domains and routes.
    ("POST", "/v3/domains", WRITE_ORG),
    ("GET", "/v3/domains/{guid}*", change_perhaps(DOMAIN, DOMAIN, &[OrgUser, Billing])),
    ("PATCH POST DELETE", "/v3/domains/{guid}*", change_perhaps(&[OrgManager], DOMAIN, &[OrgUser, Billing])),
    ("PATCH", "/v3/routes/{guid}/relationships/space", change(&[Developer], ROUTE)),
    ("GET", "/v3/routes/{guid}*", read(ROUTE)),
    ("POST", "/v3/routes", MANAGE),
    ("POST PATCH DELETE", "/v3/routes/{guid}*", MANAGE_ROUTE),
    ("GET", "/v3/route_policies/{guid}", read(ROUTE)),
    ("POST PATCH DELETE", "/v3/route_policies*", MANAGE_ROUTE),
    // Apps.
    ("GET", "/v3/apps/{guid}/env", secret(&[Developer], &[Supporter])),
    ("GET", "/v3/apps/{guid}/environment_variables", secret(&[Developer, Supporter], &[])),
    ("GET", "/v3/apps/{guid}/manifest", secret(&[Developer], &[])),
    ("GET", "/v3/apps/{guid}*", read(SPACE)),
    ("POST", "/v3/apps/{guid}/tasks", WRITE),
    ("PUT", "/v3/apps/{guid}/tasks/{task}/cancel", MANAGE),
    ("POST", "/v3/apps/{guid}/sidecars", WRITE),
    ("POST", "/v3/apps/{guid}/actions/clear_buildpack_cache", WRITE_PERHAPS),
    ("POST", "/v3/apps/{guid}/*", MANAGE),
    ("DELETE", "/v3/apps/{guid}/processes/*", MANAGE),
    ("PATCH", "/v3/apps/{guid}/processes/*", MANAGE),
    ("PATCH", "/v3/apps/{guid}/environment_variables", MANAGE),
    ("PATCH", "/v3/apps/{guid}/relationships/current_droplet", MANAGE),
    ("POST PATCH DELETE", "/v3/apps*", WRITE),
    // Processes, sidecars, tasks.
    ("GET", "/v3/processes/{guid}*", read(SPACE)),
    ("POST PATCH DELETE", "/v3/processes/{guid}*", MANAGE),
    ("GET PATCH DELETE", "/v3/sidecars/{guid}", Rule::Absent),
    ("GET", "/v3/tasks/{guid}", read(SPACE)),
    ("POST PUT", "/v3/tasks/{guid}*", MANAGE),
    ("PATCH", "/v3/tasks/{guid}", WRITE_PERHAPS),
    // From source to droplet.
    ("POST", "/v3/resource_matches", Rule::Everybody),
    ("GET", "/v3/packages/{guid}/download", secret(&[Developer], &[])),
    ("GET", "/v3/packages/{guid}*", read(SPACE)),
    ("POST PATCH DELETE", "/v3/packages*", WRITE),
    ("GET", "/v3/builds/{guid}", read(SPACE)),
    ("POST PATCH", "/v3/builds*", MANAGE),
    (
        "GET",
        "/v3/droplets/{guid}/download",
        Rule::Roles { may: &[Developer, Manager, Auditor, OrgManager], sees: SPACE, open: &[], secret: true },
    ),
    ("GET", "/v3/droplets/{guid}", read(SPACE)),
    ("PATCH DELETE", "/v3/droplets/{guid}", WRITE_PERHAPS),
    ("POST", "/v3/droplets*", WRITE),
    ("GET", "/v3/deployments/{guid}", read(SPACE)),
    ("POST PATCH", "/v3/deployments*", MANAGE),
    ("GET", "/v3/revisions/{guid}/environment_variables", secret(&[Developer], &[Supporter])),
    ("GET", "/v3/revisions/{guid}*", read(SPACE)),
    ("PATCH", "/v3/revisions/{guid}", WRITE_PERHAPS),
    // Services. The fixture's broker belongs to its space.
    ("GET", "/v3/service_brokers/{guid}", change(&[Developer, Supporter], &[Developer, Supporter])),
    ("POST PATCH DELETE", "/v3/service_brokers*", WRITE),
    ("GET", "/v3/service_offerings/{guid}", read(MEMBERS)),
    ("PATCH DELETE", "/v3/service_offerings/{guid}", change_perhaps(&[Developer], MEMBERS, &[OrgManager])),
    ("GET", "/v3/service_plans/{guid}*", read(MEMBERS)),
    ("POST PATCH DELETE", "/v3/service_plans/{guid}*", change_perhaps(&[Developer], MEMBERS, &[OrgManager])),
    ("GET", "/v3/service_instances/{guid}/credentials", secret(&[Developer], &[])),
    // Anybody may ask what they may do.
    ("GET", "/v3/service_instances/{guid}/permissions", Rule::Everybody),
    ("GET", "/v3/service_instances/{guid}*", read(SPACE)),
    ("POST PATCH DELETE", "/v3/service_instances*", WRITE),
    // Who may not read credentials is not told of them.
    (
        "GET",
        "/v3/service_credential_bindings/{guid}/details",
        Rule::Roles { may: &[Developer], sees: &[Developer], open: &[], secret: true },
    ),
    ("GET", "/v3/service_credential_bindings/{guid}*", read(SPACE)),
    ("PATCH", "/v3/service_credential_bindings/{guid}", WRITE_PERHAPS),
    ("POST DELETE", "/v3/service_credential_bindings*", MANAGE),
    ("GET", "/v3/service_route_bindings/{guid}*", read(SPACE)),
    ("PATCH", "/v3/service_route_bindings/{guid}", WRITE_PERHAPS),
    ("POST DELETE", "/v3/service_route_bindings*", MANAGE),
    // The platform.
    ("GET", "/v3/jobs/{guid}", Rule::Everybody),
    (
        "GET",
        "/v3/audit_events/{guid}",
        Rule::Roles { may: &[Developer, Auditor, Supporter], sees: &[Developer, Auditor, Supporter], open: &[OrgAuditor], secret: false },
    ),
    ("GET", "/v3/feature_flags/{name}", Rule::Everybody),
    ("GET", "/v3/environment_variable_groups/{name}", Rule::Everybody),
    ("GET", "/v3/stacks/{guid}*", Rule::Everybody),
    ("GET", "/v3/buildpacks/{guid}", Rule::Everybody),
    ("POST PATCH DELETE", "/v3/feature_flags*", Rule::Admin),
    ("POST PATCH DELETE", "/v3/environment_variable_groups*", Rule::Admin),
    ("POST PATCH DELETE", "/v3/stacks*", Rule::Admin),
    ("POST PATCH DELETE", "/v3/buildpacks*", Rule::Admin),
    ("POST", "/v3/admin/*", Rule::Admin),
    // The fixture's quota is given to nobody, so only global roles see it.
    ("GET", "/v3/organization_quotas/{guid}", Rule::Global),
    ("POST PATCH DELETE", "/v3/organization_quotas*", Rule::Admin),
    // The fixture's group is bound to its space.
    ("GET", "/v3/security_groups/{guid}", read(SPACE)),
    ("POST DELETE", "/v3/security_groups/{guid}/relationships/*", UPDATE_SPACE),
    ("POST PATCH DELETE", "/v3/security_groups*", Rule::Admin),
    ("POST", "/v3/space_quotas", WRITE_ORG),
    ("GET", "/v3/space_quotas/{guid}", change_perhaps(&[OrgManager], &[OrgManager], &[Developer, Manager, Auditor, Supporter])),
    (
        "POST PATCH DELETE",
        "/v3/space_quotas/{guid}*",
        change_perhaps(&[OrgManager], &[OrgManager], &[Developer, Manager, Auditor, Supporter]),
    ),
    // The fixture's organization may use its segment.
    ("GET", "/v3/isolation_segments/{guid}*", read(ORG)),
    ("POST PATCH DELETE", "/v3/isolation_segments*", Rule::Admin),
    ("GET", "/v3/app_usage_events/{guid}", Rule::Global),
    // There is none in the fixture.
    ("GET", "/v3/service_usage_events/{guid}", Rule::Absent),
    ("GET", "/v3/info/usage_summary", Rule::Readers),
    ("POST", "/v3/app_usage_events/*", Rule::Admin),
    ("POST", "/v3/service_usage_events/*", Rule::Admin),
];

/// The rule of an endpoint. Lists that stand at the root show everybody what they may see.
pub(super) fn rule(method: &str, path: &str) -> Option<Rule> {
    let is_list =
        method == "GET" && path.strip_prefix("/v3/").is_some_and(|rest| !rest.contains('/') && !matches!(rest, "info" | "openapi.json"));
    let fits = |pattern: &str| match pattern.strip_suffix('*') {
        Some(start) => path.starts_with(start),
        None => path == pattern,
    };
    let line = RULES.iter().find(|(methods, pattern, _)| methods.split(' ').any(|known| known == method) && fits(pattern));
    match line {
        Some((_, _, rule)) => Some(*rule),
        None => is_list.then_some(Rule::Everybody),
    }
}
