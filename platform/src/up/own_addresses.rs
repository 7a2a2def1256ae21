//! The addresses of this box, which no guest may reach whatever its security groups say: the platform listens there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Every address of every interface. An empty list is logged: the kernel's tables could not be read.
pub fn list() -> Vec<IpAddr> {
    let read = |path: &str| {
        std::fs::read_to_string(path).unwrap_or_else(|error| {
            tracing::debug!(path, %error, "a table of addresses cannot be read");
            String::new()
        })
    };
    let mut addresses = ipv4(&read("/proc/net/fib_trie"));
    addresses.extend(ipv6(&read("/proc/net/if_inet6")));
    addresses.sort_unstable();
    addresses.dedup();
    if addresses.is_empty() {
        tracing::warn!("the addresses of this box are not known; name them in denied_addresses");
    }
    addresses
}

/// Leaves of the kernel's routing trie that are local: an address line, then `/32 host LOCAL`.
fn ipv4(trie: &str) -> Vec<IpAddr> {
    let mut found = Vec::new();
    let mut last: Option<Ipv4Addr> = None;
    for line in trie.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("|-- ") {
            last = text.parse().ok();
        } else if line == "/32 host LOCAL"
            && let Some(address) = last
        {
            found.push(IpAddr::V4(address));
        }
    }
    found
}

/// Lines of `if_inet6`: the address as 32 hex digits, then the interface (proc(5)).
fn ipv6(table: &str) -> Vec<IpAddr> {
    let address = |line: &str| u128::from_str_radix(line.split_whitespace().next()?, 16).ok();
    table.lines().filter_map(address).map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_leaves_and_interface_lines_are_addresses() {
        let trie = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\nLocal:\n     |-- 127.0.0.1\n        /32 host LOCAL\n     \
                    |-- 172.17.0.2\n        /32 host LOCAL\n     |-- 172.17.255.255\n        /32 link BROADCAST\n";
        assert_eq!(ipv4(trie), [IpAddr::from([127, 0, 0, 1]), IpAddr::from([172, 17, 0, 2])]);
        let table =
            "00000000000000000000000000000001 01 80 10 80       lo\nfe800000000000000042acfffe110002 02 40 20 80     eth0\nnonsense\n";
        assert_eq!(ipv6(table), ["::1".parse::<IpAddr>().unwrap(), "fe80::42:acff:fe11:2".parse().unwrap()]);
    }

    #[test]
    fn this_box_has_the_loopback_address() {
        assert!(list().contains(&IpAddr::from([127, 0, 0, 1])));
    }
}
