//! A segment as JSON.

use crate::answer;
use serde_json::{Value, json};
use virga_serve::Base;
use virga_store::isolation_segments::IsolationSegmentRow;

/// The segment as the v3 API shows it.
#[must_use]
pub fn view(base: &Base, segment: &IsolationSegmentRow) -> Value {
    let guid = segment.guid;
    json!({
        "guid": guid,
        "created_at": answer::time(segment.created_at),
        "updated_at": answer::time(segment.updated_at),
        "name": segment.name,
        "metadata": answer::metadata(&segment.metadata),
        "links": {
            "self": answer::link(base, format_args!("/v3/isolation_segments/{guid}")),
            "organizations": answer::link(base, format_args!("/v3/isolation_segments/{guid}/organizations")),
        },
    })
}
