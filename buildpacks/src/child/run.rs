//! Runs a child to its end: streams its output, watches its limits, and takes its whole process group down.

use crate::{child::usage, files, log::StagingLog};
use std::{
    io,
    path::{Path, PathBuf},
    process::ExitStatus,
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, BufReader},
    time::{Instant, MissedTickBehavior, interval},
};
use virga_contract::logs::LogStream;

const WATCH_EVERY: Duration = Duration::from_millis(200);
/// Walking the folder is dearer than reading `/proc`.
const DISK_WATCH_EVERY_TICKS: u32 = 10;
const LAST_LINES: usize = 20;

/// Bounds that are watched from outside.
#[derive(Debug, Clone)]
pub(crate) struct Watch {
    pub(crate) wall: Duration,
    pub(crate) memory_bytes: u64,
    pub(crate) processes: usize,
    pub(crate) disk_bytes: u64,
    /// The folder whose size is `disk_bytes` at most.
    pub(crate) disk_folder: PathBuf,
    /// A second folder that is written to, with the most it may hold.
    pub(crate) cache: Option<(PathBuf, u64)>,
    /// Bytes that must stay free on the disk.
    pub(crate) reserve_bytes: u64,
    pub(crate) output_bytes: u64,
    pub(crate) line_bytes: usize,
}

/// How a child ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// By itself.
    Exited {
        status: ExitStatus,
        /// Its last lines, for an error text.
        last_lines: Vec<String>,
    },
    /// It was stopped at a limit.
    Stopped(Limit),
}

/// The limit that a child hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limit {
    Wall,
    Memory,
    Processes,
    Disk,
    /// Of the second folder.
    Cache,
    /// What must stay free on the disk.
    Reserve,
}

/// Runs `command`. Its output goes to `log`, where there is one.
pub(crate) async fn run(mut command: tokio::process::Command, watch: &Watch, log: Option<&StagingLog>) -> io::Result<Ended> {
    let mut child = command.spawn()?;
    let group = Group(child.id());
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(io::Error::other("the child has no output"));
    };
    let output = tokio::sync::Mutex::new(Output { left: watch.output_bytes, line_bytes: watch.line_bytes, last: Vec::new(), log });
    let ended = {
        let pumped = async { tokio::join!(pump(stdout, LogStream::Out, &output), pump(stderr, LogStream::Err, &output)) };
        let exited = async {
            // The output ends with the last process that holds it, the child itself may be gone before.
            let (status, _) = tokio::join!(child.wait(), pumped);
            status.map(Ok)
        };
        tokio::select! {
            status = exited => status?,
            limit = watching(&group, watch) => Err(limit),
        }
    };
    group.kill();
    drop(child);
    Ok(match ended {
        Ok(status) => Ended::Exited { status, last_lines: output.into_inner().last },
        Err(limit) => Ended::Stopped(limit),
    })
}

/// The child's process group; killed as a whole when this goes, also when the future running it is dropped.
struct Group(Option<u32>);

impl Group {
    fn kill(&self) {
        let pid = self.0.and_then(|pid| i32::try_from(pid).ok()).and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid
            && let Err(error) = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL)
            && error != rustix::io::Errno::SRCH
        {
            tracing::error!(%error, "staging: the process group could not be ended");
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

async fn watching(group: &Group, watch: &Watch) -> Limit {
    let deadline = Instant::now() + watch.wall;
    let mut ticks = interval(WATCH_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut count = 0_u32;
    loop {
        ticks.tick().await;
        if Instant::now() >= deadline {
            return Limit::Wall;
        }
        let used = group.0.map(usage::of_child).unwrap_or_default();
        if used.memory_bytes > watch.memory_bytes {
            return Limit::Memory;
        }
        if used.processes > watch.processes {
            return Limit::Processes;
        }
        if rustix::fs::statvfs(&watch.disk_folder).is_ok_and(|disk| disk.f_bavail.saturating_mul(disk.f_frsize) < watch.reserve_bytes) {
            return Limit::Reserve;
        }
        count = count.wrapping_add(1);
        if count.is_multiple_of(DISK_WATCH_EVERY_TICKS) {
            if is_over(&watch.disk_folder, watch.disk_bytes).await {
                return Limit::Disk;
            }
            if let Some((cache, bytes)) = &watch.cache
                && is_over(cache, *bytes).await
            {
                return Limit::Cache;
            }
        }
    }
}

/// Walks the folder off the loop. One that cannot be walked (deeper than paths may be long, or closed to us) hides its size.
async fn is_over(folder: &Path, bytes: u64) -> bool {
    let folder = folder.to_owned();
    tokio::task::spawn_blocking(move || files::is_tree_over(&folder, bytes)).await.unwrap_or(true)
}

struct Output<'a> {
    left: u64,
    line_bytes: usize,
    last: Vec<String>,
    log: Option<&'a StagingLog>,
}

impl Output<'_> {
    fn line(&mut self, stream: LogStream, line: &[u8]) {
        if self.last.len() == LAST_LINES {
            self.last.remove(0);
        }
        self.last.push(String::from_utf8_lossy(line).into_owned());
        let Some(log) = self.log else { return };
        if self.left == 0 {
            return;
        }
        self.left = self.left.saturating_sub(line.len() as u64 + 1);
        log.line(stream, line.to_vec());
        if self.left == 0 {
            log.line(LogStream::Err, "The output of this staging has reached its limit; what follows is not shown".to_owned());
        }
    }
}

/// Reads lines, each cut at the limit; never holds more than one of them.
async fn pump(from: impl AsyncRead + Unpin, stream: LogStream, output: &tokio::sync::Mutex<Output<'_>>) {
    let mut reader = BufReader::with_capacity(16 << 10, from);
    let limit = output.lock().await.line_bytes;
    let mut line = Vec::new();
    loop {
        let (taken, ended_line) = match reader.fill_buf().await {
            Ok([]) | Err(_) => break,
            Ok(held) => {
                let piece = held.split(|byte| *byte == b'\n').next().unwrap_or_default();
                let room = limit.saturating_sub(line.len());
                let kept = piece.get(..room).unwrap_or(piece);
                line.extend_from_slice(kept);
                (kept.len(), kept.len() == piece.len() && piece.len() < held.len())
            }
        };
        reader.consume(if ended_line { taken + 1 } else { taken });
        if ended_line || line.len() >= limit {
            output.lock().await.line(stream, line.strip_suffix(b"\r").unwrap_or(&line));
            line.clear();
        }
    }
    if !line.is_empty() {
        output.lock().await.line(stream, &line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::child::command;
    use std::{
        collections::BTreeMap,
        ffi::OsStr,
        path::Path,
        sync::{Arc, Mutex},
    };
    use virga_contract::logs::{Envelope, LogSink, Message};
    use virga_model::AppGuid;

    #[derive(Default)]
    struct Lines(Mutex<Vec<String>>);

    impl LogSink for Lines {
        fn emit(&self, envelope: Envelope) {
            if let Message::Log { payload, .. } = envelope.message {
                self.0.lock().unwrap().push(String::from_utf8_lossy(&payload).into_owned());
            }
        }
    }

    async fn shell(script: &str, change: impl FnOnce(&mut Watch)) -> (Ended, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        let mut watch = Watch {
            wall: Duration::from_secs(60),
            memory_bytes: 1 << 30,
            processes: 16,
            disk_bytes: 1 << 30,
            disk_folder: folder.path().to_owned(),
            cache: None,
            reserve_bytes: 0,
            output_bytes: 1 << 20,
            line_bytes: 100,
        };
        change(&mut watch);
        let lines = Arc::new(Lines::default());
        let log = StagingLog::new(AppGuid::random(), lines.clone());
        let command = command::prepare(Path::new("sh"), &[OsStr::new("-c"), OsStr::new(script)], folder.path(), &BTreeMap::new());
        let ended = run(command, &watch, Some(&log)).await.unwrap();
        let said = lines.0.lock().unwrap().clone();
        (ended, said)
    }

    fn limit_of(ended: &Ended) -> Option<Limit> {
        match ended {
            Ended::Stopped(limit) => Some(*limit),
            Ended::Exited { .. } => None,
        }
    }

    #[tokio::test]
    async fn each_limit_stops_the_child_with_all_it_started() {
        let waiting = "echo $$; sleep 600 & sleep 600 & sleep 600";
        let (late, said) = shell(waiting, |watch| watch.wall = Duration::from_millis(300)).await;
        assert_eq!(limit_of(&late), Some(Limit::Wall));
        let group: u32 = said[0].parse().unwrap();
        while usage::of_child(group).memory_bytes > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(limit_of(&shell(waiting, |watch| watch.processes = 2).await.0), Some(Limit::Processes));
        assert_eq!(limit_of(&shell(waiting, |watch| watch.memory_bytes = 1000).await.0), Some(Limit::Memory));
        let filling = "head -c 200000 /dev/zero > big; sleep 600";
        assert_eq!(limit_of(&shell(filling, |watch| watch.disk_bytes = 100_000).await.0), Some(Limit::Disk));
    }

    #[tokio::test]
    async fn output_is_cut_into_lines_and_ends_with_a_word_at_its_limit() {
        let (ended, said) = shell("printf 'one\\r\\ntwo\\n'; printf three >&2; exit 3", |_| {}).await;
        let mut sorted = said;
        sorted.sort();
        assert_eq!(sorted, ["one", "three", "two"]);
        assert!(matches!(ended, Ended::Exited { status, last_lines } if status.code() == Some(3) && last_lines.len() == 3));
        let (_, long) = shell("head -c 250 /dev/zero | tr '\\0' x", |_| {}).await;
        assert_eq!(long.iter().map(String::len).collect::<Vec<_>>(), [100, 100, 50]);
        let (_, flood) = shell("yes | head -n 100000", |watch| watch.output_bytes = 10).await;
        assert_eq!(flood.len(), 6);
        assert!(flood[5].contains("has reached its limit"));
    }
}
