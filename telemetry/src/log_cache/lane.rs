//! One lane of one app: envelopes in order of time, bounded in number and bytes.

use crate::weight;
use bytes::Bytes;
use std::{
    borrow::Cow,
    collections::{BTreeMap, VecDeque},
    ops::Range,
    sync::Arc,
};
use virga_contract::logs::{Envelope, Message};
use virga_model::AppGuid;

/// Tags are the same for all lines of an instance; they are kept once.
pub(super) type SharedTags = Arc<BTreeMap<String, String>>;

/// An envelope as it is kept.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) timestamp_ns: i64,
    instance_index: u32,
    source_type: Cow<'static, str>,
    tags: SharedTags,
    pub(super) message: Message,
}

impl Kept {
    /// A payload may be a small piece of a large buffer that it would keep alive: small ones are copied.
    const COPY_BELOW: usize = 4 << 10;

    pub(super) fn new(envelope: Envelope, tags: SharedTags) -> Self {
        let message = match envelope.message {
            Message::Log { payload, stream } if payload.len() < Self::COPY_BELOW => {
                Message::Log { payload: Bytes::copy_from_slice(&payload), stream }
            }
            message => message,
        };
        let Envelope { timestamp_ns, instance_index, source_type, .. } = envelope;
        Self { timestamp_ns, instance_index, source_type, tags, message }
    }

    pub(super) fn to_envelope(&self, app: AppGuid) -> Envelope {
        Envelope {
            timestamp_ns: self.timestamp_ns,
            app,
            instance_index: self.instance_index,
            source_type: self.source_type.clone(),
            tags: (*self.tags).clone(),
            message: self.message.clone(),
        }
    }

    fn weight(&self) -> usize {
        weight::of_message(&self.message)
    }
}

#[derive(Debug, Default)]
pub(super) struct Lane {
    kept: VecDeque<Kept>,
    pub(super) bytes: usize,
}

impl Lane {
    /// Puts an envelope in its place in time; the number that had to go.
    pub(super) fn insert(&mut self, kept: Kept, most: usize, most_bytes: usize) -> u64 {
        self.bytes += kept.weight();
        if self.kept.back().is_none_or(|last| last.timestamp_ns <= kept.timestamp_ns) {
            self.kept.push_back(kept);
        } else {
            let place = self.kept.partition_point(|other| other.timestamp_ns <= kept.timestamp_ns);
            self.kept.insert(place, kept);
        }
        let mut expired = 0;
        while self.kept.len() > most || (self.bytes > most_bytes && self.kept.len() > 1) {
            expired += self.expire_oldest();
        }
        expired
    }

    /// Lets the oldest go; 1, or 0 where there is none.
    pub(super) fn expire_oldest(&mut self) -> u64 {
        let Some(gone) = self.kept.pop_front() else { return 0 };
        self.bytes -= gone.weight();
        if self.kept.len() < self.kept.capacity() / 4 {
            self.kept.shrink_to(self.kept.len() * 2);
        }
        1
    }

    /// Those whose time lies in the range.
    pub(super) fn between(&self, times: &Range<i64>) -> impl DoubleEndedIterator<Item = &Kept> {
        let start = self.kept.partition_point(|kept| kept.timestamp_ns < times.start);
        let end = self.kept.partition_point(|kept| kept.timestamp_ns < times.end);
        self.kept.range(start..end.max(start))
    }

    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    pub(super) fn oldest_ns(&self) -> Option<i64> {
        self.kept.front().map(|kept| kept.timestamp_ns)
    }

    pub(super) fn newest_ns(&self) -> Option<i64> {
        self.kept.back().map(|kept| kept.timestamp_ns)
    }
}
