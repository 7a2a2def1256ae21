//! A read of the log cache, checked.

use regex::{Regex, RegexBuilder};
use std::ops::Range;
use virga_contract::logs::{Message, ReadQuery};

/// Bytes of a pattern and of its compiled form; a hostile pattern is refused, not run.
const PATTERN_BYTES: usize = 256;
const COMPILED_BYTES: usize = 1 << 20;
const KNOWN_TYPES: [&str; 6] = ["ANY", "LOG", "COUNTER", "GAUGE", "TIMER", "EVENT"];

pub(super) struct Query {
    pub(super) times: Range<i64>,
    pub(super) limit: usize,
    pub(super) descending: bool,
    /// Empty is any.
    types: Vec<String>,
    name: Option<Regex>,
}

impl Query {
    /// The text of the error says what is wrong.
    pub(super) fn parse(query: &ReadQuery) -> Result<Self, String> {
        if !(1..=1000).contains(&query.limit) {
            return Err(format!("Limit ({}) must be between 1 and 1000", query.limit));
        }
        let end = query.end_ns.unwrap_or(i64::MAX);
        if query.start_ns >= end {
            return Err(format!("StartTime ({}) must be before EndTime ({end})", query.start_ns));
        }
        if let Some(unknown) = query.envelope_types.iter().find(|kind| !KNOWN_TYPES.contains(&kind.as_str())) {
            return Err(format!("unknown envelope type {unknown}"));
        }
        let any = query.envelope_types.iter().any(|kind| kind == "ANY");
        let types = if any { Vec::new() } else { query.envelope_types.clone() };
        let name = query.name_filter.as_deref().filter(|pattern| !pattern.is_empty()).map(compile).transpose()?;
        Ok(Self { times: query.start_ns..end, limit: query.limit, descending: query.descending, types, name })
    }

    pub(super) fn wants(&self, message: &Message) -> bool {
        let kind = match message {
            Message::Log { .. } => "LOG",
            Message::Gauge(_) => "GAUGE",
            Message::Counter { .. } => "COUNTER",
            Message::Timer { .. } => "TIMER",
        };
        (self.types.is_empty() || self.types.iter().any(|wanted| wanted == kind))
            && self.name.as_ref().is_none_or(|name| named(name, message))
    }
}

fn compile(pattern: &str) -> Result<Regex, String> {
    if pattern.len() > PATTERN_BYTES {
        return Err(format!("name_filter is longer than {PATTERN_BYTES} bytes"));
    }
    RegexBuilder::new(pattern)
        .size_limit(COMPILED_BYTES)
        .build()
        .map_err(|error| format!("Name filter must be a valid regular expression: {error}"))
}

fn named(pattern: &Regex, message: &Message) -> bool {
    match message {
        Message::Log { .. } => false,
        Message::Gauge(metrics) => metrics.keys().any(|name| pattern.is_match(name)),
        Message::Counter { name, .. } | Message::Timer { name, .. } => pattern.is_match(name),
    }
}
