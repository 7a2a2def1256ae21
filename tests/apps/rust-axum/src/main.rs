//! A web app with axum: `axum::serve` on a `TcpListener`, as anywhere.

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Path, Request},
    http::{StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use std::{
    convert::Infallible,
    env,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};
use tokio_stream::{StreamExt as _, wrappers::IntervalStream};

static COUNT: AtomicU64 = AtomicU64::new(0);

#[tokio::main]
async fn main() {
    let words: Vec<String> = env::args().skip(1).collect();
    if let [task, arguments @ ..] = words.as_slice()
        && task == "migrate"
    {
        println!("task done {}", arguments.join(" "));
        return;
    }
    let app = Router::new()
        .route("/", get(async || "Hello from Axum on Virga\n"))
        .route("/env/{name}", get(environment))
        .route("/echo", post(async |body: Bytes| body))
        .route("/stream", get(stream))
        .route("/random", get(random))
        .route("/count", get(async || format!("{}\n", COUNT.fetch_add(1, Ordering::Relaxed) + 1)))
        .layer(axum::extract::DefaultBodyLimit::max(8 << 20))
        .layer(middleware::from_fn(logged));
    let port: u16 = env::var("PORT").expect("PORT").parse().expect("a port");
    let listener = tokio::net::TcpListener::bind(("0.0.0.0", port)).await.expect("a listener");
    println!("listening on {port}");
    axum::serve(listener, app).await.expect("served");
}

async fn logged(request: Request, next: Next) -> Response {
    println!("{} {}", request.method(), request.uri().path());
    next.run(request).await
}

async fn environment(Path(name): Path<String>) -> Response {
    match env::var(name) {
        Ok(value) => value.into_response(),
        Err(_) => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn stream() -> impl IntoResponse {
    let ticks = IntervalStream::new(tokio::time::interval(Duration::from_millis(50))).take(5);
    let mut number = 0;
    let lines = ticks.map(move |_| {
        number += 1;
        Ok::<_, Infallible>(format!("line {number}\n"))
    });
    ([(header::CONTENT_TYPE, "text/plain")], Body::from_stream(lines))
}

async fn random() -> Result<String, StatusCode> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>() + "\n")
}
