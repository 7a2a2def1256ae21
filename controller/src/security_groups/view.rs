//! A security group as JSON.

use crate::answer;
use serde_json::{Value, json};
use virga_serve::Base;
use virga_store::security_groups::{Binding, Phase, SecurityGroupRow};

/// The group as the v3 API shows it, with those of `bindings` that are its own.
#[must_use]
pub fn view(base: &Base, group: &SecurityGroupRow, bindings: &[Binding]) -> Value {
    let spaces = |phase| {
        let own = bindings.iter().filter(move |binding| binding.group == group.guid && binding.phase == phase);
        answer::to_many(own.map(|binding| binding.space))
    };
    json!({
        "guid": group.guid,
        "created_at": answer::time(group.created_at),
        "updated_at": answer::time(group.updated_at),
        "name": group.name,
        "rules": group.rules,
        "globally_enabled": { "running": group.running_default, "staging": group.staging_default },
        "relationships": { "running_spaces": spaces(Phase::Running), "staging_spaces": spaces(Phase::Staging) },
        "links": { "self": answer::link(base, format_args!("/v3/security_groups/{}", group.guid)) },
    })
}
