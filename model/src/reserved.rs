//! Addresses that nothing of a tenant ever reaches, however they are spelled.

use ipnet::IpNet;
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::LazyLock,
};

/// Networks no guest and no build may reach. Metadata services that do not live in link-local space are listed one by one.
const NEVER: &[&str] = &[
    "0.0.0.0/8",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "100.100.100.200/32",
    "168.63.129.16/32",
    "192.0.0.0/24",
    "::/128",
    "::1/128",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
    "fd00:ec2::/32",
    // Tunnels whose inner address cannot be read off (Teredo), and locally assigned NAT64.
    "2001::/32",
    "64:ff9b:1::/48",
];

/// The IPv4 addresses that an IPv6 address is another spelling of, or leads to.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match (a, b, c, d, e, f) {
        // Mapped, translated (SIIT), compatible.
        (0, 0, 0, 0, 0, 0xffff) | (0, 0, 0, 0, 0xffff, 0) => Some(v4(g, h)),
        (0, 0, 0, 0, 0, 0) if g != 0 => Some(v4(g, h)),
        (0x2002, ..) => Some(v4(b, c)),
        (0x64, 0xff9b, 0, 0, 0, 0) => Some(v4(g, h)),
        // ISATAP.
        (_, _, _, _, 0 | 0x200, 0x5efe) => Some(v4(g, h)),
        _ => None,
    }
}

/// The address itself and the one inside it; all of them must be allowed. A mapped address is just its inner one.
#[must_use = "all of them have to be checked"]
pub fn spellings(address: IpAddr) -> impl Iterator<Item = IpAddr> {
    let address = address.to_canonical();
    let inner = match address {
        IpAddr::V6(address) => embedded(address).map(IpAddr::V4),
        IpAddr::V4(_) => None,
    };
    std::iter::once(address).chain(inner)
}

/// Whether an address is loopback, link-local, metadata, unspecified, multicast or reserved.
#[must_use]
pub fn is_never_reachable(ip: IpAddr) -> bool {
    static NETWORKS: LazyLock<Vec<IpNet>> = LazyLock::new(|| NEVER.iter().filter_map(|text| text.parse().ok()).collect());
    NETWORKS.iter().any(|network| network.contains(&ip))
}

/// Networks of a company's or a provider's own inside.
const PRIVATE: &[&str] = &["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "198.18.0.0/15", "fc00::/7"];

/// Whether an address is one of a private network.
#[must_use]
pub fn is_private(ip: IpAddr) -> bool {
    static NETWORKS: LazyLock<Vec<IpNet>> = LazyLock::new(|| PRIVATE.iter().filter_map(|text| text.parse().ok()).collect());
    NETWORKS.iter().any(|network| network.contains(&ip))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_network_of_the_lists_is_one() {
        assert!(NEVER.iter().chain(PRIVATE).all(|text| text.parse::<IpNet>().is_ok()));
    }

    #[test]
    fn spellings_show_what_is_inside() {
        let hidden = |text: &str| spellings(text.parse().unwrap()).any(is_never_reachable);
        for text in ["127.0.0.1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "169.254.169.254", "::1"] {
            assert!(hidden(text), "{text}");
        }
        assert!(!hidden("93.184.216.34") && !hidden("2606:2800:220:1::1"));
        assert!(is_private("10.1.2.3".parse().unwrap()) && !is_private("8.8.8.8".parse().unwrap()));
    }
}
