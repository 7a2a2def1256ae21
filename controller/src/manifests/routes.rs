//! The routes of a manifest: listed ones are mapped, others stay; `no-route` unmaps all; `random-route` and `default-route`
//! give an app a route that has none.

use super::document::{AppManifest, ManifestRoute};
use crate::{
    Access, Controller, Result,
    routing::{NewRoute, changed_options, check_options, make, map_app},
};
use virga_contract::ApiError;
use virga_model::{OrgGuid, RouteGuid, route::is_route_host};
use virga_store::{
    Connection,
    apps::AppRow,
    domains::{self, DomainRow},
    metadata::Metadata,
    route_destinations, routes,
};

/// Maps and unmaps.
///
/// # Errors
/// 422 for a route below no domain, or one that belongs to another space.
pub(super) async fn apply(
    controller: &Controller,
    db: &mut Connection,
    access: &Access,
    organization: OrgGuid,
    app: &AppRow,
    manifest: &AppManifest,
) -> Result<()> {
    let mapper = Mapper { controller, access, organization, app };
    if manifest.no_route {
        return Ok(route_destinations::delete_of_app(db, app.guid).await?);
    }
    for wanted in &manifest.routes {
        let place = mapper.split(db, wanted).await?;
        mapper.map(db, place, wanted).await?;
    }
    let generated = manifest.routes.is_empty() && (manifest.default_route || manifest.random_route);
    if generated && route_destinations::list_of_app(db, app.guid).await?.is_empty() {
        let none = || ApiError::unprocessable("No default domains available");
        let domain = domains::default_of(db, organization).await?.ok_or_else(none)?;
        let host = if manifest.random_route { random_host(&app.name) } else { app.name.to_ascii_lowercase() };
        if !is_route_host(&host) || host == "*" {
            let detail = "Failed to create default route from app name: Host must be either \"*\" or contain only alphanumeric \
                          characters, \"_\", or \"-\" and be at most 63 characters";
            return Err(ApiError::unprocessable(detail).into());
        }
        let plain = ManifestRoute { route: format!("{host}.{}", domain.name), protocol: None, options: None };
        mapper.map(db, Place { domain, host, path: String::new(), port: None }, &plain).await?;
    }
    Ok(())
}

/// What the text of a route says.
struct Place {
    domain: DomainRow,
    host: String,
    path: String,
    /// Of a TCP route.
    port: Option<u16>,
}

struct Mapper<'a> {
    controller: &'a Controller,
    access: &'a Access,
    organization: OrgGuid,
    app: &'a AppRow,
}

impl Mapper<'_> {
    /// The domain is the longest that the route ends in.
    async fn split(&self, db: &mut Connection, wanted: &ManifestRoute) -> Result<Place> {
        let malformed = || ApiError::unprocessable(format!("The route '{}' is not a properly formed URL", wanted.route));
        let (name, path) = wanted.route.find('/').map_or((wanted.route.as_str(), ""), |at| wanted.route.split_at(at));
        let (name, port) = match name.split_once(':') {
            Some((name, port)) => (name, Some(port.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(malformed)?)),
            None => (name, None),
        };
        if name.is_empty() || name.len() > 512 {
            return Err(malformed().into());
        }
        let mut candidates = vec![name.to_owned()];
        candidates.extend(name.match_indices('.').filter_map(|(at, _)| name.get(at + 1..)).map(str::to_owned));
        let mut known = domains::find_by_names(db, &candidates).await?;
        known.sort_by_key(|domain| std::cmp::Reverse(domain.name.len()));
        let mut usable = None;
        for domain in known {
            if domains::is_usable_by(db, &domain, self.organization).await? {
                usable = Some(domain);
                break;
            }
        }
        let unmatched = || ApiError::unprocessable(format!("The route '{}' did not match any existing domains.", wanted.route));
        let domain = usable.ok_or_else(unmatched)?;
        let host = name.strip_suffix(domain.name.as_str()).map(|host| host.trim_end_matches('.').to_owned()).unwrap_or_default();
        Ok(Place { domain, host, path: path.to_owned(), port })
    }

    async fn map(&self, db: &mut Connection, place: Place, wanted: &ManifestRoute) -> Result<()> {
        let Place { domain, host, path, port } = place;
        let change = check_options(db, wanted.options.clone()).await?;
        let route = match routes::find_at(db, domain.guid, &host.to_ascii_lowercase(), &path, port).await? {
            Some(route) if !routes::is_available_in(db, &route, self.app.space).await? => {
                return Err(ApiError::unprocessable("Routes cannot be mapped to destinations in different spaces").into());
            }
            Some(mut route) => {
                let options = changed_options(route.options.clone(), change)?;
                if options != route.options {
                    route.options = options;
                    routes::update(db, &mut route, self.controller.now()).await?;
                    route_destinations::touch(db, route.guid, self.controller.now()).await?;
                }
                route
            }
            None => {
                let new = NewRoute {
                    space: self.app.space,
                    organization: self.organization,
                    host,
                    path,
                    port: port.map(i64::from),
                    options: changed_options(None, change)?,
                    metadata: Metadata::default(),
                };
                make(self.controller, db, self.access, &domain, new).await?
            }
        };
        map_app(self.controller, db, self.access, &route, self.app, wanted.protocol).await
    }
}

/// `<name>-<adjective>-<noun>-<two letters>`, as Cloud Foundry makes them.
fn random_host(name: &str) -> String {
    const ADJECTIVES: [&str; 16] = [
        "brave", "calm", "clever", "daring", "eager", "fluent", "gentle", "happy", "keen", "lively", "noble", "quick", "quiet", "shiny",
        "wise", "zesty",
    ];
    const NOUNS: [&str; 16] = [
        "badger", "bear", "crane", "eland", "fox", "gazelle", "heron", "ibex", "koala", "lynx", "otter", "panda", "quokka", "raven",
        "swan", "wombat",
    ];
    // A guid is 122 random bits; a few of them choose.
    let bits = RouteGuid::random().as_u128();
    let pick = |words: [&'static str; 16], shift: u32| {
        let index = usize::try_from((bits >> shift) & 15).unwrap_or(0);
        words.get(index).copied().unwrap_or_default()
    };
    let letter = |shift: u32| char::from(b'a' + u8::try_from((bits >> shift) % 26).unwrap_or(0));
    let clean: String =
        name.to_ascii_lowercase().chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-' || *c == '_').take(40).collect();
    format!("{clean}-{}-{}-{}{}", pick(ADJECTIVES, 0), pick(NOUNS, 4), letter(8), letter(16)).trim_start_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_hosts_are_hosts_and_differ() {
        for name in ["dora", "My App!", "ü", &"x".repeat(255)] {
            let host = random_host(name);
            assert!(is_route_host(&host), "{host}");
        }
        assert!((0..20).any(|_| random_host("a") != random_host("a")));
    }
}
