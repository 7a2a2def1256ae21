//! The whole API without sockets, for the tests of this room: a database of its own per test, real tokens, and fakes only
//! for the rooms behind the traits of `contract`.
//!
//! ```ignore
//! on_both(|store| async move {
//!     let api = Api::start(store).await;
//!     let admin = api.admin().await;
//!     let org = admin.post("/v3/organizations", json!({ "name": "o" })).await.created();
//!     api.settle().await;
//! })
//! .await;
//! ```

mod api;
pub(crate) mod broker;
mod fakes;
mod user;

pub(crate) use api::{Api, guid_of};
pub(crate) use fakes::{FakeLogs, FakeScheduler, FakeStager};
pub(crate) use user::{Answer, User};
pub(crate) use virga_store::testing::on_both;
