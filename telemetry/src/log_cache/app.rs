//! What the cache holds of one app.

use super::{
    CacheLimits,
    lane::{Kept, Lane, SharedTags},
    query::Query,
};
use crate::weight;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};
use virga_contract::logs::{Envelope, Message, SourceMeta};
use virga_model::AppGuid;

#[derive(Debug, Default)]
pub(super) struct AppCache {
    /// What the app and the platform wrote about it.
    lines: Lane,
    /// The router's access lines.
    access: Lane,
    /// Gauges, counters, timers.
    measures: Lane,
    /// The tags of the last few senders (instances, router, cell), newest last.
    tags: VecDeque<SharedTags>,
    tag_bytes: usize,
    expired: u64,
}

/// Sets of tags remembered for sharing; more senders than this at once share less.
const SENDERS: usize = 8;

impl AppCache {
    /// Puts one envelope in; the number that had to go.
    pub(super) fn insert(&mut self, mut envelope: Envelope, limits: &CacheLimits) -> u64 {
        let tags = self.share(std::mem::take(&mut envelope.tags));
        let lane = match (&envelope.message, &*envelope.source_type) {
            (Message::Log { .. }, "RTR") => &mut self.access,
            (Message::Log { .. }, _) => &mut self.lines,
            _ => &mut self.measures,
        };
        let expired = lane.insert(Kept::new(envelope, tags), limits.lane_envelopes, limits.lane_bytes);
        self.expired += expired;
        expired
    }

    fn share(&mut self, tags: BTreeMap<String, String>) -> SharedTags {
        if let Some(known) = self.tags.iter().rev().find(|known| ***known == tags) {
            return known.clone();
        }
        if self.tags.len() == SENDERS {
            self.tag_bytes -= self.tags.pop_front().map_or(0, |tags| weight::of_tags(&tags));
        }
        self.tag_bytes += weight::of_tags(&tags);
        let tags = Arc::new(tags);
        self.tags.push_back(tags.clone());
        tags
    }

    /// Bytes held, near enough: tags that no lane refers to any more are forgotten soon.
    pub(super) fn bytes(&self) -> usize {
        self.lines.bytes + self.access.bytes + self.measures.bytes + self.tag_bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lines.len() + self.access.len() + self.measures.len() == 0
    }

    /// Lets the oldest of the heaviest lane go until at most `bytes` are held; the number that went.
    pub(super) fn shrink(&mut self, bytes: usize) -> u64 {
        let mut expired = 0;
        while self.bytes() > bytes {
            let lanes = [&mut self.lines, &mut self.access, &mut self.measures];
            let gone = lanes.into_iter().max_by_key(|lane| lane.bytes).map_or(0, Lane::expire_oldest);
            if gone == 0 {
                break;
            }
            expired += gone;
        }
        self.expired += expired;
        expired
    }

    pub(super) fn read(&self, app: AppGuid, query: &Query) -> Vec<Envelope> {
        let mut found: Vec<&Kept> = Vec::new();
        for lane in [&self.lines, &self.access, &self.measures] {
            let wanted = lane.between(&query.times).filter(|kept| query.wants(&kept.message));
            if query.descending {
                found.extend(wanted.rev().take(query.limit));
            } else {
                found.extend(wanted.take(query.limit));
            }
        }
        if query.descending {
            found.sort_by_key(|kept| std::cmp::Reverse(kept.timestamp_ns));
        } else {
            found.sort_by_key(|kept| kept.timestamp_ns);
        }
        found.into_iter().take(query.limit).map(|kept| kept.to_envelope(app)).collect()
    }

    pub(super) fn meta(&self, app: AppGuid) -> Option<SourceMeta> {
        let lanes = [&self.lines, &self.access, &self.measures];
        let count = lanes.iter().map(|lane| lane.len()).sum::<usize>();
        Some(SourceMeta {
            app,
            count: u64::try_from(count).unwrap_or(u64::MAX),
            expired: self.expired,
            oldest_ns: lanes.iter().filter_map(|lane| lane.oldest_ns()).min()?,
            newest_ns: lanes.iter().filter_map(|lane| lane.newest_ns()).max()?,
        })
    }
}
