//! Which addresses a guest may reach: never loopback, link-local, metadata or the platform itself, however the address
//! is spelled; of the rest, what a security group's rule allows. Decided on the resolved address, at connect time.

use ipnet::IpNet;
use std::{
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
};
use virga_model::{
    egress::EgressRule,
    reserved::{is_never_reachable, spellings},
};

/// Transport of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Transport {
    fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// Why an address may not be reached; its text goes into the app's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Loopback, link-local, metadata, unspecified, multicast, reserved: no rule can allow these.
    #[error("this kind of address is never reachable")]
    Never,
    /// An address of the platform.
    #[error("it belongs to the platform")]
    Platform,
    /// No rule of a security group allows it.
    #[error("no security group allows it")]
    NoRule,
}

/// The rules of one app.
#[derive(Debug, Clone, Default)]
pub struct EgressPolicy {
    rules: Vec<Rule>,
    platform: Vec<IpNet>,
}

#[derive(Debug, Clone)]
struct Rule {
    transport: Option<Transport>,
    addresses: Vec<RangeInclusive<IpAddr>>,
    ports: Vec<RangeInclusive<u16>>,
}

impl EgressPolicy {
    /// From an app's rules and the platform's own addresses. A rule or address that cannot be read allows nothing, and is
    /// given back for the log.
    #[must_use]
    pub fn new(rules: &[EgressRule], platform: &[String]) -> (Self, Vec<String>) {
        let mut unreadable = Vec::new();
        let mut policy = Self::default();
        for rule in rules {
            // ICMP has no door in WASI.
            if rule.protocol.starts_with("icmp") {
                continue;
            }
            match parse(rule) {
                Some(rule) => policy.rules.push(rule),
                None => unreadable.push(format!("security group rule for '{}' cannot be read and allows nothing", rule.destination)),
            }
        }
        for text in platform {
            match text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)) {
                Ok(network) => policy.platform.push(network),
                Err(_) => unreadable.push(format!("'{text}' is not an address of the platform")),
            }
        }
        (policy, unreadable)
    }

    /// Whether anything at all is allowed; where nothing is, names need not be looked up either.
    #[must_use]
    pub fn allows_some(&self) -> bool {
        !self.rules.is_empty()
    }

    /// Decides one address.
    ///
    /// # Errors
    /// [`Denied`] with the reason.
    pub fn check(&self, transport: Transport, address: SocketAddr) -> Result<(), Denied> {
        spellings(address.ip()).try_for_each(|ip| self.check_spelling(transport, ip, address.port()))
    }

    fn check_spelling(&self, transport: Transport, ip: IpAddr, port: u16) -> Result<(), Denied> {
        if is_never_reachable(ip) {
            return Err(Denied::Never);
        }
        if self.platform.iter().any(|network| network.contains(&ip)) {
            return Err(Denied::Platform);
        }
        let allows = |rule: &Rule| {
            rule.transport.is_none_or(|allowed| allowed == transport)
                && rule.addresses.iter().any(|range| is_same_family(range, ip) && range.contains(&ip))
                && (rule.ports.is_empty() || rule.ports.iter().any(|range| range.contains(&port)))
        };
        if self.rules.iter().any(allows) { Ok(()) } else { Err(Denied::NoRule) }
    }
}

fn is_same_family(range: &RangeInclusive<IpAddr>, ip: IpAddr) -> bool {
    range.start().is_ipv4() == ip.is_ipv4()
}

/// `None` for a rule that cannot be read.
fn parse(rule: &EgressRule) -> Option<Rule> {
    let transport = match rule.protocol.as_str() {
        "tcp" => Some(Transport::Tcp),
        "udp" => Some(Transport::Udp),
        "all" => None,
        _ => return None,
    };
    let addresses = rule.destination.split(',').map(|part| parse_addresses(part.trim())).collect::<Option<Vec<_>>>()?;
    let ports = match &rule.ports {
        Some(ports) => ports.split(',').map(|part| parse_ports(part.trim())).collect::<Option<Vec<_>>>()?,
        // Required for tcp and udp; without them such a rule allows nothing.
        None if transport.is_some() => return None,
        None => Vec::new(),
    };
    Some(Rule { transport, addresses, ports })
}

fn parse_addresses(text: &str) -> Option<RangeInclusive<IpAddr>> {
    if let Ok(network) = text.parse::<IpNet>() {
        return Some(network.network()..=network.broadcast());
    }
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last): (IpAddr, IpAddr) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    (first.is_ipv4() == last.is_ipv4()).then_some(first..=last)
}

fn parse_ports(text: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    Some(first.trim().parse().ok()?..=last.trim().parse().ok()?)
}

impl std::fmt::Display for Transport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    fn rule(protocol: &str, destination: &str, ports: Option<&str>) -> EgressRule {
        EgressRule {
            protocol: protocol.into(),
            destination: destination.into(),
            ports: ports.map(Into::into),
            icmp_type: None,
            code: None,
            description: None,
            log: None,
        }
    }

    fn open() -> EgressPolicy {
        EgressPolicy::new(&[rule("all", "0.0.0.0/0", None), rule("all", "::/0", None)], &["10.9.0.0/16".into()]).0
    }

    fn check(policy: &EgressPolicy, address: &str) -> Result<(), Denied> {
        policy.check(Transport::Tcp, address.parse().unwrap())
    }

    #[test]
    fn rules_allow_what_they_name_and_nothing_else() {
        let (policy, unreadable) = EgressPolicy::new(
            &[
                rule("tcp", "8.8.8.0/24", Some("443,8000-8010")),
                rule("udp", "1.1.1.1-1.1.1.3", Some("53")),
                rule("all", "2606:4700::/32", None),
                rule("tcp", "9.9.9.9", None),
                rule("tcp", "nonsense", Some("1")),
                rule("icmp", "0.0.0.0/0", None),
            ],
            &["not an address".into()],
        );
        assert_eq!(unreadable.len(), 3, "{unreadable:?}");
        assert_eq!(check(&policy, "8.8.8.8:443"), Ok(()));
        assert_eq!(check(&policy, "8.8.8.8:8005"), Ok(()));
        assert_eq!(check(&policy, "[2606:4700::1]:1"), Ok(()));
        for address in ["8.8.8.8:80", "8.8.9.8:443", "1.1.1.2:53", "9.9.9.9:1", "[::ffff:8.8.9.8]:443"] {
            assert_eq!(check(&policy, address), Err(Denied::NoRule), "{address}");
        }
        assert_eq!(policy.check(Transport::Udp, "1.1.1.2:53".parse().unwrap()), Ok(()));
        assert_eq!(check(&EgressPolicy::default(), "8.8.8.8:443"), Err(Denied::NoRule));
    }

    #[test]
    fn no_rule_opens_what_is_never_reachable() {
        for host in
            ["127.0.0.1", "127.9.9.9", "0.0.0.0", "169.254.169.254", "224.0.0.1", "255.255.255.255", "100.100.100.200", "168.63.129.16"]
        {
            assert_eq!(check(&open(), &format!("{host}:80")), Err(Denied::Never), "{host}");
        }
        for host in ["::", "::1", "fe80::1", "ff02::1", "fd00:ec2::254", "fec0::1", "2001:0:1::1"] {
            assert_eq!(check(&open(), &format!("[{host}]:80")), Err(Denied::Never), "{host}");
        }
        assert_eq!(check(&open(), "10.9.1.1:80"), Err(Denied::Platform));
        assert_eq!(check(&open(), "[::ffff:10.9.1.1]:80"), Err(Denied::Platform));
        assert_eq!(check(&open(), "8.8.8.8:80"), Ok(()));
    }

    proptest! {
        /// An IPv4 address that is denied is denied in every IPv6 spelling of it.
        #[test]
        fn spellings_do_not_help(bits in any::<u32>(), port in any::<u16>()) {
            let inner = Ipv4Addr::from_bits(bits);
            let [a, b, c, d] = inner.octets();
            let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
            let plain = open().check(Transport::Tcp, SocketAddr::new(inner.into(), port));
            for spelling in [
                Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, high, low),
                Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, high, low),
                Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
                Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
                Ipv6Addr::new(0x2606, 0, 0, 0, 0, 0x5efe, high, low),
            ] {
                let spelled = open().check(Transport::Tcp, SocketAddr::new(spelling.into(), port));
                prop_assert_eq!(plain, spelled, "{}", spelling);
            }
        }
    }
}
