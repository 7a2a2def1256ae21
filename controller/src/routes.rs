//! Every endpoint of the v3 API: method, path, who may, handler. The router is built from this table and nothing else, and
//! a test walks it and calls every line as every kind of caller.

use crate::{
    Controller, Endpoint,
    Who::{Anyone, LoggedIn},
    endpoint::{self, get},
    jobs, root,
};
use virga_serve::axum::Router;

/// The v3 API. Complete it with [`virga_serve::api`].
pub fn router(controller: Controller) -> Router {
    endpoint::router(endpoints(), controller)
}

/// The table.
#[must_use]
#[rustfmt::skip]
pub fn endpoints() -> Vec<Endpoint> {
    vec![
        // Discovery
        get("/", Anyone, root::links),
        get("/v3", Anyone, root::v3_links),
        get("/v3/info", Anyone, root::info),

        // Jobs
        get("/v3/jobs/{guid}", LoggedIn, jobs::show),
    ]
}
