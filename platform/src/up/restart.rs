//! When a dead worker may start again: at once, unless it dies at its start again and again.

use std::time::Duration;

/// A worker that lived this long was no failure to start.
const GOOD_LIFE: Duration = Duration::from_secs(10);
/// The first pause.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Counts early deaths of one worker in a row.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Restarts {
    early_deaths: u32,
}

impl Restarts {
    /// Notes a death after `life`; answers how long to wait before the next start.
    pub fn died(&mut self, life: Duration) -> Duration {
        if life >= GOOD_LIFE {
            self.early_deaths = 0;
            return Duration::ZERO;
        }
        self.early_deaths = self.early_deaths.saturating_add(1);
        match self.early_deaths {
            1 => Duration::ZERO,
            deaths => FIRST_PAUSE.saturating_mul(1 << (deaths - 2).min(16)).min(LONGEST_PAUSE),
        }
    }

    /// Deaths at the start in a row.
    pub fn early_deaths(self) -> u32 {
        self.early_deaths
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_death_costs_nothing_and_a_row_of_them_slows_down() {
        let mut restarts = Restarts::default();
        let pauses: Vec<u128> = (0..10).map(|_| restarts.died(Duration::from_millis(5)).as_millis()).collect();
        assert_eq!(pauses, [0, 100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000]);
        assert_eq!(restarts.died(Duration::from_secs(60)), Duration::ZERO);
        assert_eq!(restarts.early_deaths(), 0);
        for _ in 0..100 {
            assert!(restarts.died(Duration::ZERO) <= LONGEST_PAUSE);
        }
    }
}
