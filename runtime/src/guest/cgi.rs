//! CGI (RFC 3875): a fresh run of a WASI command per request; the request in the environment and on stdin, the answer
//! on stdout. Runs for which there is no memory wait in the app instance's line.

mod answer;
mod variables;

use crate::{
    guest::{
        command::{self, Made},
        life,
        line::{First, StartFailed},
        meter::{Metered, Outcome},
    },
    instance::{AppInstance, Slot},
    limits::CpuMeter,
    program::Program,
    store::{GuestState, new_store},
};
use answer::Head;
use futures::StreamExt as _;
use http_body_util::{BodyExt as _, StreamBody};
use std::sync::Arc;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream},
    sync::oneshot,
    task::{AbortHandle, JoinHandle},
};
use tokio_util::io::ReaderStream;
use virga_contract::{Body, cell::CellError};
use wasmtime::Store;
use wasmtime_wasi::cli::{AsyncStdinStream, AsyncStdoutStream};

/// Bytes of an answer's head.
const HEAD_BYTES: usize = 64 << 10;
/// Bytes the guest's output may run ahead of its reader by one write.
const WRITE_BUDGET: usize = 8 << 10;

/// The guest's standard input and output, seen from here.
struct Ends {
    stdin: DuplexStream,
    stdout: DuplexStream,
}

/// Serves one request with a run of its own.
pub async fn serve(slot: Slot, program: Arc<Program>, request: http::Request<Body>) -> Result<(http::Response<Body>, bool), CellError> {
    let instance = slot.instance.clone();
    let limits = &instance.cell.limits;
    let (parts, body) = request.into_parts();
    let meter = Arc::new(CpuMeter::new(limits.request_cpu()));
    let outcome = Arc::new(Outcome::default());
    let (began, ends) = oneshot::channel();
    let run = run(slot, program, variables::of(&parts), began, meter.clone(), outcome.clone());
    let run = Metered::new(run, meter, instance.clone(), limits.request_wall());
    let mut run = Running { run: instance.cell.tails.spawn(run), feeding: None };
    let mut read = Vec::with_capacity(1024);
    let answered = match ends.await {
        Ok(Ends { stdin, mut stdout }) => {
            let feeding = feed(body, stdin, run.run.abort_handle(), instance.clone());
            run.feeding = Some(instance.cell.tails.spawn(feeding).abort_handle());
            head(&mut stdout, &mut read).await.map(|head| head.map(|head| (head, stdout)))
        }
        Err(_) => Ok(None),
    };
    let reason = match answered {
        Ok(Some((head, stdout))) => return Ok((respond(head, read, stdout, outcome, run), false)),
        Ok(None) => {
            // It ended without an answer, or could not be started: the run tells why.
            (&mut run.run).await.map_err(|_| CellError::Guest("its run was broken off".to_owned()))??;
            "it ended without an answer".to_owned()
        }
        Err(reason) => reason,
    };
    instance.log.cell(format!("the app failed: {reason}"));
    Err(CellError::Guest(reason))
}

/// Reads the answer's head, and what came with it; `None` when there will be none.
async fn head(stdout: &mut DuplexStream, read: &mut Vec<u8>) -> Result<Option<Head>, String> {
    loop {
        if let Some(head) = answer::parse(read)? {
            return Ok(Some(head));
        }
        if read.len() > HEAD_BYTES {
            return Err("the head of its answer is longer than 64 KiB".to_owned());
        }
        if stdout.read_buf(read).await.map_err(|error| error.to_string())? == 0 {
            return Ok(None);
        }
    }
}

/// A run, and what feeds it; both end when nobody waits for the run any more.
struct Running {
    run: JoinHandle<Result<(), CellError>>,
    feeding: Option<AbortHandle>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.run.abort();
        // It may wait for a client that sends nothing more.
        if let Some(feeding) = &self.feeding {
            feeding.abort();
        }
    }
}

fn respond(head: Head, read: Vec<u8>, stdout: DuplexStream, outcome: Arc<Outcome>, run: Running) -> http::Response<Body> {
    let first = bytes::Bytes::from(read).split_off(head.length);
    let rest = ReaderStream::with_capacity(stdout, 16 << 10);
    let pieces = futures::stream::iter((!first.is_empty()).then_some(Ok(first))).chain(rest);
    let pieces = pieces.map(|piece| piece.map(http_body::Frame::data).map_err(virga_contract::BoxError::from));
    // After the guest's last byte: was it the last because the guest broke?
    let end = futures::stream::once(async move {
        let mut run = run;
        let ended = (&mut run.run).await;
        (outcome.has_failed() || !matches!(ended, Ok(Ok(())))).then(|| Err("the app broke off its answer".into()))
    });
    let pieces = pieces.chain(end.filter_map(std::future::ready));
    let mut answer = http::Response::new(StreamBody::new(pieces).boxed_unsync());
    *answer.status_mut() = head.status;
    *answer.headers_mut() = head.headers;
    answer
}

/// Copies the request's body to the guest; a guest that does not read it ends this early. A body that breaks off ends the guest, to
/// which it would look complete.
async fn feed(mut body: Body, mut stdin: DuplexStream, run: AbortHandle, instance: Arc<AppInstance>) {
    while let Some(frame) = body.frame().await {
        let frame = match frame {
            Ok(frame) => frame,
            Err(error) => {
                run.abort();
                // Only then may its input end.
                drop(stdin);
                return instance.log.cell(format!("request ended: its body broke off: {error}"));
            }
        };
        if let Ok(data) = frame.into_data()
            && stdin.write_all(&data).await.is_err()
        {
            return;
        }
    }
}

/// The whole life of one run. `began` hears of its start, which waits for room in the app instance's memory.
async fn run(
    slot: Slot,
    program: Arc<Program>,
    variables: Vec<(String, String)>,
    began: oneshot::Sender<Ends>,
    meter: Arc<CpuMeter>,
    outcome: Arc<Outcome>,
) -> Result<(), CellError> {
    let instance = &slot.instance;
    let arguments = life::arguments(instance, &program).map_err(|problem| {
        instance.log.cell(format!("the app failed: {problem}"));
        CellError::Load(problem)
    })?;
    let Started { mut store, made, ends } = start_in_line(instance, &program, &arguments, &variables, &meter).await?;
    if began.send(ends).is_err() {
        // Whoever asked has gone.
        return Ok(());
    }
    let result = match command::run(made, &mut store).await {
        Ok(0) => Ok(()),
        Ok(status) => Err(wasmtime::Error::msg(format!("it exited with status {status}"))),
        Err(error) => Err(error),
    };
    let memory_was_refused = store.data_mut().limiter.take_refused();
    result.map_err(|error| {
        outcome.fail();
        instance.guest_failed(&error, memory_was_refused)
    })
}

/// A wasm instance that waits for its call.
struct Started {
    store: Store<GuestState>,
    made: Made,
    ends: Ends,
}

/// A new wasm instance. Where there is no memory for one more, the request waits until one of those at work is done.
async fn start_in_line(
    instance: &Arc<AppInstance>,
    program: &Program,
    arguments: &[String],
    variables: &[(String, String)],
    meter: &Arc<CpuMeter>,
) -> Result<Started, CellError> {
    let first = First::of(instance).await?;
    loop {
        if instance.memory.has_room_for_another() {
            let there_were_others = instance.has_wasm_instances();
            match start(instance, program, arguments, variables, meter).await {
                Ok(started) => return Ok(started),
                Err(failed) => first.after(&failed, there_were_others)?,
            }
        }
        first.until_room().await?;
    }
}

async fn start(
    instance: &Arc<AppInstance>,
    program: &Program,
    arguments: &[String],
    variables: &[(String, String)],
    meter: &Arc<CpuMeter>,
) -> Result<Started, StartFailed> {
    let Some(pre) = &program.command else {
        return Err(wasmtime::Error::msg("the droplet is of another kind").into());
    };
    let buffer = (instance.cell.limits.cell.host_buffer_bytes / 2).max(4096);
    let (stdin, guest_stdin) = tokio::io::duplex(buffer);
    let (guest_stdout, stdout) = tokio::io::duplex(buffer);
    let mut streams = Some((AsyncStdinStream::new(guest_stdin), AsyncStdoutStream::new(WRITE_BUDGET, guest_stdout)));
    let mut adjust = |builder: &mut wasmtime_wasi::WasiCtxBuilder| {
        if let Some((stdin, stdout)) = streams.take() {
            builder.stdin(stdin).stdout(stdout);
        }
        builder.args(arguments).envs(variables);
    };
    let mut store = new_store(instance, program, meter.clone(), Some(&mut adjust))?;
    match command::make(pre, &mut store).await {
        Ok(made) => Ok(Started { store, made, ends: Ends { stdin, stdout } }),
        Err(error) => Err(StartFailed { error, memory_was_refused: store.data_mut().limiter.take_refused() }),
    }
}
