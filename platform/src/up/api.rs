//! The API server: v3, UAA and log cache at one root on a Unix socket, to which workers carry requests; and the page of
//! metrics.

use crate::config::Config;
use anyhow::Context as _;
use std::sync::Arc;
use virga_controller::Controller;
use virga_scheduler::SchedulerHandle;
use virga_serve::{
    Caller, Endpoints, Failure, Tasks,
    axum::{
        Router,
        http::header::CONTENT_TYPE,
        response::{IntoResponse, Response},
        routing::get,
    },
    listener::Listener,
    server::{ApiContext, api, serve},
};
use virga_telemetry::metrics::{CONTENT_TYPE as OPENMETRICS, Registry};
use virga_uaa::Uaa;

/// Who may read the page of metrics on the API.
const OPERATORS: &[&str] = &["cloud_controller.admin", "cloud_controller.admin_read_only"];

/// Everything that is counted, read when the page is.
#[derive(Clone)]
pub struct Page {
    /// Counters of routers and of the log cache.
    pub registry: Arc<Registry>,
    /// Gauges of the scheduler.
    pub scheduler: SchedulerHandle,
}

impl Page {
    /// Takes over what other rooms count.
    pub fn refresh(&self) {
        self.registry.set(self.scheduler.gauges());
    }

    fn render(&self) -> Response {
        self.refresh();
        match self.registry.render() {
            Ok(text) => ([(CONTENT_TYPE, OPENMETRICS)], text).into_response(),
            Err(error) => Failure::from(virga_contract::ApiError::internal(error)).into_response(),
        }
    }
}

/// Serves the API on the Unix socket at `socket`.
pub fn serve_api(
    socket: &std::path::Path,
    controller: Controller,
    uaa: &Arc<Uaa>,
    page: Page,
    endpoints: Arc<Endpoints>,
    config: &Config,
    tasks: &Tasks,
) -> anyhow::Result<()> {
    let metrics = get(move |caller: Caller| async move {
        match caller.require_any_scope(OPERATORS) {
            Ok(()) => page.render(),
            Err(error) => Failure::from(error).into_response(),
        }
    });
    let routes = virga_controller::routes::router(controller).merge(virga_uaa::router(uaa)).route("/metrics", metrics);
    let context = ApiContext { tasks: tasks.clone(), limits: config.api_limits.clone(), endpoints, verifier: uaa.verifier() };
    let listener = Listener::unix(socket).with_context(|| format!("the API cannot listen on {}", socket.display()))?;
    serve(tasks, "api", listener, api(routes, context), config.api_limits.clone());
    Ok(())
}

/// Serves the page of metrics alone, without authentication, where the operator has asked for it.
pub async fn serve_metrics(page: Page, config: &Config, tasks: &Tasks) -> anyhow::Result<()> {
    let Some(address) = config.metrics_listen else { return Ok(()) };
    let listener = Listener::tcp(address).await.with_context(|| format!("metrics_listen: cannot listen on {address}"))?;
    tracing::info!(listen = ?listener.address(), "metrics are served at /metrics");
    let app = Router::new().route("/metrics", get(move || async move { page.render() }));
    serve(tasks, "metrics", listener, app, config.api_limits.clone());
    Ok(())
}
