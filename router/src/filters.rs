//! The filter chain: what happens to every request, in this order, from its head to the head of its answer.

use crate::{
    Router,
    app::App,
    bodies::{RequestBody, RequestWatch, ResponseBody},
    connection::ConnectionState,
    exchange::Exchange,
    failure::Failure,
    headers::{
        forwarding::{self, Caller},
        hops,
        scan::{self, Scan},
        trace::{Ids, X_VCAP_REQUEST_ID},
    },
    route_service::{Target, Turn},
    routes::{Wanted, host},
    tunnel::Tunnel,
};
use http::{HeaderValue, Method, Request, Response, StatusCode, header, request::Parts};
use http_body::Body as _;
use hyper::body::Incoming;
use std::{
    convert::Infallible,
    pin::pin,
    sync::Arc,
    task::Poll,
    time::{Duration, SystemTime},
};
use virga_contract::{Body, body};

/// Headers that the router adds to a request.
const ADDED_HEADERS: usize = 13;

/// Answers one request; never fails, failures are answers.
pub(crate) async fn handle(
    router: Arc<Router>,
    connection: Arc<ConnectionState>,
    request: Request<Incoming>,
) -> Result<Response<ResponseBody>, Infallible> {
    let mut exchange = Exchange::begin(connection.clone(), router.counters.clone(), router.log.clone());
    let ids = Ids::fresh();
    let is_head = request.method() == Method::HEAD;
    let answer = route(&router, &connection, &mut exchange, &ids, request).await;
    let is_failure = answer.is_err();
    let mut response = answer.unwrap_or_else(|failure| {
        if failure.closes() && !connection.is_http2() {
            connection.linger();
        }
        failure.into_response(&router.counters)
    });
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Ok(upgrade(&router, &connection, exchange, response, ids.request_id));
    }
    finish(&mut response, is_head, is_failure);
    response.headers_mut().insert(X_VCAP_REQUEST_ID, ids.request_id);
    if router.registry.is_draining() && !connection.is_http2() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    if connection.is_http2() {
        response.headers_mut().remove(header::CONNECTION);
    }
    exchange.answered(&mut response, is_failure);
    let has_no_body = is_head || matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if has_no_body || response.body().is_end_stream() {
        exchange.completed();
    }
    Ok(response.map(|body| ResponseBody::new(body, Some(exchange))))
}

/// The answer that hands the connection over, and what it becomes.
fn upgrade(
    router: &Router,
    connection: &ConnectionState,
    mut exchange: Box<Exchange>,
    mut response: Response<Body>,
    request_id: HeaderValue,
) -> Response<ResponseBody> {
    let headers = response.headers_mut();
    let protocol = headers.get(header::UPGRADE).cloned();
    hops::strip(headers);
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(X_VCAP_REQUEST_ID, request_id);
    if let Some(protocol) = protocol {
        hops::set_upgrade(headers, protocol);
    }
    exchange.answered(&mut response, false);
    exchange.upgraded();
    let (client, guest) = (exchange.upgrade.take(), response.extensions_mut().remove());
    let in_flight = response.extensions_mut().remove();
    if let (Some(client), Some(guest)) = (client, guest) {
        connection.set_tunnel(Tunnel { client, guest, exchange, in_flight, counted: router.counters.tunnel() });
    }
    response.map(|body| ResponseBody::new(body, None))
}

/// To the app or to the system's API, by host.
async fn route(
    router: &Router,
    connection: &ConnectionState,
    exchange: &mut Exchange,
    ids: &Ids,
    request: Request<Incoming>,
) -> Result<Response<Body>, Failure> {
    let (mut parts, incoming) = request.into_parts();
    let scan = Scan::of(&parts.headers);
    check_head(router, &parts, &scan)?;
    let authority = host::authority(&parts.uri, &scan)?;
    let text = authority.to_str().unwrap_or_default();
    let name = host::normalise(text);
    if name.is_empty() {
        return Err(Failure::EmptyHost);
    }
    // System hosts come first: no app may take them over by a route.
    let route = if router.system.is_system_host(&name) { None } else { router.table.load().find(&name, parts.uri.path()).cloned() };
    let is_system = route.is_none() && (router.system.is_system_host(&name) || router.system.is_bare(&name, text));
    if route.is_none() && !is_system {
        let is_pinned = Wanted::of(&parts.headers)?.is_pinned();
        return Err(Failure::UnknownRoute { host: name.into_owned(), is_pinned });
    }
    // HTTP/2 has no upgrades of this kind.
    let upgrade = if scan.has_upgrade && !connection.is_http2() { hops::wanted_upgrade(&parts.headers) } else { None };
    if upgrade.is_some() {
        if is_system {
            return Err(Failure::UpgradeRefused);
        }
        exchange.upgrade = parts.extensions.remove();
    }
    let service = match route.as_ref().and_then(|route| route.service.as_deref()) {
        None => None,
        Some(url) => service_turn(router, &mut parts, &name, exchange.at, upgrade.is_some())?.map(|path| (url, path)),
    };
    let caller = Caller {
        ip: connection.ip(),
        ip_header: &connection.ip_header,
        is_trusted: connection.is_trusted,
        host: &authority,
        at: exchange.at,
    };
    let forwarded = prepare(&mut parts, &scan, &caller, ids);
    let limits = &router.config.limits;
    let limit = if is_system { 0 } else { limits.body_bytes };
    if limit != 0 && incoming.size_hint().lower() > limit {
        return Err(Failure::BodyTooLarge);
    }
    if let Some(protocol) = upgrade {
        hops::set_upgrade(&mut parts.headers, protocol);
    }
    let idle_ms = if route.as_ref().is_some_and(|route| route.speaks_http2) { limits.stream_idle_ms } else { limits.body_idle_ms };
    let idle = Duration::from_millis(idle_ms);
    let (watch, body) = watch_body(incoming, limit, idle);
    exchange.body.clone_from(&watch);
    let request = Request::from_parts(parts, body);
    if let Some((url, path)) = &service {
        let forwarded_url = format!("{}://{text}{path}", forwarded.1.to_str().unwrap_or("http"));
        let answer = router.ask_route_service(url, Target { host: &name, path }, &forwarded_url, request);
        return race(answer, watch.as_deref()).await?;
    }
    match &route {
        Some(route) => {
            let app = App { router, connection, route, scan, authority: &authority, host: &name, limit, idle, forwarded };
            app.serve(exchange, request, ids).await
        }
        None => race(router.system.forward(request), watch.as_deref()).await?,
    }
}

/// Path and query of a request that goes to the route service of its route; none where it comes from there.
fn service_turn(router: &Router, parts: &mut Parts, host: &str, at: SystemTime, is_upgrade: bool) -> Result<Option<String>, Failure> {
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    match router.route_services.turn(&mut parts.headers, Target { host, path: &path }, at)? {
        Turn::App => Ok(None),
        Turn::Service if is_upgrade => Err(Failure::RouteServiceUnsupported),
        Turn::Service => Ok(Some(path)),
    }
}

/// The headers that every request gets, whoever answers it. Returns `X-Forwarded-For` and `-Proto`.
fn prepare(parts: &mut Parts, scan: &Scan, caller: &Caller<'_>, ids: &Ids) -> (HeaderValue, HeaderValue) {
    let headers = &mut parts.headers;
    headers.reserve(ADDED_HEADERS);
    if scan.has_hops {
        hops::strip(headers);
    }
    if parts.uri.authority().is_some() {
        headers.insert(header::HOST, caller.host.clone());
    }
    ids.add_to(headers, scan.has_trace);
    forwarding::add(headers, caller, scan.has_forwarding)
}

/// The body as it is handed on; watched unless there is none.
pub(crate) fn watch_body(incoming: Incoming, limit: u64, idle: Duration) -> (Option<Arc<RequestWatch>>, Body) {
    if incoming.is_end_stream() {
        return (None, body::empty());
    }
    let watch = Arc::new(RequestWatch::default());
    let body = RequestBody::new(incoming, watch.clone(), limit, idle);
    (Some(watch), Body::new(body))
}

/// Waits for an answer, or for the client to break the rules about its body; then the answer is not waited for.
pub(crate) async fn race<T>(serving: impl Future<Output = T>, watch: Option<&RequestWatch>) -> Result<T, Failure> {
    let Some(watch) = watch else { return Ok(serving.await) };
    let mut serving = pin!(serving);
    std::future::poll_fn(|cx| {
        let polled = serving.as_mut().poll(cx);
        match watch.poll_fault(cx) {
            Some(failure) => Poll::Ready(Err(failure)),
            None => polled.map(Ok),
        }
    })
    .await
}

/// Refuses what no one behind the router should have to deal with.
fn check_head(router: &Router, parts: &Parts, scan: &Scan) -> Result<(), Failure> {
    let limits = &router.config.limits;
    let target = parts.uri.path_and_query().map_or(0, |target| target.as_str().len());
    if target + scan.bytes > limits.header_bytes || parts.headers.len() > limits.headers {
        return Err(Failure::HeaderTooLarge);
    }
    if parts.method == Method::TRACE || parts.method == Method::CONNECT {
        return Err(Failure::MethodNotAllowed);
    }
    Ok(())
}

/// Makes an answer fit to be sent, whoever made it.
fn finish(response: &mut Response<Body>, is_head: bool, is_failure: bool) {
    if is_failure {
        return;
    }
    let exact = response.body().size_hint().exact();
    let headers = response.headers_mut();
    if scan::has_hops(headers) {
        hops::strip(headers);
    }
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    let Some(declared) = lengths.next() else { return };
    let is_number = declared.as_bytes().iter().all(u8::is_ascii_digit);
    let declared = declared.to_str().ok().and_then(|length| length.parse::<u64>().ok()).filter(|_| is_number);
    // hyper trusts a declared length where it also knows the real one: a wrong one would let an app answer for others
    // on the same connection.
    let is_honest = lengths.next().is_none() && declared.is_some_and(|length| is_head || exact.is_none_or(|exact| exact == length));
    if !is_honest {
        headers.remove(header::CONTENT_LENGTH);
    } else if is_head {
        *response.body_mut() = body::empty();
    }
}
