//! A stack as JSON.

use super::DEFAULT_STACK;
use crate::answer;
use serde_json::{Value, json};
use virga_serve::Base;
use virga_store::stacks::StackRow;

/// The stack as the v3 API shows it.
#[must_use]
pub fn view(base: &Base, stack: &StackRow) -> Value {
    json!({
        "guid": stack.guid,
        "created_at": answer::time(stack.created_at),
        "updated_at": answer::time(stack.updated_at),
        "name": stack.name,
        "description": stack.description,
        "state": stack.state,
        "state_reason": stack.state_reason,
        "run_rootfs_image": stack.name,
        "build_rootfs_image": stack.name,
        "default": stack.name == DEFAULT_STACK,
        "metadata": answer::metadata(&stack.metadata),
        "links": { "self": answer::link(base, format_args!("/v3/stacks/{}", stack.guid)) },
    })
}
