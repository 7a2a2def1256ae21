//! A handler of wasi:http without a framework.

use std::{
    env,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};
use wasip2::{
    clocks::monotonic_clock,
    exports::{cli::run, http::incoming_handler},
    http::types::{Fields, IncomingRequest, Method, OutgoingBody, OutgoingResponse, ResponseOutparam},
    io::streams::{OutputStream, StreamError},
};

wasip2::http::proxy::export!(App);
wasip2::cli::command::export!(App);

struct App;

static COUNT: AtomicU64 = AtomicU64::new(0);

impl incoming_handler::Guest for App {
    fn handle(request: IncomingRequest, answer: ResponseOutparam) {
        let target = request.path_with_query().unwrap_or_default();
        let path = target.split('?').next().unwrap_or_default();
        println!("{:?} {path}", request.method());
        match (request.method(), path) {
            (Method::Get, "/") => text(answer, 200, "Hello from wasi:http on Virga\n"),
            (Method::Get, "/random") => text(answer, 200, &random()),
            (Method::Get, "/count") => text(answer, 200, &format!("{}\n", COUNT.fetch_add(1, Ordering::Relaxed) + 1)),
            (Method::Get, "/stream") => stream(answer),
            (Method::Post, "/echo") => echo(request, answer),
            (Method::Get, path) => match path.strip_prefix("/env/").map(env::var) {
                Some(Ok(value)) => text(answer, 200, &value),
                _ => text(answer, 404, "not found\n"),
            },
            _ => text(answer, 404, "not found\n"),
        }
    }
}

/// A task: says what it was given.
impl run::Guest for App {
    fn run() -> Result<(), ()> {
        let arguments: Vec<String> = env::args().skip(1).collect();
        println!("task done {}", arguments.join(" "));
        Ok(())
    }
}

/// Sends the head; the body goes where `write` writes it.
fn respond(answer: ResponseOutparam, status: u16, write: impl FnOnce(&OutputStream) -> Result<(), StreamError>) {
    let headers = Fields::from_list(&[("content-type".into(), b"text/plain".to_vec())]).expect("headers");
    let response = OutgoingResponse::new(headers);
    response.set_status_code(status).expect("a status");
    let body = response.body().expect("the body");
    ResponseOutparam::set(answer, Ok(response));
    let stream = body.write().expect("its stream");
    let written = write(&stream);
    drop(stream);
    // A client that left hears nothing more.
    if written.is_ok() {
        let _finished = OutgoingBody::finish(body, None);
    }
}

fn text(answer: ResponseOutparam, status: u16, text: &str) {
    respond(answer, status, |stream| stream.blocking_write_and_flush(text.as_bytes()));
}

fn stream(answer: ResponseOutparam) {
    respond(answer, 200, |stream| {
        for number in 0..5 {
            stream.blocking_write_and_flush(format!("line {number}\n").as_bytes())?;
            monotonic_clock::subscribe_duration(Duration::from_millis(50).as_nanos() as u64).block();
        }
        Ok(())
    });
}

/// Gives the body back as it comes.
fn echo(request: IncomingRequest, answer: ResponseOutparam) {
    let body = request.consume().expect("the body");
    let input = body.stream().expect("its stream");
    respond(answer, 200, |output| {
        loop {
            match input.blocking_read(16 << 10) {
                Ok(bytes) => bytes.chunks(4096).try_for_each(|piece| output.blocking_write_and_flush(piece))?,
                Err(StreamError::Closed) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    });
}

fn random() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("random bytes");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>() + "\n"
}
