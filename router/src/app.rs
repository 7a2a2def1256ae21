//! A request to an app: choosing the instance, calling the cell, trying another where one is gone.

use crate::{
    Router,
    access_log::Record,
    connection::ConnectionState,
    exchange::Exchange,
    failure::Failure,
    filters::{race, watch_body},
    headers::{forwarding, scan::Scan, sticky, trace::Ids},
    routes::{Choice, Pick, Route, Wanted},
};
use http::{HeaderValue, Request, Response, StatusCode};
use std::time::Duration;
use virga_contract::{Body, body, cell::CellError};
use virga_model::{InstanceGuid, route::RouteProtocol};

/// Instances tried for one request, where one after the other turns out to be gone.
const ATTEMPTS: usize = 3;

/// One request's way to its app.
pub(crate) struct App<'a> {
    pub(crate) router: &'a Router,
    pub(crate) connection: &'a ConnectionState,
    pub(crate) route: &'a Route,
    /// What the headers held when they came.
    pub(crate) scan: Scan,
    /// The host as the client wrote it.
    pub(crate) authority: &'a HeaderValue,
    /// The same, normalised.
    pub(crate) host: &'a str,
    /// Bytes that the body may have.
    pub(crate) limit: u64,
    /// The longest wait for a piece of the body.
    pub(crate) idle: Duration,
    /// `X-Forwarded-For` and `-Proto`, for the access log.
    pub(crate) forwarded: (HeaderValue, HeaderValue),
}

impl App<'_> {
    /// Serves it.
    pub(crate) async fn serve(mut self, exchange: &mut Exchange, request: Request<Body>, ids: &Ids) -> Result<Response<Body>, Failure> {
        let wanted = if self.scan.has_pin { Wanted::of(request.headers())? } else { Wanted::Any };
        let sticky_cookies = &self.router.config.sticky_cookies;
        let may_be_bound = self.scan.has_cookies && !wanted.is_pinned();
        let bound_to = may_be_bound.then(|| sticky::bound_to(request.headers(), sticky_cookies)).flatten();
        let choice = self.route.choice(self.router.config.balancing, request.headers());
        let pick = self.pick(wanted, bound_to, choice, &[]).ok_or_else(|| {
            if wanted.is_pinned() { Failure::UnknownRoute { host: self.host.to_owned(), is_pinned: true } } else { self.no_endpoints() }
        })?;
        exchange.routed(self.record(exchange, &request, ids, &pick));
        let (served_by, mut response) = self.attempt(exchange, request, (wanted, choice), pick).await?;
        let has_upgraded = response.status() == StatusCode::SWITCHING_PROTOCOLS && exchange.upgrade.is_some();
        if response.status().is_informational() && !has_upgraded {
            return Err(Failure::Endpoint("the app answered with an interim status"));
        }
        sticky::bind(response.headers_mut(), sticky_cookies, bound_to, served_by, &self.route.path);
        Ok(response)
    }

    /// The request's part of its access-log line.
    fn record(&mut self, exchange: &Exchange, request: &Request<Body>, ids: &Ids, pick: &Pick) -> Box<Record> {
        Box::new(Record {
            pick: pick.clone(),
            host: self.authority.clone(),
            at: exchange.at,
            method: request.method().clone(),
            target: request.uri().path_and_query().cloned(),
            version: request.version(),
            referer: self.scan.referer.take(),
            user_agent: self.scan.user_agent.take(),
            client: self.connection.peer_text.clone(),
            forwarded_for: self.forwarded.0.clone(),
            forwarded_proto: self.forwarded.1.clone(),
            request_id: ids.request_id.clone(),
            routing: exchange.began.elapsed(),
            response: Duration::ZERO,
            served_by: None,
            status: None,
            request_bytes: 0,
            sent_bytes: 0,
            router_error: None,
        })
    }

    fn pick(&self, wanted: Wanted, bound_to: Option<InstanceGuid>, choice: Choice, tried: &[InstanceGuid]) -> Option<Pick> {
        self.route.pick(wanted, bound_to, choice, &*self.router.cell, tried)
    }

    fn no_endpoints(&self) -> Failure {
        Failure::NoEndpoints { host: self.host.to_owned() }
    }

    /// Calls the cell, up to [`ATTEMPTS`] times while instances are gone and the body is untouched.
    async fn attempt(
        &self,
        exchange: &mut Exchange,
        mut request: Request<Body>,
        (wanted, choice): (Wanted, Choice),
        mut pick: Pick,
    ) -> Result<(InstanceGuid, Response<Body>), Failure> {
        let mut tried = Vec::new();
        loop {
            let Some(instance) = pick.instance() else { return Err(self.no_endpoints()) };
            let endpoint = instance.endpoint;
            let spare = (self.route.endpoints() > tried.len() + 1 && tried.len() + 1 < ATTEMPTS).then(|| head(&request));
            forwarding::add_instance(request.headers_mut(), &pick);
            if self.route.speaks_http2 && self.route.protocol(endpoint.process) == RouteProtocol::Http2 {
                request.extensions_mut().insert(RouteProtocol::Http2);
            }
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
                    let (watch, body) = watch_body(incoming, self.limit, self.idle);
                    exchange.body = watch;
                    head.map(|()| body)
                }),
            });
            let (Some(next), Some(spare)) = (self.pick(wanted, None, choice, &tried), spare) else { return Err(failure) };
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
