//! Where a broker may be. The platform asks brokers from inside, so a URL that a user chose must not lead to loopback, to
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
use url::{Host, Url};
use virga_model::reserved::{is_never_reachable, is_private, spellings};

/// A text that is no address of a broker; its texts are those of Cloud Controller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBrokerUrl {
    /// Not `http` or `https` with a host, or with a query or fragment.
    #[error("Url '{0}' must be a valid url")]
    Invalid(String),
    /// Name and password belong into `authentication`.
    #[error("Url must not contain authentication")]
    Authentication,
}

/// Where a broker's API begins: `http` or `https`, without name, password, query and fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerUrl(Url);

impl FromStr for BrokerUrl {
    type Err = InvalidBrokerUrl;

    fn from_str(text: &str) -> Result<Self, InvalidBrokerUrl> {
        let invalid = || InvalidBrokerUrl::Invalid(text.to_owned());
        let url = Url::parse(text).map_err(|_| invalid())?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
            return Err(invalid());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(InvalidBrokerUrl::Authentication);
        }
        if url.query().is_some() || url.fragment().is_some() || url.port_or_known_default().is_none() {
            return Err(invalid());
        }
        Ok(Self(url))
    }
}

impl std::fmt::Display for BrokerUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.as_str())
    }
}

impl BrokerUrl {
    /// The URL of something below it; `parts` are escaped.
    pub(crate) fn below(&self, parts: &[&str]) -> Url {
        let mut url = self.0.clone();
        // Every http URL has a path to add to.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(parts);
        }
        url
    }

    pub(crate) fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    pub(crate) fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or_default()
    }

    /// The address, if the host is one: no resolver is asked for it.
    pub(crate) fn literal(&self) -> Option<IpAddr> {
        match self.0.host()? {
            Host::Ipv4(address) => Some(address.into()),
            Host::Ipv6(address) => Some(address.into()),
            Host::Domain(_) => None,
        }
    }
}

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
pub(crate) struct Reach {
    pub(crate) allowed: Vec<AllowedAddress>,
    pub(crate) platform: Vec<IpNet>,
}

/// Where the brokers of a space's developers and those of the operator may be differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Trust {
    /// Registered by an administrator: private networks too.
    Global,
    /// Registered by a developer for a space.
    Space,
}

impl Reach {
    pub(crate) fn permits(&self, trust: Trust, address: IpAddr, port: u16) -> bool {
        let canonical = address.to_canonical();
        let named = |allowed: &AllowedAddress| allowed.network.contains(&canonical) && allowed.port.is_none_or(|only| only == port);
        let refused = |ip: IpAddr| {
            is_never_reachable(ip) || self.platform.iter().any(|own| own.contains(&ip)) || (trust == Trust::Space && is_private(ip))
        };
        self.allowed.iter().any(named) || !spellings(address).any(refused)
    }
}

/// The host is at addresses that brokers may not be at.
#[derive(Debug, thiserror::Error)]
#[error("{0} leads to an address that service brokers may not be at")]
pub(crate) struct AddressRefused(pub(crate) String);

/// Resolves names to those of their addresses that may be connected to.
pub(crate) struct CheckedResolver {
    pub(crate) reach: Arc<Reach>,
    pub(crate) trust: Trust,
    pub(crate) port: u16,
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

    #[test]
    fn urls_of_brokers_are_plain() {
        let url: BrokerUrl = "https://broker.example.com/base/".parse().unwrap();
        assert_eq!(url.below(&["v2", "a/b"]).as_str(), "https://broker.example.com/base/v2/a%2Fb");
        assert_eq!("http://b".parse::<BrokerUrl>().unwrap().below(&["v2"]).as_str(), "http://b/v2");
        for text in ["", "broker", "ftp://x", "file:///etc/passwd", "https://x?a=b", "https://x#a", "http://"] {
            assert_eq!(text.parse::<BrokerUrl>(), Err(InvalidBrokerUrl::Invalid(text.to_owned())), "{text}");
        }
        assert_eq!("https://a:b@x".parse::<BrokerUrl>(), Err(InvalidBrokerUrl::Authentication));
    }
}
