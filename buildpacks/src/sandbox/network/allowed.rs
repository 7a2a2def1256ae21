//! Which hosts package clients may reach, and at which addresses.

use ipnet::IpNet;
use std::{
    collections::BTreeSet,
    io,
    net::{IpAddr, SocketAddr},
};
use virga_model::reserved::{is_never_reachable, is_private, spellings};

/// The usual ports, which a host of the operator's list may be reached at.
const PORTS: [u16; 2] = [80, 443];

/// Hosts that a staging may reach.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Allowed {
    /// Registries that the machine's clients are set up for; their addresses are the operator's own business.
    pub(crate) registries: BTreeSet<(String, u16)>,
    /// Names of the operator's list.
    pub(crate) patterns: Vec<String>,
    /// Addresses of the platform.
    pub(crate) denied: Vec<IpNet>,
}

/// A host that may be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Wherever it is.
    AnyAddress,
    /// Not on this machine or in a reserved network.
    NotReserved,
    /// Neither there nor in a private network.
    Public,
}

impl Allowed {
    /// What is allowed of a host; `None` is nothing.
    pub(crate) fn host(&self, host: &str, port: u16) -> Option<Trust> {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        if self.registries.contains(&(host.clone(), port)) {
            return Some(Trust::AnyAddress);
        }
        let port = PORTS.contains(&port);
        if port && self.patterns.contains(&host) {
            return Some(Trust::NotReserved);
        }
        let under = |pattern: &String| pattern.strip_prefix('*').is_some_and(|suffix| host.len() > suffix.len() && host.ends_with(suffix));
        (port && self.patterns.iter().any(under)).then_some(Trust::Public)
    }

    /// Whether a host of this trust may be at this address.
    pub(crate) fn address(&self, trust: Trust, address: IpAddr) -> bool {
        let is_own = |ip: IpAddr| self.denied.iter().any(|network| network.contains(&ip));
        spellings(address).all(|ip| match trust {
            // Maven blocks what it must not fetch by a mirror at 0.0.0.0, which is this machine.
            Trust::AnyAddress => !ip.is_unspecified(),
            Trust::NotReserved => !is_never_reachable(ip) && !is_own(ip),
            Trust::Public => !is_never_reachable(ip) && !is_own(ip) && !is_private(ip),
        })
    }

    /// The addresses of a host that may be connected to; those that are looked up here are those that are used.
    ///
    /// # Errors
    /// When the name leads nowhere, or nowhere it may.
    pub(crate) async fn resolve(&self, trust: Trust, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let all: Vec<SocketAddr> = tokio::net::lookup_host((bare, port)).await?.collect();
        let some: Vec<SocketAddr> = all.into_iter().filter(|address| self.address(trust, address.ip())).collect();
        if some.is_empty() {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is at an address that builds may not reach"));
        }
        Ok(some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_allowed_by_name_and_port() {
        let allowed = Allowed {
            registries: [("registry.example".to_owned(), 8443)].into(),
            patterns: vec!["one.example".into(), "*.many.example".into()],
            denied: vec!["203.0.113.0/24".parse().unwrap()],
        };
        assert_eq!(allowed.host("Registry.example.", 8443), Some(Trust::AnyAddress));
        assert_eq!(allowed.host("registry.example", 443), None);
        assert_eq!(allowed.host("one.example", 443), Some(Trust::NotReserved));
        assert_eq!(allowed.host("one.example", 22), None);
        assert_eq!(allowed.host("a.many.example", 80), Some(Trust::Public));
        for other in ["many.example", "amany.example", "one.example.evil", "169.254.169.254", "localhost", ""] {
            assert_eq!(allowed.host(other, 80), None, "{other}");
        }
        let at = |trust, address: &str| allowed.address(trust, address.parse().unwrap());
        assert!(!at(Trust::AnyAddress, "0.0.0.0") && !at(Trust::AnyAddress, "::"));
        assert!(at(Trust::AnyAddress, "127.0.0.1") && at(Trust::NotReserved, "10.0.0.1") && at(Trust::Public, "8.8.8.8"));
        for address in ["127.0.0.1", "::1", "169.254.169.254", "::ffff:127.0.0.1", "203.0.113.9"] {
            assert!(!at(Trust::NotReserved, address) && !at(Trust::Public, address), "{address}");
        }
        assert!(!at(Trust::Public, "192.168.1.1"));
    }

    #[tokio::test]
    async fn a_name_of_this_machine_is_refused_where_it_leads() {
        let allowed = Allowed { patterns: vec!["localhost".into()], ..Allowed::default() };
        let trust = allowed.host("localhost", 80).unwrap();
        assert_eq!(allowed.resolve(trust, "localhost", 80).await.unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    }
}
