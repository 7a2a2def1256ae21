//! Runs a child to its end: streams its output, watches its limits, and takes its whole process group down.

use crate::{child::usage, files, log::StagingLog};
use std::{io, path::PathBuf, process::ExitStatus, time::Duration};
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
        let used = group.0.map(usage::of_group).unwrap_or_default();
        if used.memory_bytes > watch.memory_bytes {
            return Limit::Memory;
        }
        if used.processes > watch.processes {
            return Limit::Processes;
        }
        count = count.wrapping_add(1);
        if count.is_multiple_of(DISK_WATCH_EVERY_TICKS) {
            let folder = watch.disk_folder.clone();
            let bytes = tokio::task::spawn_blocking(move || files::tree_bytes(&folder)).await.unwrap_or(0);
            if bytes > watch.disk_bytes {
                return Limit::Disk;
            }
        }
    }
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
