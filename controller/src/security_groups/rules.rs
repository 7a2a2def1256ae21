//! What a rule of a security group may say.

use serde_json::Value;
use std::net::IpAddr;
use virga_model::egress::EgressRule;

/// Most rules of one group.
pub const MAX_RULES: usize = 1000;
/// Most destinations of one rule.
const MAX_DESTINATIONS: usize = 6000;
/// Members of a rule.
const MEMBERS: &[&str] = &["protocol", "destination", "ports", "type", "code", "description", "log"];

/// The rules as they are kept.
///
/// # Errors
/// What is wrong with them, one sentence each.
pub fn read(rules: &[Value]) -> Result<Vec<EgressRule>, Vec<String>> {
    if rules.len() > MAX_RULES {
        return Err(vec![format!("Rules: at most {MAX_RULES} rules")]);
    }
    let (mut read, mut wrong) = (Vec::with_capacity(rules.len()), Vec::new());
    for (index, rule) in rules.iter().enumerate() {
        match read_rule(rule) {
            Ok(rule) => read.push(rule),
            Err(sentence) => wrong.push(format!("Rules[{index}]: {sentence}")),
        }
    }
    if wrong.is_empty() { Ok(read) } else { Err(wrong) }
}

fn read_rule(rule: &Value) -> Result<EgressRule, String> {
    let members = rule.as_object().ok_or("must be an object")?;
    let unknown: Vec<&String> = members.keys().filter(|name| !MEMBERS.contains(&name.as_str())).collect();
    if !unknown.is_empty() {
        return Err(format!("unknown field(s): {unknown:?}"));
    }
    for (name, is_right, sentence) in [
        ("destination", Value::is_string as fn(&Value) -> bool, "destination must be a string"),
        ("ports", Value::is_string, PORTS),
        ("description", Value::is_string, "description must be a string"),
        ("log", Value::is_boolean, "log must be a boolean"),
        ("type", Value::is_i64, "type must be an integer between -1 and 255 (inclusive)"),
        ("code", Value::is_i64, "code must be an integer between -1 and 255 (inclusive)"),
    ] {
        if members.get(name).is_some_and(|value| !value.is_null() && !is_right(value)) {
            return Err(sentence.to_owned());
        }
    }
    if !members.get("destination").is_some_and(Value::is_string) {
        return Err("destination must be a valid CIDR, IP address, or IP address range".to_owned());
    }
    let rule: EgressRule = serde_json::from_value(rule.clone()).map_err(|_| PROTOCOL.to_owned())?;
    check_protocol(&rule)?;
    check_destinations(&rule)?;
    Ok(rule)
}

const PROTOCOL: &str = "protocol must be 'tcp', 'udp', 'icmp', 'icmpv6' or 'all'";
const PORTS: &str = "ports must be a valid single port, comma separated list of ports, or range or ports, formatted as a string";

fn check_protocol(rule: &EgressRule) -> Result<(), String> {
    match rule.protocol.as_str() {
        "tcp" | "udp" => match rule.ports.as_deref() {
            None => Err("ports are required for protocols of type TCP and UDP".to_owned()),
            Some(ports) if !are_ports(ports) => Err(PORTS.to_owned()),
            Some(_) => Ok(()),
        },
        "icmp" | "icmpv6" => check_message("code", rule.code).and_then(|()| check_message("type", rule.icmp_type)),
        "all" if rule.ports.is_some() => Err("ports are not allowed for protocols of type all".to_owned()),
        "all" => Ok(()),
        _ => Err(PROTOCOL.to_owned()),
    }
}

fn check_message(name: &str, value: Option<i32>) -> Result<(), String> {
    match value {
        None => Err(format!("{name} is required for protocols of type ICMP")),
        Some(value) if !(-1..=255).contains(&value) => Err(format!("{name} must be an integer between -1 and 255 (inclusive)")),
        Some(_) => Ok(()),
    }
}

fn check_destinations(rule: &EgressRule) -> Result<(), String> {
    if rule.destination.chars().any(char::is_whitespace) {
        return Err("destination must not contain whitespace".to_owned());
    }
    if rule.destination.split(',').count() > MAX_DESTINATIONS {
        return Err(format!("maximum destinations per rule exceeded - must be under {MAX_DESTINATIONS}"));
    }
    for destination in rule.destination.split(',') {
        if destination.is_empty() {
            return Err("empty destination specified in comma-delimited list".to_owned());
        }
        let refused = || format!("destination must be a valid CIDR, IP address, or IP address range, not '{destination}'");
        let version = version_of(destination).ok_or_else(refused)?;
        let is_other = matches!((rule.protocol.as_str(), version), ("icmp", 6) | ("icmpv6", 4));
        if is_other {
            return Err(format!("for protocol \"{}\" you cannot use IPv{version} addresses", rule.protocol));
        }
    }
    Ok(())
}

fn are_ports(ports: &str) -> bool {
    let port = |text: &str| text.trim().parse::<u16>().ok().filter(|port| *port > 0);
    ports.split(',').all(|item| match item.split_once('-') {
        None => port(item).is_some(),
        Some((from, to)) => matches!((port(from), port(to)), (Some(from), Some(to)) if from <= to),
    })
}

/// 4 or 6 for an address, a CIDR or a range; nothing for what is none.
fn version_of(text: &str) -> Option<u8> {
    let version = |address: IpAddr| if address.is_ipv4() { 4 } else { 6 };
    if let Some((address, prefix)) = text.split_once('/') {
        let (address, prefix): (IpAddr, u8) = (address.parse().ok()?, prefix.parse().ok()?);
        let most = if address.is_ipv4() { 32 } else { 128 };
        return (prefix <= most).then(|| version(address));
    }
    if let Some((from, to)) = text.split_once('-') {
        let (from, to): (IpAddr, IpAddr) = (from.parse().ok()?, to.parse().ok()?);
        return (from.is_ipv4() == to.is_ipv4() && from <= to).then(|| version(from));
    }
    text.parse().ok().map(version)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refusal(rule: Value) -> String {
        let wrong = read(std::slice::from_ref(&rule)).expect_err(&rule.to_string());
        assert_eq!(wrong.len(), 1);
        wrong[0].clone()
    }

    #[test]
    fn rules_are_read_as_cloud_foundry_reads_them() {
        let good = [
            json!({ "protocol": "all", "destination": "0.0.0.0-9.255.255.255" }),
            json!({ "protocol": "tcp", "destination": "10.0.0.0/8,192.168.1.1", "ports": "443, 8000-9000", "log": true }),
            json!({ "protocol": "udp", "destination": "2001:db8::/32", "ports": "53", "description": "names" }),
            json!({ "protocol": "icmp", "destination": "1.1.1.1", "type": 0, "code": -1 }),
            json!({ "protocol": "icmpv6", "destination": "2000::/3", "type": 128, "code": 0 }),
        ];
        let read = read(&good).unwrap();
        assert_eq!((read.len(), read[1].log, read[3].code, read[3].icmp_type), (5, Some(true), Some(-1), Some(0)));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (rule, sentence) in [
            (json!({ "protocol": "tcp", "destination": "10.0.0.0/8" }), "ports are required for protocols of type TCP and UDP"),
            (json!({ "protocol": "tcp", "destination": "10.0.0.0/33", "ports": "1" }), "not '10.0.0.0/33'"),
            (json!({ "protocol": "tcp", "destination": "host.example", "ports": "1" }), "not 'host.example'"),
            (json!({ "protocol": "tcp", "destination": "10.01.0.1", "ports": "1" }), "not '10.01.0.1'"),
            (json!({ "protocol": "tcp", "destination": "1.1.1.1", "ports": "0" }), "ports must be a valid single port"),
            (json!({ "protocol": "udp", "destination": "1.1.1.1", "ports": "9-1" }), "ports must be a valid single port"),
            (json!({ "protocol": "udp", "destination": "1.1.1.1", "ports": 53 }), "formatted as a string"),
            (json!({ "protocol": "all", "destination": "9.9.9.9-1.1.1.1" }), "not '9.9.9.9-1.1.1.1'"),
            (json!({ "protocol": "all", "destination": "1.1.1.1-2000::1" }), "not '1.1.1.1-2000::1'"),
            (json!({ "protocol": "all", "destination": "1.1.1.1,,2.2.2.2" }), "empty destination"),
            (json!({ "protocol": "all", "destination": "1.1.1.1, 2.2.2.2" }), "must not contain whitespace"),
            (json!({ "protocol": "all", "destination": "1.1.1.1", "ports": "1" }), "ports are not allowed"),
            (json!({ "protocol": "all" }), "destination must be a valid CIDR"),
            (json!({ "protocol": "gre", "destination": "1.1.1.1" }), "protocol must be 'tcp'"),
            (json!({ "destination": "1.1.1.1" }), "protocol must be 'tcp'"),
            (json!({ "protocol": "icmp", "destination": "1.1.1.1" }), "code is required"),
            (json!({ "protocol": "icmp", "destination": "1.1.1.1", "code": 256, "type": 0 }), "code must be an integer between -1 and 255"),
            (json!({ "protocol": "icmp", "destination": "2000::1", "code": 0, "type": 0 }), "you cannot use IPv6 addresses"),
            (json!({ "protocol": "all", "destination": "1.1.1.1", "dest": "x" }), "unknown field(s): [\"dest\"]"),
            (json!({ "protocol": "all", "destination": "1.1.1.1", "log": "yes" }), "log must be a boolean"),
            (json!("all"), "must be an object"),
        ] {
            let refused = refusal(rule);
            assert!(refused.starts_with("Rules[0]: ") && refused.contains(sentence), "{refused}");
        }
        assert_eq!(read(&vec![json!({}); MAX_RULES + 1]).unwrap_err().len(), 1);
    }
}
