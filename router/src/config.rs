//! What a router is told once, before it serves.

use std::{net::IpAddr, path::PathBuf};
use virga_contract::{
    cell::{WorkerConfig, WorkerIndex},
    limits::RouterLimits,
};

/// How one of several instances is chosen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Balancing {
    /// One after the other.
    #[default]
    RoundRobin,
    /// The one with the fewest requests in flight in this worker; ties go round.
    LeastConnection,
}

/// Settings of one worker's router.
#[derive(Debug, Clone)]
pub struct RouterConfig {
    /// The worker this router lives in; `instance_index` of its access-log lines.
    pub worker: WorkerIndex,
    /// Limits on clients.
    pub limits: RouterLimits,
    /// Host names of the system's own API, without port.
    pub system_hosts: Vec<String>,
    /// Addresses (`host:port`) at which the system API answers without DNS. IP literals and `localhost` always do,
    /// unless they are an app's route.
    pub bare_hosts: Vec<String>,
    /// Unix socket of the control process's API server.
    pub api_socket: PathBuf,
    /// How one of several instances is chosen.
    pub balancing: Balancing,
    /// Cookies of an app that make its sessions sticky; `JSESSIONID`.
    pub sticky_cookies: Vec<String>,
    /// Load balancers in front, whose `X-Forwarded-Proto` and `X-Forwarded-Host` are believed; none by default.
    pub trusted_proxies: Vec<ipnet::IpNet>,
    /// Address at which TCP routes listen; none opens no port.
    pub tcp_listen: Option<IpAddr>,
}

/// An address or a network; `None` for a text that is neither.
#[must_use]
pub fn network(text: &str) -> Option<ipnet::IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(Into::into))
}

impl RouterConfig {
    /// The settings that the control process gives a worker, the rest at its default.
    #[must_use]
    pub fn from_worker(worker: WorkerIndex, config: &WorkerConfig) -> Self {
        Self {
            worker,
            limits: config.router_limits.clone(),
            system_hosts: config.system_hosts.clone(),
            bare_hosts: config.bare_hosts.clone(),
            api_socket: config.api_socket.clone(),
            balancing: Balancing::default(),
            sticky_cookies: vec!["JSESSIONID".to_owned()],
            trusted_proxies: config.trusted_proxies.iter().filter_map(|text| network(text)).collect(),
            tcp_listen: config.tcp_listen,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_network_of_one() {
        assert!(network("10.0.0.0/8").is_some_and(|net| net.contains(&IpAddr::from([10, 9, 8, 7]))));
        assert_eq!(network("10.0.0.1").map(|net| net.prefix_len()), Some(32));
        assert_eq!(network("fd00::1").map(|net| net.prefix_len()), Some(128));
        assert_eq!((network("proxy"), network("10.0.0.0/33")), (None, None));
    }
}
