//! Route services: a request of a bound route goes to a stranger's URL first, with a signature by which it may come back and go on to the app
//! (ADR 0022; the headers are gorouter's).

use crate::{Router, failure::Failure, headers::hops, routes::host};
use aws_lc_rs::hmac;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, header};
use http_body_util::BodyExt as _;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{sync::Semaphore, time::timeout};
use url::{Host, Url};
use virga_contract::Body;
use virga_serve::reach::{CheckedResolver, Reach, Trust};

const FORWARDED_URL: HeaderName = HeaderName::from_static("x-cf-forwarded-url");
const SIGNATURE: HeaderName = HeaderName::from_static("x-cf-proxy-signature");
const METADATA: HeaderName = HeaderName::from_static("x-cf-proxy-metadata");

/// How long a signature holds, as gorouter's.
const VALID: Duration = Duration::from_secs(60);
/// How far the clock of another worker's signature may be ahead.
const AHEAD: Duration = Duration::from_secs(5);
/// How long a route service may take to be connected to, and until its answer begins.
const CONNECT: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(60);
/// Requests of this router that wait for a route service's answer.
const WAITING: usize = 1024;

/// What a router has for them.
pub(crate) struct RouteServices {
    key: hmac::Key,
    reach: Arc<Reach>,
    /// By port, which the resolver that checks addresses has to know.
    clients: Mutex<HashMap<Place, reqwest::Client>>,
    /// Where this router itself is reached; known once it serves.
    own: OnceLock<SocketAddr>,
    waiting: Semaphore,
}

/// Where a route service is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Place {
    /// A route of this platform.
    Here,
    /// Elsewhere, at this port.
    Outside(u16),
}

/// What happens to a request of a bound route.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It comes back from the route service.
    App,
    /// It goes there.
    Service,
}

/// Where a request was to go, as the client wrote it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target<'a> {
    /// Host, normalised.
    pub(crate) host: &'a str,
    /// Path and query.
    pub(crate) path: &'a str,
}

impl RouteServices {
    pub(crate) fn new(key: &[u8], reach: Reach) -> Self {
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, key),
            reach: Arc::new(reach),
            clients: Mutex::default(),
            own: OnceLock::new(),
            waiting: Semaphore::new(WAITING),
        }
    }

    /// The router listens here; a second call changes nothing.
    pub(crate) fn listens(&self, address: SocketAddr) {
        let ip = match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        self.own.get_or_init(|| SocketAddr::new(ip, address.port()));
    }

    /// Looks at the signature of a request, and takes the headers of route services away.
    ///
    /// # Errors
    /// For a signature that is none, is too old, or was made for another URL.
    pub(crate) fn turn(&self, headers: &mut HeaderMap, target: Target<'_>, now: SystemTime) -> Result<Turn, Failure> {
        let (signature, metadata) = (headers.remove(&SIGNATURE), headers.remove(&METADATA));
        headers.remove(&FORWARDED_URL);
        let Some(signature) = signature else { return Ok(Turn::Service) };
        let invalid = || Failure::RouteServiceSignature { is_expired: false };
        let metadata = metadata.ok_or_else(invalid)?;
        let mac = BASE64_URL_SAFE_NO_PAD.decode(signature.as_bytes()).map_err(|_| invalid())?;
        let signed_at = metadata.to_str().ok().and_then(|text| text.parse::<u64>().ok()).ok_or_else(invalid)?;
        hmac::verify(&self.key, &signed(target, signed_at), &mac).map_err(|_| invalid())?;
        let (now, at) = (milliseconds(now), signed_at);
        let is_fresh = Duration::from_millis(now.saturating_sub(at)) <= VALID && Duration::from_millis(at.saturating_sub(now)) <= AHEAD;
        if is_fresh { Ok(Turn::App) } else { Err(Failure::RouteServiceSignature { is_expired: true }) }
    }

    /// Writes what a route service needs to send the request on.
    fn sign(&self, headers: &mut HeaderMap, target: Target<'_>, forwarded_url: &str, now: SystemTime) -> Result<(), Failure> {
        let at = milliseconds(now);
        let mac = hmac::sign(&self.key, &signed(target, at));
        let value = |text: String| HeaderValue::try_from(text).map_err(|_| Failure::BadRequest("a URL that no header can carry"));
        headers.insert(SIGNATURE, value(BASE64_URL_SAFE_NO_PAD.encode(mac))?);
        headers.insert(METADATA, HeaderValue::from(at));
        headers.insert(FORWARDED_URL, value(forwarded_url.to_owned())?);
        Ok(())
    }

    fn client(&self, place: Place) -> Result<reqwest::Client, Failure> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&place) {
            return Ok(client.clone());
        }
        let builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().connect_timeout(CONNECT);
        let builder = match place {
            Place::Outside(port) => builder.dns_resolver(CheckedResolver { reach: Arc::clone(&self.reach), trust: Trust::Space, port }),
            Place::Here => builder.dns_resolver(Here(self.own.get().copied())),
        };
        let client = builder.build().map_err(|error| {
            tracing::error!(error = &error as &dyn std::error::Error, "no client for route services can be made");
            UNREACHABLE
        })?;
        clients.insert(place, client.clone());
        Ok(client)
    }
}

const UNREACHABLE: Failure = Failure::Endpoint("the route service does not answer");

/// Every host is this router.
struct Here(Option<SocketAddr>);

impl Resolve for Here {
    fn resolve(&self, _: Name) -> Resolving {
        let addresses: Vec<_> = self.0.into_iter().collect();
        Box::pin(std::future::ready(Ok(Box::new(addresses.into_iter()) as Addrs)))
    }
}

/// What is signed. No part of it holds a line end.
fn signed(target: Target<'_>, at: u64) -> Vec<u8> {
    format!("route service\n{at}\n{}\n{}", target.host, target.path).into_bytes()
}

fn milliseconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).ok().and_then(|since| u64::try_from(since.as_millis()).ok()).unwrap_or_default()
}

impl Router {
    /// Sends a request to a route service, and gives its answer. Both bodies stream.
    ///
    /// # Errors
    /// When the service may not be where it is, does not answer in time, or too many wait for theirs.
    pub(crate) async fn ask_route_service(
        &self,
        url: &str,
        target: Target<'_>,
        forwarded_url: &str,
        request: Request<Body>,
    ) -> Result<Response<Body>, Failure> {
        let services = &self.route_services;
        let _place =
            services.waiting.try_acquire().map_err(|_| Failure::Overloaded { limit: "route_service_requests", retry_after_seconds: 1 })?;
        let mut url = Url::parse(url).map_err(|_| UNREACHABLE)?;
        let name = host::normalise(url.host_str().ok_or(UNREACHABLE)?).into_owned();
        let (mut parts, body) = request.into_parts();
        let place = self.place(&mut url, &name)?;
        parts.headers.remove(header::HOST);
        services.sign(&mut parts.headers, target, forwarded_url, SystemTime::now())?;
        let request = services.client(place)?.request(parts.method, url).headers(parts.headers);
        let request = request.body(reqwest::Body::wrap_stream(body.into_data_stream()));
        let answer = timeout(ANSWER, request.send()).await.map_err(|_| Failure::Limit { limit: "route_service_answer", is_time: true })?;
        let answer = answer.map_err(|error| {
            tracing::debug!(error = &error as &dyn std::error::Error, "a route service does not answer");
            UNREACHABLE
        })?;
        let mut answer = Response::<reqwest::Body>::from(answer).map(|body| body.map_err(Into::into).boxed_unsync());
        *answer.version_mut() = http::Version::HTTP_11;
        hops::strip(answer.headers_mut());
        Ok(answer)
    }

    /// Where a route service is: a route of this platform is asked through this very router. It comes there with a signature for another URL, so that
    /// a route service whose own route has one is refused, and no request goes round.
    fn place(&self, url: &mut Url, name: &str) -> Result<Place, Failure> {
        let port = url.port_or_known_default().ok_or(UNREACHABLE)?;
        let is_here = !self.system.is_system_host(name) && self.table.load().find(name, url.path()).is_some();
        if !is_here {
            let literal = match url.host() {
                Some(Host::Ipv4(address)) => Some(IpAddr::from(address)),
                Some(Host::Ipv6(address)) => Some(IpAddr::from(address)),
                Some(Host::Domain(_)) | None => None,
            };
            return match literal.filter(|address| !self.route_services.reach.permits(Trust::Space, *address, port)) {
                Some(_) => Err(UNREACHABLE),
                None => Ok(Place::Outside(port)),
            };
        }
        let own = self.route_services.own.get().ok_or(UNREACHABLE)?;
        url.set_scheme("http").map_err(|()| UNREACHABLE)?;
        url.set_port(Some(own.port())).map_err(|()| UNREACHABLE)?;
        Ok(Place::Here)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn services() -> RouteServices {
        RouteServices::new(&[7; 32], Reach::default())
    }

    const TARGET: Target<'_> = Target { host: "app.example.com", path: "/a?b=c" };

    fn signed_headers(at: SystemTime) -> HeaderMap {
        let mut headers = HeaderMap::new();
        services().sign(&mut headers, TARGET, "https://app.example.com/a?b=c", at).unwrap();
        headers
    }

    #[test]
    fn a_request_comes_back_once_signed_and_loses_the_headers() {
        let now = SystemTime::now();
        let mut headers = signed_headers(now);
        assert_eq!(headers[&FORWARDED_URL], "https://app.example.com/a?b=c");
        assert_eq!(services().turn(&mut headers, TARGET, now + VALID), Ok(Turn::App));
        assert!(headers.is_empty());
        assert_eq!(services().turn(&mut headers, TARGET, now), Ok(Turn::Service));
    }

    #[test]
    fn what_was_not_signed_here_for_this_url_and_lately_is_refused() {
        let now = SystemTime::now();
        let turn = |headers: &HeaderMap, target, at| services().turn(&mut headers.clone(), target, at);
        let (invalid, expired) =
            (Err(Failure::RouteServiceSignature { is_expired: false }), Err(Failure::RouteServiceSignature { is_expired: true }));
        let good = signed_headers(now);
        assert_eq!(turn(&good, TARGET, now + VALID + Duration::from_millis(2)), expired);
        assert_eq!(turn(&good, TARGET, now - AHEAD - Duration::from_secs(1)), expired);
        assert_eq!(turn(&good, Target { path: "/a?b=d", ..TARGET }, now), invalid);
        assert_eq!(turn(&good, Target { host: "b.example.com", ..TARGET }, now), invalid);
        let other = RouteServices::new(&[8; 32], Reach::default());
        assert_eq!(other.turn(&mut good.clone(), TARGET, now), invalid, "another platform's");
        for (name, value) in [(SIGNATURE, "AAAA"), (SIGNATURE, "not base64!"), (METADATA, "1"), (METADATA, "x")] {
            let mut headers = good.clone();
            headers.insert(name.clone(), HeaderValue::from_static(value));
            assert_eq!(turn(&headers, TARGET, now), invalid, "{name}: {value}");
        }
        let mut bare = good.clone();
        bare.remove(&METADATA);
        assert_eq!(turn(&bare, TARGET, now), invalid);
    }
}
