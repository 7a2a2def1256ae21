//! The receipt of a push: how long each step took.

use super::staging::Staged;
use crate::cli::{
    instances::Stages,
    ui::{Ui, duration},
};
use std::time::{Duration, Instant};

/// Times of the steps, in order.
#[derive(Debug)]
pub struct Receipt {
    began: Instant,
    last: Instant,
    steps: Vec<(String, Duration)>,
}

impl Receipt {
    /// Starts the clock.
    pub fn start() -> Self {
        let now = Instant::now();
        Self { began: now, last: now, steps: Vec::new() }
    }

    /// Everything since the last mark belongs to no step.
    pub fn mark(&mut self) {
        self.last = Instant::now();
    }

    /// Ends a step.
    pub fn step(&mut self, name: &str) {
        let now = Instant::now();
        self.steps.push((name.to_owned(), now - self.last));
        self.last = now;
    }

    /// The staging: its compile step is measured by the server, `stage` is all the rest of it.
    pub fn staged(&mut self, staged: &Staged) {
        let whole = self.last.elapsed();
        let compile: u64 = staged.steps.iter().filter(|step| step.name == "compile").map(|step| step.duration_ms).sum();
        let compile = Duration::from_millis(compile).min(whole);
        self.steps.push(("stage".to_owned(), whole - compile));
        self.steps.push(("compile".to_owned(), compile));
        self.mark();
    }

    /// The stages of the start; each counts from the end of the one before.
    pub fn started(&mut self, stages: Stages) {
        let mut before = Duration::ZERO;
        for (name, reached) in [("place", stages.placed), ("first healthy", stages.healthy), ("routable", stages.routable)] {
            if let Some(at) = reached {
                self.steps.push((name.to_owned(), at.saturating_sub(before)));
                before = at;
            }
        }
        self.mark();
    }

    /// Prints it.
    pub fn show(&self, ui: Ui) -> std::io::Result<()> {
        let rows: Vec<Vec<String>> = self.steps.iter().map(|(name, time)| vec![name.clone(), duration(*time)]).collect();
        ui.blank()?;
        ui.table(&["step", "time"], &rows)?;
        ui.line(format!("total {}", duration(self.began.elapsed())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_stages_are_differences() {
        let mut receipt = Receipt::start();
        let ms = Duration::from_millis;
        receipt.started(Stages { placed: Some(ms(10)), healthy: Some(ms(30)), routable: Some(ms(35)) });
        let times: Vec<_> = receipt.steps.iter().map(|(name, time)| (name.as_str(), time.as_millis())).collect();
        assert_eq!(times, [("place", 10), ("first healthy", 20), ("routable", 5)]);
    }
}
