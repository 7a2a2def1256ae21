//! `GET /token_keys` and `GET /token_key`: the public keys.

use crate::authority::Uaa;
use serde_json::{Value, json};
use std::sync::Arc;
use virga_serve::{
    auth::PublicKey,
    axum::{Json, extract::State},
};

pub(crate) async fn list(State(uaa): State<Arc<Uaa>>) -> Json<Value> {
    Json(json!({"keys": uaa.public_keys}))
}

pub(crate) async fn show(State(uaa): State<Arc<Uaa>>) -> Json<PublicKey> {
    Json(uaa.signer.public().clone())
}
