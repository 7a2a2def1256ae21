//! How long each step of a staging took.

use std::time::Instant;

/// Steps in order, with their milliseconds.
pub(crate) struct Steps {
    list: Vec<(String, u64)>,
    since: Instant,
}

impl Steps {
    pub(crate) fn begin() -> Self {
        Self { list: Vec::new(), since: Instant::now() }
    }

    fn lap(&mut self) -> u64 {
        let now = Instant::now();
        let took = now.duration_since(self.since);
        self.since = now;
        u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
    }

    /// The step that ended now; a step named twice counts together.
    pub(crate) fn done(&mut self, name: &str) {
        let took = self.lap();
        self.add(name, took);
    }

    /// Steps that had nothing to do.
    pub(crate) fn skip(&mut self, names: &[&str]) {
        for name in names {
            self.add(name, 0);
        }
    }

    /// The child's own steps; what passed beyond them (its start, its reading) belongs to its first.
    pub(crate) fn took_over(&mut self, steps: Vec<(String, u64)>) {
        let passed = self.lap();
        let told: u64 = steps.iter().map(|(_, took)| took).sum();
        for (index, (name, took)) in steps.into_iter().enumerate() {
            self.add(&name, if index == 0 { took + passed.saturating_sub(told) } else { took });
        }
    }

    fn add(&mut self, name: &str, took: u64) {
        match self.list.iter_mut().find(|(held, _)| held == name) {
            Some((_, sum)) => *sum += took,
            None => self.list.push((name.to_owned(), took)),
        }
    }

    /// `toolchain` is left out where nothing had to be installed.
    pub(crate) fn into_list(mut self) -> Vec<(String, u64)> {
        self.list.retain(|(name, took)| name != "toolchain" || *took > 100);
        self.list
    }
}
