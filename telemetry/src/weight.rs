//! What an envelope weighs in memory, near enough to bound queues and the log cache by bytes.

use std::collections::BTreeMap;
use virga_contract::logs::{Envelope, Message};

/// Bytes of an envelope without its tags.
pub(crate) fn of_message(message: &Message) -> usize {
    std::mem::size_of::<Envelope>()
        + match message {
            Message::Log { payload, .. } => payload.len(),
            Message::Gauge(metrics) => metrics.iter().map(|(name, gauge)| name.len() + gauge.unit.len() + 64).sum(),
            Message::Counter { name, .. } | Message::Timer { name, .. } => name.len(),
        }
}

/// Bytes of a set of tags.
pub(crate) fn of_tags(tags: &BTreeMap<String, String>) -> usize {
    tags.iter().map(|(key, value)| key.len() + value.len() + 64).sum()
}

/// Bytes of an envelope with its tags.
pub(crate) fn of(envelope: &Envelope) -> usize {
    of_message(&envelope.message) + of_tags(&envelope.tags)
}
