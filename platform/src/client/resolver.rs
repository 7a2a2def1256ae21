//! Names under `localhost` are this machine (RFC 6761, section 6.3). Bare boxes have no resolver that knows it, and the
//! default domain of Virga is `virga.localhost`.

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Answers `localhost` and `*.localhost` itself and asks the system for everything else.
pub struct LocalhostResolver;

impl Resolve for LocalhostResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let name = name.as_str().trim_end_matches('.').to_ascii_lowercase();
            let addresses: Vec<SocketAddr> = if name == "localhost" || name.ends_with(".localhost") {
                vec![SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0)]
            } else {
                tokio::net::lookup_host((name.as_str(), 0)).await?.collect()
            };
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}
