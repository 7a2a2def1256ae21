//! A request to an app: choosing the instance, calling the cell, trying another where one is gone.

use crate::{
    Router,
    exchange::Exchange,
    failure::Failure,
    filters::{race, watch_body},
    headers::{forwarding, sticky, trace::Ids},
    routes::{Pick, Route, Wanted},
};
use http::{HeaderValue, Request, Response};
use virga_contract::{Body, body, cell::CellError};
use virga_model::InstanceGuid;

/// Instances tried for one request, where one after the other turns out to be gone.
const ATTEMPTS: usize = 3;

/// One request's way to its app.
pub(crate) struct App<'a> {
    pub(crate) router: &'a Router,
    pub(crate) route: &'a Route,
    /// The host as the client wrote it.
    pub(crate) authority: &'a HeaderValue,
    /// The same, normalised.
    pub(crate) host: &'a str,
    /// Bytes that the body may have.
    pub(crate) limit: u64,
}

impl App<'_> {
    /// Serves it.
    pub(crate) async fn serve(&self, exchange: &mut Exchange, request: Request<Body>, ids: &Ids) -> Result<Response<Body>, Failure> {
        let wanted = Wanted::of(request.headers())?;
        let sticky_cookies = &self.router.config.sticky_cookies;
        let bound_to = if wanted.is_pinned() { None } else { sticky::bound_to(request.headers(), sticky_cookies) };
        let pick = self.pick(wanted, bound_to, &[]).ok_or_else(|| {
            if wanted.is_pinned() { Failure::UnknownRoute { host: self.host.to_owned(), is_pinned: true } } else { self.no_endpoints() }
        })?;
        exchange.routed(&request, self.authority.clone(), ids.request_id.clone(), &pick);
        let (served_by, mut response) = self.attempt(exchange, request, wanted, pick).await?;
        if response.status().is_informational() {
            return Err(Failure::Endpoint("the app answered with an interim status"));
        }
        sticky::bind(response.headers_mut(), sticky_cookies, bound_to, served_by, &self.route.path);
        Ok(response)
    }

    fn pick(&self, wanted: Wanted, bound_to: Option<InstanceGuid>, tried: &[InstanceGuid]) -> Option<Pick> {
        self.route.pick(wanted, bound_to, self.router.config.balancing, &*self.router.cell, tried)
    }

    fn no_endpoints(&self) -> Failure {
        Failure::NoEndpoints { host: self.host.to_owned() }
    }

    /// Calls the cell, up to [`ATTEMPTS`] times while instances are gone and the body is untouched.
    async fn attempt(
        &self,
        exchange: &mut Exchange,
        mut request: Request<Body>,
        wanted: Wanted,
        mut pick: Pick,
    ) -> Result<(InstanceGuid, Response<Body>), Failure> {
        let mut tried = Vec::new();
        loop {
            let Some(instance) = pick.instance() else { return Err(self.no_endpoints()) };
            let endpoint = instance.endpoint;
            let spare = (self.route.endpoints() > tried.len() + 1 && tried.len() + 1 < ATTEMPTS).then(|| head(&request));
            forwarding::add_instance(request.headers_mut(), &pick);
            let watch = exchange.body.clone();
            let failure = match race(self.router.cell.serve(endpoint, request), watch.as_deref()).await? {
                Ok(response) => return Ok((endpoint.instance, response)),
                Err(CellError::Gone) => self.no_endpoints(),
                Err(error) => return Err(Failure::from(&error)),
            };
            tried.push(endpoint.instance);
            let spare = spare.and_then(|head| match &watch {
                None => Some(head.map(|()| body::empty())),
                Some(watch) => watch.take_back().map(|incoming| {
                    let (watch, body) = watch_body(self.router, incoming, self.limit);
                    exchange.body = watch;
                    head.map(|()| body)
                }),
            });
            let (Some(next), Some(spare)) = (self.pick(wanted, None, &tried), spare) else { return Err(failure) };
            exchange.moved(&next);
            (pick, request) = (next, spare);
        }
    }
}

/// The head of a request, again.
fn head(request: &Request<Body>) -> Request<()> {
    let mut head = Request::new(());
    head.method_mut().clone_from(request.method());
    head.uri_mut().clone_from(request.uri());
    *head.version_mut() = request.version();
    head.headers_mut().clone_from(request.headers());
    head
}
