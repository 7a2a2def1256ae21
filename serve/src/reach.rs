//! Where strangers may be whom the platform asks from inside: service brokers and route services. A URL that a user chose must not lead to loopback, to
//! metadata services or to the platform itself. Decided on the resolved address when a connection is made: a name that is
//! resolved anew cannot slip past.

use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use serde::{Deserialize, Serialize};
use std::{
    net::{IpAddr, SocketAddr},
    str::FromStr,
    sync::Arc,
};
use virga_model::reserved::{is_never_reachable, is_private, spellings};

/// An address or network, with a port if only that one is meant: `10.1.0.0/16`, `127.0.0.1`, `127.0.0.1:9000`, `[::1]:9000`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AllowedAddress {
    network: IpNet,
    port: Option<u16>,
}

/// A text that is no [`AllowedAddress`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not an address, an address with a port, or a network such as 10.1.0.0/16")]
pub struct InvalidAllowedAddress(String);

impl FromStr for AllowedAddress {
    type Err = InvalidAllowedAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAllowedAddress> {
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(Self { network: address.ip().into(), port: Some(address.port()) });
        }
        let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        network.map(|network| Self { network, port: None }).map_err(|_| InvalidAllowedAddress(text.to_owned()))
    }
}

impl TryFrom<String> for AllowedAddress {
    type Error = InvalidAllowedAddress;

    fn try_from(text: String) -> Result<Self, InvalidAllowedAddress> {
        text.parse()
    }
}

impl From<AllowedAddress> for String {
    fn from(allowed: AllowedAddress) -> Self {
        allowed.to_string()
    }
}

impl std::fmt::Display for AllowedAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.port {
            Some(port) => SocketAddr::new(self.network.addr(), port).fmt(f),
            None => self.network.fmt(f),
        }
    }
}

/// What may be connected to.
#[derive(Debug, Default)]
pub struct Reach {
    /// What may be connected to although it is none of the rest.
    pub allowed: Vec<AllowedAddress>,
    /// The platform's own addresses.
    pub platform: Vec<IpNet>,
}

/// Where strangers of developers and those of the operator may be differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trust {
    /// Named by an administrator: private networks too.
    Global,
    /// Named by a developer.
    Space,
}

impl Reach {
    /// Whether an address may be connected to at this port.
    #[must_use]
    pub fn permits(&self, trust: Trust, address: IpAddr, port: u16) -> bool {
        let canonical = address.to_canonical();
        let named = |allowed: &AllowedAddress| allowed.network.contains(&canonical) && allowed.port.is_none_or(|only| only == port);
        let refused = |ip: IpAddr| {
            is_never_reachable(ip) || self.platform.iter().any(|own| own.contains(&ip)) || (trust == Trust::Space && is_private(ip))
        };
        self.allowed.iter().any(named) || !spellings(address).any(refused)
    }
}

/// The host is at addresses that strangers may not be at.
#[derive(Debug, thiserror::Error)]
#[error("{0} leads to an address that service brokers and route services may not be at")]
pub struct AddressRefused(
    /// The host.
    pub String,
);

/// Resolves names to those of their addresses that may be connected to.
pub struct CheckedResolver {
    /// What may be connected to.
    pub reach: Arc<Reach>,
    /// How far the host is trusted.
    pub trust: Trust,
    /// The port that will be connected to.
    pub port: u16,
}

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (reach, trust, port) = (Arc::clone(&self.reach), self.trust, self.port);
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), port)).await?;
            let permitted: Vec<_> = found.filter(|address| reach.permits(trust, address.ip(), port)).collect();
            if permitted.is_empty() {
                return Err(AddressRefused(name.as_str().to_owned()).into());
            }
            Ok(Box::new(permitted.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(allowed: &[&str]) -> Reach {
        let allowed = allowed.iter().map(|text| text.parse().unwrap()).collect();
        Reach { allowed, platform: vec!["10.9.0.0/16".parse().unwrap()] }
    }

    #[test]
    fn the_inside_is_out_of_reach_in_every_spelling() {
        let closed = reach(&[]);
        for address in
            ["127.0.0.1", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "169.254.169.254", "0.0.0.0", "10.9.8.7", "::ffff:10.9.8.7"]
        {
            assert!(!closed.permits(Trust::Global, address.parse().unwrap(), 443), "{address}");
        }
        assert!(closed.permits(Trust::Global, "10.1.2.3".parse().unwrap(), 443));
        assert!(!closed.permits(Trust::Space, "10.1.2.3".parse().unwrap(), 443));
        assert!(closed.permits(Trust::Space, "93.184.216.34".parse().unwrap(), 443));
    }

    #[test]
    fn what_the_operator_names_is_in_reach_on_its_port_only() {
        let open = reach(&["127.0.0.1:9000", "10.9.1.0/24", "[::1]:9001"]);
        assert!(open.permits(Trust::Space, "127.0.0.1".parse().unwrap(), 9000));
        assert!(open.permits(Trust::Space, "::ffff:127.0.0.1".parse().unwrap(), 9000));
        assert!(!open.permits(Trust::Global, "127.0.0.1".parse().unwrap(), 9001));
        assert!(open.permits(Trust::Space, "::1".parse().unwrap(), 9001));
        assert!(open.permits(Trust::Space, "10.9.1.2".parse().unwrap(), 1));
        assert!(!open.permits(Trust::Global, "10.9.2.2".parse().unwrap(), 1));
    }

    #[test]
    fn allowed_addresses_read_back_what_they_write() {
        for text in ["127.0.0.1:9000", "10.9.1.0/24", "[::1]:9001"] {
            assert_eq!(text.parse::<AllowedAddress>().unwrap().to_string(), text);
        }
        assert_eq!("127.0.0.1".parse::<AllowedAddress>().unwrap().to_string(), "127.0.0.1/32");
        assert!("localhost".parse::<AllowedAddress>().is_err());
    }
}
