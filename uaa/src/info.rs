//! `GET /login` and `GET /info`: what a client needs to know before anybody logs in.

use crate::authority::Uaa;
use serde_json::{Value, json};
use std::sync::Arc;
use virga_model::time::api_time;
use virga_serve::{
    Base,
    axum::{Json, extract::State},
};

/// The UAA release whose behaviour this one keeps to. The `cf` CLI switches features on by it.
const UAA_VERSION: &str = "77.20.0";

/// Prompts and links. Every prompt here is asked by `cf login`, so there are just these two.
pub(crate) async fn show(State(uaa): State<Arc<Uaa>>, base: Base) -> Json<Value> {
    let entity = base.login.split_once("://").map_or(base.login.as_str(), |(_, host)| host).to_owned();
    Json(json!({
        "app": {"version": UAA_VERSION},
        "zone_name": "uaa",
        "entityID": entity,
        "commit_id": concat!("virga-", env!("CARGO_PKG_VERSION")),
        "timestamp": api_time(uaa.opened_at),
        "links": {"uaa": base.uaa, "login": base.login},
        "prompts": {"username": ["text", "Email"], "password": ["password", "Password"]},
    }))
}
