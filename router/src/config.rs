//! What a router is told once, before it serves.

use aws_lc_rs::hmac;
use std::{net::IpAddr, path::PathBuf};
use virga_contract::{
    cell::{WorkerConfig, WorkerIndex},
    limits::RouterLimits,
};
use virga_serve::reach::{AllowedAddress, Reach};

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
#[derive(Clone)]
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
    /// Signs what is sent to route services; the same in all routers of a platform. A secret.
    pub route_service_key: [u8; 32],
    /// Addresses that route services may be at although they are reserved, private or the platform's own.
    pub route_service_addresses: Vec<AllowedAddress>,
    /// The platform's own addresses, at which no route service may be.
    pub platform: Vec<ipnet::IpNet>,
}

impl std::fmt::Debug for RouterConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RouterConfig").field("worker", &self.worker).field("system_hosts", &self.system_hosts).finish_non_exhaustive()
    }
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
            route_service_key: route_service_key(&config.code_key),
            route_service_addresses: config.route_service_addresses.iter().filter_map(|text| text.parse().ok()).collect(),
            platform: config.denied_addresses.iter().filter_map(|text| network(text)).collect(),
        }
    }
}

impl RouterConfig {
    /// Where route services may be.
    pub(crate) fn route_service_reach(&self) -> Reach {
        Reach { allowed: self.route_service_addresses.clone(), platform: self.platform.clone() }
    }
}

/// A key for this use alone, from one that every worker of the platform has.
fn route_service_key(code_key: &[u8; 32]) -> [u8; 32] {
    let key = hmac::Key::new(hmac::HMAC_SHA256, code_key);
    let mut derived = [0; 32];
    derived.copy_from_slice(hmac::sign(&key, b"virga: signatures of route services").as_ref());
    derived
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
