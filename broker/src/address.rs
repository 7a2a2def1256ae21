//! The URL of a broker.

use std::{net::IpAddr, str::FromStr};
use url::{Host, Url};

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

#[cfg(test)]
mod tests {
    use super::*;

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
