//! Outbound rules of security groups, in Cloud Foundry's form.

use serde::{Deserialize, Serialize};

/// One rule: `protocol` to `destination` on `ports` is allowed. Everything no rule allows is denied.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct EgressRule {
    /// `tcp`, `udp`, `icmp`, `icmpv6` or `all`.
    pub protocol: String,
    /// An address, a CIDR, a range `a-b`, or several of these separated by commas.
    pub destination: String,
    /// `443`, `80,443`, `8000-9000`; required for `tcp` and `udp`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ports: Option<String>,
    /// ICMP type.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub icmp_type: Option<i32>,
    /// ICMP code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<i32>,
    /// What the rule is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Log connections that match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<bool>,
}
