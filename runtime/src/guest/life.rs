//! Guests that live between requests: servers, workers, and the runs of tasks. One run of the droplet's command, from the start
//! of its instance to its own end, with memory and disk of its own and a fair share of the thread, and no limit on its time.

use crate::{
    command::words,
    guest::command,
    instance::{AppInstance, reason},
    limits::{CpuMeter, LimitHit},
    loader::LoadError,
    program::Program,
    sockets::Listener,
    store::new_store,
    turns::{Taking, Turns},
};
use std::{
    pin::Pin,
    sync::{Arc, Mutex, OnceLock, PoisonError, atomic::Ordering::Relaxed},
    task::{Context, Poll},
    time::Duration,
};
use virga_contract::cell::LinkError;

/// Most bytes that lie in one direction of a connection to a server.
const PIPE_BYTES: usize = 64 << 10;
/// First and longest pause before a droplet that could not be fetched is asked for again, and how often at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));
const TRIES: u32 = 12;

/// How a life ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// By itself, with this status.
    Exited(i32),
    /// It needed more memory than it may have.
    OutOfMemory,
    /// It trapped, or could not be started.
    Failed(String),
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exited(status) => write!(f, "Exited with status {status}"),
            Self::OutOfMemory => f.write_str("Exited with status 137 (out of memory)"),
            Self::Failed(reason) => f.write_str(reason),
        }
    }
}

/// The one life of an instance; an instance that is to live again is another.
#[derive(Default)]
pub struct Life {
    stage: Mutex<Stage>,
    listener: OnceLock<Arc<Listener>>,
}

#[derive(Default)]
enum Stage {
    #[default]
    Unborn,
    Alive,
    Ended(End),
}

impl Life {
    /// How it ended, if it did.
    pub fn end(&self) -> Option<End> {
        match &*self.stage.lock().unwrap_or_else(PoisonError::into_inner) {
            Stage::Ended(end) => Some(end.clone()),
            Stage::Unborn | Stage::Alive => None,
        }
    }

    /// Where it may listen.
    pub fn listener(&self, instance: &AppInstance) -> &Arc<Listener> {
        let limits = &instance.cell.limits.cell;
        let pipe = PIPE_BYTES.min(limits.host_buffer_bytes / 2).max(4096);
        self.listener.get_or_init(|| Listener::new(crate::environment::PORT, limits.server_connections, pipe))
    }

    /// Whether it was ever started.
    pub fn has_begun(&self) -> bool {
        !matches!(*self.stage.lock().unwrap_or_else(PoisonError::into_inner), Stage::Unborn)
    }

    fn begin(&self) -> bool {
        let mut stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        let is_unborn = matches!(*stage, Stage::Unborn);
        if is_unborn {
            *stage = Stage::Alive;
        }
        is_unborn
    }

    fn over(&self, end: End) {
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner) = Stage::Ended(end);
    }
}

impl AppInstance {
    /// Starts its life, once, as a task of the cell; `ended` hears how it ended by itself. Nobody hears of one that was taken
    /// away, or of the end of the worker.
    pub(crate) fn begin_life(self: &Arc<Self>, ended: impl FnOnce(&Self, &End) + Send + 'static) {
        if !self.life.begin() {
            return;
        }
        let instance = self.clone();
        self.cell.lives.spawn(async move {
            let end = tokio::select! {
                biased;
                end = run(&instance) => end,
                () = instance.taken_away() => return,
            };
            match &end {
                End::Exited(status) => instance.log.own(format!("Exit status {status}")),
                End::OutOfMemory => {
                    instance.log.cell(format!("out of memory: the limit is {} MB", instance.process.memory_mb));
                    instance.log.own("Exit status 137 (out of memory)");
                }
                End::Failed(reason) => instance.log.cell(format!("the app failed: {reason}")),
            }
            instance.life.over(end.clone());
            ended(&instance, &end);
        });
    }

    /// Waits until it must go: the worker stops, or the instance was taken away and what was in flight has ended, or had its time.
    async fn taken_away(&self) {
        let left = async {
            self.gone.cancelled().await;
            let grace = Duration::from_millis(self.cell.limits.cell.stop_grace_ms);
            // Over either way: with or without connections that would not end.
            let _in_time = tokio::time::timeout(grace, self.life.listener(self).idle()).await;
        };
        tokio::select! {
            () = left => {}
            () = self.cell.stopping.cancelled() => {}
        }
        // Before the guest goes, whose connections would otherwise seem to end in order.
        self.life.listener(self).end();
    }
}

async fn run(instance: &Arc<AppInstance>) -> End {
    let program = match load(instance).await {
        Ok(program) => program,
        Err(error) => return End::Failed(format!("the app could not be loaded: {error}")),
    };
    let arguments = match arguments(instance, &program) {
        Ok(arguments) => arguments,
        Err(problem) => return End::Failed(problem),
    };
    let Some(pre) = &program.command else {
        return End::Failed("this droplet has no command to run: its program exports no wasi:cli/run, it only answers requests".to_owned());
    };
    let meter = Arc::new(CpuMeter::new(Duration::MAX));
    let mut adjust = |builder: &mut wasmtime_wasi::WasiCtxBuilder| {
        builder.args(&arguments);
    };
    let mut store = match new_store(instance, &program, meter.clone(), Some(&mut adjust)) {
        Ok(store) => store,
        Err(error) => return End::Failed(reason(&error)),
    };
    let turns = Turns::new(instance.cell.turns.clone());
    store.data_mut().live(instance.life.listener(instance).clone(), turns.clone());
    let living = Living { run: Taking::new(command::call(pre, &mut store), turns), meter, instance };
    let ended = living.await;
    instance.life.listener(instance).end();
    match ended {
        Ok(status) => End::Exited(status),
        Err(error) if error.downcast_ref::<LimitHit>() == Some(&LimitHit::Memory) || store.data_mut().limiter.take_refused() => {
            End::OutOfMemory
        }
        Err(error) => End::Failed(reason(&error)),
    }
}

/// The droplet; while the control process is away it is waited for.
async fn load(instance: &AppInstance) -> Result<Arc<Program>, LoadError> {
    let mut pause = PAUSES.0;
    for _ in 1..TRIES {
        match instance.try_program().await {
            Ok((program, _)) => return Ok(program),
            Err(LoadError::Link(LinkError::Away(_)) | LoadError::Io(_)) => tokio::time::sleep(pause).await,
            Err(error) => return Err(error),
        }
        pause = (pause * 2).min(PAUSES.1);
    }
    instance.try_program().await.map(|(program, _)| program)
}

/// The program's arguments: the words of its command. A task's command that is the name of one of the droplet's process types stands
/// for that one's.
///
/// # Errors
/// A text that says what in it cannot be run.
pub fn arguments(instance: &AppInstance, program: &Program) -> Result<Vec<String>, String> {
    let own = instance.process.command.as_deref().unwrap_or_default().trim();
    let named = if instance.is_task { program.process_types.get(own) } else { None };
    let line = named.map_or(own, String::as_str);
    let environment = instance.environment();
    let variable = |name: &str| environment.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    let words = words(line, variable)?;
    Ok(if words.is_empty() { vec!["app.wasm".to_owned()] } else { words })
}

/// A run whose polls are counted as CPU time of its instance, and during which the epoch beats.
struct Living<'a, F> {
    run: Taking<F>,
    meter: Arc<CpuMeter>,
    instance: &'a Arc<AppInstance>,
}

impl<F: Future> Future for Living<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let _beating = self.instance.cell.ticker.running();
        self.meter.begin_poll();
        let polled = Pin::new(&mut self.run).poll(cx);
        let used = self.meter.end_poll();
        self.instance.cpu_ns.fetch_add(used, Relaxed);
        polled
    }
}
