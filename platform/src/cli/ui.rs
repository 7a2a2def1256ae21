//! What the person at the terminal sees: lines and tables as `cf` prints them, progress bars only on a terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{
    io::{self, IsTerminal as _, Write as _},
    time::Duration,
};

/// Where output goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sink {
    Stdout,
    Stderr,
}

/// Output of one command.
#[derive(Debug, Clone, Copy)]
pub struct Ui {
    sink: Sink,
    terminal: bool,
}

impl Ui {
    /// The usual one.
    pub fn stdout() -> Self {
        Self { sink: Sink::Stdout, terminal: io::stdout().is_terminal() && io::stderr().is_terminal() }
    }

    /// For commands whose standard output is for machines.
    pub fn stderr() -> Self {
        Self { sink: Sink::Stderr, terminal: false }
    }

    /// One line.
    pub fn line(&self, text: impl AsRef<str>) -> io::Result<()> {
        match self.sink {
            Sink::Stdout => writeln!(io::stdout().lock(), "{}", text.as_ref()),
            Sink::Stderr => writeln!(io::stderr().lock(), "{}", text.as_ref()),
        }
    }

    /// An empty line.
    pub fn blank(&self) -> io::Result<()> {
        self.line("")
    }

    /// `OK`, as after every change.
    pub fn ok(&self) -> io::Result<()> {
        self.line("OK")
    }

    /// A table with a heading; columns are three spaces apart.
    pub fn table(&self, heading: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
        let heading: Vec<String> = heading.iter().map(|&h| h.to_owned()).collect();
        let all: Vec<&Vec<String>> = std::iter::once(&heading).chain(rows).collect();
        for line in align(&all) {
            self.line(line)?;
        }
        Ok(())
    }

    /// `name:   value` lines, values aligned.
    pub fn pairs(&self, pairs: &[(&str, String)]) -> io::Result<()> {
        let rows: Vec<Vec<String>> = pairs.iter().map(|(key, value)| vec![(*key).to_owned(), value.clone()]).collect();
        for line in align(&rows.iter().collect::<Vec<_>>()) {
            self.line(line)?;
        }
        Ok(())
    }

    /// A bar over `total` bytes; invisible when nobody watches a terminal.
    pub fn bar(&self, total: u64) -> ProgressBar {
        if !self.terminal {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template(" {bytes} / {total_bytes} [{bar:50.cyan}] {percent}% {elapsed}");
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
        match style {
            Ok(style) => bar.with_style(style.progress_chars("=> ")),
            Err(_) => bar,
        }
    }

    /// A spinner with a text; invisible when nobody watches a terminal.
    pub fn spinner(&self, text: &str) -> ProgressBar {
        if !self.terminal {
            return ProgressBar::hidden();
        }
        let spinner = ProgressBar::new_spinner().with_message(text.to_owned());
        spinner.enable_steady_tick(Duration::from_millis(100));
        spinner
    }
}

fn align(rows: &[&Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(|row| row.len()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|column| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0))
        .collect();
    rows.iter()
        .map(|row| {
            let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}"));
            cells.collect::<Vec<_>>().join("   ").trim_end().to_owned()
        })
        .collect()
}

/// Bytes as `cf` writes them: `1.2M`, `256M`, `0B`.
pub fn bytes(count: u64) -> String {
    const UNITS: [(&str, u64); 4] = [("T", 1 << 40), ("G", 1 << 30), ("M", 1 << 20), ("K", 1 << 10)];
    match UNITS.iter().find(|(_, size)| count >= *size) {
        Some((unit, size)) => {
            // Tenths, rounded down like cf's bytefmt.
            let tenths = u128::from(count) * 10 / u128::from(*size);
            if tenths % 10 == 0 { format!("{}{unit}", tenths / 10) } else { format!("{}.{}{unit}", tenths / 10, tenths % 10) }
        }
        None => format!("{count}B"),
    }
}

/// A duration for a receipt: `12 ms`, `3.4 s`.
pub fn duration(time: Duration) -> String {
    if time < Duration::from_secs(1) { format!("{} ms", time.as_millis()) } else { format!("{:.1} s", time.as_secs_f64()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_cf_writes_them() {
        let cases = [(0, "0B"), (1023, "1023B"), (1 << 20, "1M"), (268_435_456, "256M"), (1_572_864, "1.5M"), (1 << 30, "1G")];
        for (count, text) in cases {
            assert_eq!(bytes(count), text);
        }
    }

    #[test]
    fn columns_line_up() {
        let rows = [vec!["name".to_owned(), "state".to_owned()], vec!["a".to_owned(), "b".to_owned()]];
        assert_eq!(align(&rows.iter().collect::<Vec<_>>()), ["name   state", "a      b"]);
    }
}
