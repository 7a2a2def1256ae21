//! What a rule of a security group may say.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use virga_model::egress::EgressRule;

/// Most rules of one group.
pub const MAX_RULES: usize = 1000;

/// What is wrong with these rules, one sentence each; empty when nothing is.
#[must_use]
pub fn wrong(rules: &[EgressRule]) -> Vec<String> {
    let mut found = Vec::new();
    if rules.len() > MAX_RULES {
        found.push(format!("Rules: at most {MAX_RULES} rules"));
    }
    for (index, rule) in rules.iter().take(MAX_RULES).enumerate() {
        found.extend(wrong_rule(rule).map(|sentence| format!("Rules[{index}]: {sentence}")));
    }
    found
}

fn wrong_rule(rule: &EgressRule) -> Option<String> {
    let ports = rule.ports.as_deref();
    match rule.protocol.as_str() {
        "tcp" | "udp" => match ports {
            None => return Some("ports are required for protocols of type TCP and UDP".to_owned()),
            Some(ports) if !are_ports(ports) => {
                return Some(
                    "ports must be a valid single port, comma separated list of ports, or range or ports, formatted as a string".to_owned(),
                );
            }
            Some(_) => {}
        },
        "icmp" | "icmpv6" => {
            let byte = |value: Option<i32>| value.is_some_and(|value| (-1..=255).contains(&value));
            if !byte(rule.icmp_type) || !byte(rule.code) {
                return Some("type and code are required for protocols of type ICMP and must be integers between -1 and 255".to_owned());
            }
        }
        "all" => {
            if ports.is_some() {
                return Some("ports are not allowed for protocols of type all".to_owned());
            }
        }
        other => return Some(format!("protocol must be 'tcp', 'udp', 'icmp', 'icmpv6' or 'all', not '{other}'")),
    }
    let destinations = rule.destination.split(',');
    let bad = destinations.map(str::trim).find(|destination| !is_destination(destination));
    bad.map(|bad| format!("destination must be a valid CIDR, IP address, or IP address range, not '{bad}'"))
}

fn are_ports(ports: &str) -> bool {
    let port = |text: &str| text.trim().parse::<u16>().ok().filter(|port| *port > 0);
    ports.split(',').all(|item| match item.split_once('-') {
        None => port(item).is_some(),
        Some((from, to)) => matches!((port(from), port(to)), (Some(from), Some(to)) if from <= to),
    })
}

fn is_destination(text: &str) -> bool {
    if let Some((address, prefix)) = text.split_once('/') {
        return match (address.parse::<IpAddr>(), prefix.parse::<u8>()) {
            (Ok(IpAddr::V4(_)), Ok(prefix)) => prefix <= 32,
            (Ok(IpAddr::V6(_)), Ok(prefix)) => prefix <= 128,
            _ => false,
        };
    }
    if let Some((from, to)) = text.split_once('-') {
        let four = from.parse::<Ipv4Addr>().ok().zip(to.parse::<Ipv4Addr>().ok()).is_some_and(|(from, to)| from <= to);
        let six = from.parse::<Ipv6Addr>().ok().zip(to.parse::<Ipv6Addr>().ok()).is_some_and(|(from, to)| from <= to);
        return four || six;
    }
    text.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn rules_are_read_as_cloud_foundry_reads_them() {
        let good = [
            rule("all", "0.0.0.0-9.255.255.255", None),
            rule("tcp", "10.0.0.0/8,192.168.1.1", Some("443, 8000-9000")),
            rule("udp", "2001:db8::/32", Some("53")),
        ];
        assert_eq!(wrong(&good), Vec::<String>::new());
        let bad = [
            rule("tcp", "10.0.0.0/8", None),
            rule("tcp", "10.0.0.0/33", Some("1")),
            rule("tcp", "host.example", Some("1")),
            rule("tcp", "1.1.1.1", Some("0")),
            rule("udp", "9.9.9.9-1.1.1.1", Some("9-1")),
            rule("gre", "1.1.1.1", None),
            rule("icmp", "1.1.1.1", None),
            rule("all", "1.1.1.1", Some("1")),
        ];
        assert_eq!(wrong(&bad).len(), bad.len());
    }
}
