//! The queue of one app: a share for what the app and the platform say, and a smaller one for access lines.

use super::QueueLimits;
use std::collections::VecDeque;
use virga_contract::logs::{Envelope, LogStream, Message};
use virga_model::AppGuid;

/// An envelope that waits.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) envelope: Envelope,
    /// Its part of the bytes that wait; 0 for what the queue itself says.
    pub(super) bytes: usize,
    /// Whether it was given by somebody and so counts when it is lost.
    pub(super) counted: bool,
}

#[derive(Debug, Default)]
struct Share {
    entries: VecDeque<Entry>,
    bytes: usize,
    /// Dropped since the last line about it.
    dropped: u64,
    /// Dropped in all, for the counter.
    dropped_total: u64,
    /// When the last was dropped.
    dropped_ns: i64,
}

#[derive(Debug, Default)]
pub(super) struct AppQueue {
    lines: Share,
    access: Share,
    /// Whether the app stands in its shard's list of turns.
    has_turn: bool,
}

/// Whether an envelope tells of a request rather than of the app.
pub(super) fn is_access(envelope: &Envelope) -> bool {
    envelope.source_type == "RTR" || matches!(envelope.message, Message::Timer { .. })
}

impl AppQueue {
    /// Takes an envelope in if there is room; otherwise counts it.
    pub(super) fn push(&mut self, envelope: Envelope, bytes: usize, is_full: bool, limits: &QueueLimits) -> bool {
        let waiting = self.lines.bytes + self.access.bytes;
        let is_access = is_access(&envelope);
        let part = if is_access { limits.access_part.max(1) } else { 1 };
        let share = if is_access { &mut self.access } else { &mut self.lines };
        let fits = share.entries.len() < limits.app_envelopes / part && share.bytes + bytes <= limits.app_bytes / part;
        if fits && (!is_full || waiting + bytes <= limits.reserved_bytes) {
            share.bytes += bytes;
            share.entries.push_back(Entry { envelope, bytes, counted: true });
            return true;
        }
        share.count_drop(envelope.timestamp_ns);
        false
    }

    pub(super) fn count_drop(&mut self, is_access: bool, now_ns: i64) {
        let share = if is_access { &mut self.access } else { &mut self.lines };
        share.count_drop(now_ns);
    }

    /// Whether the app should now be put on the list of turns; says so once until its turn came.
    pub(super) fn wants_turn(&mut self) -> bool {
        let wants = !self.has_turn && (self.lines.has_news() || self.access.has_news());
        self.has_turn |= wants;
        wants
    }

    /// Whether nothing is lost by forgetting this queue.
    pub(super) fn is_forgettable(&self) -> bool {
        self.lines.dropped_total + self.access.dropped_total == 0
    }

    /// One turn: moves up to `most` envelopes and about `most_bytes` into the batch, lines first; the bytes moved.
    pub(super) fn take(&mut self, app: AppGuid, most: usize, most_bytes: usize, now_ns: i64, batch: &mut Vec<Entry>) -> usize {
        self.has_turn = false;
        let before = batch.len();
        let mut bytes = 0;
        for (share, what) in [(&mut self.lines, "log lines"), (&mut self.access, "access log lines")] {
            while batch.len() - before < most && bytes < most_bytes {
                let Some(entry) = share.entries.pop_front() else { break };
                share.bytes -= entry.bytes;
                bytes += entry.bytes;
                batch.push(entry);
            }
            if share.entries.is_empty() {
                share.entries.shrink_to(32);
                share.say_dropped(app, what, now_ns, batch);
            }
        }
        bytes
    }
}

impl Share {
    fn count_drop(&mut self, at_ns: i64) {
        self.dropped += 1;
        self.dropped_total += 1;
        self.dropped_ns = at_ns;
    }

    fn has_news(&self) -> bool {
        !self.entries.is_empty() || self.dropped > 0
    }

    /// The gap, where it lies: after all that was taken in before it.
    fn say_dropped(&mut self, app: AppGuid, what: &str, now_ns: i64, batch: &mut Vec<Entry>) {
        if self.dropped == 0 {
            return;
        }
        let delta = std::mem::take(&mut self.dropped);
        let text = format!("{delta} {what} were dropped because the log queue of this app was full");
        let line = Envelope::line(self.dropped_ns, app, "LGR", 0, LogStream::Err, text);
        let name = if what == "log lines" { "dropped" } else { "dropped_access" };
        let message = Message::Counter { name: name.to_owned(), delta, total: self.dropped_total };
        let counter = Envelope { timestamp_ns: now_ns, message, ..line.clone() };
        batch.extend([line, counter].map(|envelope| Entry { bytes: 0, envelope, counted: false }));
    }
}
