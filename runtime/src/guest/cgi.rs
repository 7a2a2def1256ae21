//! CGI (RFC 3875): a fresh run of a WASI command per request; the request in the environment and on stdin, the answer
//! on stdout.

mod answer;
mod variables;

use crate::{
    guest::{
        command, life,
        meter::{Metered, Outcome},
    },
    instance::Slot,
    limits::CpuMeter,
    program::Program,
    store::new_store,
};
use answer::Head;
use futures::StreamExt as _;
use http_body_util::{BodyExt as _, StreamBody};
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio_util::io::ReaderStream;
use virga_contract::{Body, cell::CellError};
use wasmtime_wasi::cli::{AsyncStdinStream, AsyncStdoutStream};

/// Bytes of an answer's head.
const HEAD_BYTES: usize = 64 << 10;
/// Bytes the guest's output may run ahead of its reader by one write.
const WRITE_BUDGET: usize = 8 << 10;

/// Serves one request with a run of its own.
pub async fn serve(slot: Slot, program: Arc<Program>, request: http::Request<Body>) -> Result<(http::Response<Body>, bool), CellError> {
    let instance = slot.instance.clone();
    let limits = &instance.cell.limits;
    let buffer = (limits.cell.host_buffer_bytes / 2).max(4096);
    let (parts, body) = request.into_parts();
    let (stdin, guest_stdin) = tokio::io::duplex(buffer);
    let (guest_stdout, mut stdout) = tokio::io::duplex(buffer);
    let meter = Arc::new(CpuMeter::new(limits.request_cpu()));
    let outcome = Arc::new(Outcome::default());
    let run = run(slot, program, variables::of(&parts), (guest_stdin, guest_stdout), meter.clone(), outcome.clone());
    let run = Metered::new(run, meter, instance.clone(), limits.request_wall());
    // Its own tasks end with it: the input when the guest no longer reads, the run when its answer is written.
    let mut run = Running(instance.cell.tails.spawn(run));
    let _feeding = instance.cell.tails.spawn(feed(body, stdin));

    let mut read = Vec::with_capacity(1024);
    let head = loop {
        if let Some(head) = answer::parse(&read).transpose() {
            break head;
        }
        if read.len() > HEAD_BYTES {
            break Err("the head of its answer is longer than 64 KiB".to_owned());
        }
        match stdout.read_buf(&mut read).await {
            Ok(0) => {
                // It ended without an answer: the run tells why.
                (&mut run.0).await.map_err(|error| CellError::Guest(error.to_string()))??;
                break Err("it ended without an answer".to_owned());
            }
            Ok(_) => {}
            Err(error) => break Err(error.to_string()),
        }
    };
    match head {
        Ok(head) => Ok((respond(head, read, stdout, outcome, run), false)),
        Err(reason) => {
            instance.log.cell(format!("the app failed: {reason}"));
            Err(CellError::Guest(reason))
        }
    }
}

/// A task that ends when nobody waits for it any more.
struct Running(tokio::task::JoinHandle<Result<(), CellError>>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
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
        let ended = (&mut run.0).await;
        (outcome.has_failed() || !matches!(ended, Ok(Ok(())))).then(|| Err("the app broke off its answer".into()))
    });
    let pieces = pieces.chain(end.filter_map(std::future::ready));
    let mut answer = http::Response::new(StreamBody::new(pieces).boxed_unsync());
    *answer.status_mut() = head.status;
    *answer.headers_mut() = head.headers;
    answer
}

/// Copies the request's body to the guest; a guest that does not read it ends this early.
async fn feed(mut body: Body, mut stdin: DuplexStream) {
    while let Some(Ok(frame)) = body.frame().await {
        if let Ok(data) = frame.into_data()
            && stdin.write_all(&data).await.is_err()
        {
            return;
        }
    }
}

async fn run(
    slot: Slot,
    program: Arc<Program>,
    variables: Vec<(String, String)>,
    (stdin, stdout): (DuplexStream, DuplexStream),
    meter: Arc<CpuMeter>,
    outcome: Arc<Outcome>,
) -> Result<(), CellError> {
    let instance = &slot.instance;
    let Some(pre) = &program.command else {
        return Err(CellError::Load("the droplet is of another kind".into()));
    };
    let mut streams = Some((AsyncStdinStream::new(stdin), AsyncStdoutStream::new(WRITE_BUDGET, stdout)));
    let arguments = life::arguments(instance, &program).map_err(|problem| {
        instance.log.cell(format!("the app failed: {problem}"));
        CellError::Load(problem)
    })?;
    let mut adjust = |builder: &mut wasmtime_wasi::WasiCtxBuilder| {
        if let Some((stdin, stdout)) = streams.take() {
            builder.stdin(stdin).stdout(stdout);
        }
        builder.args(&arguments).envs(&variables);
    };
    let mut store = new_store(instance, &program, meter, Some(&mut adjust)).map_err(|error| instance.guest_failed(&error, false))?;
    let result = match command::call(pre, &mut store).await {
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
