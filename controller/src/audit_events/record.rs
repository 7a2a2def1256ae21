//! Writing audit events.

use crate::{Access, Controller, Result};
use serde_json::Value;
use virga_contract::logs::{Envelope, LogStream};
use virga_model::{AppGuid, EventGuid, OrgGuid, SpaceGuid};
use virga_store::{
    Connection,
    audit_events::{self, EventParty, EventRow},
};

/// What happened, to what, where.
#[derive(Debug, Clone, PartialEq)]
pub struct Event<'a> {
    /// Such as `audit.app.create`.
    pub kind: &'a str,
    /// `app`, `route`, `space`, …
    pub target_kind: &'a str,
    /// Guid of the target.
    pub target: String,
    /// Name of the target.
    pub target_name: &'a str,
    /// More about it; never a secret.
    pub data: Value,
    /// Where.
    pub space: Option<SpaceGuid>,
    /// Where.
    pub organization: Option<OrgGuid>,
}

/// The caller as an actor.
#[must_use]
pub fn actor(access: &Access) -> EventParty {
    let caller = access.caller();
    match caller.user {
        Some(user) => {
            let name = caller.user_name.clone().unwrap_or_default();
            EventParty { guid: user.to_string(), kind: "user".to_owned(), name }
        }
        None => EventParty { guid: caller.client_id.clone(), kind: "client".to_owned(), name: caller.client_id.clone() },
    }
}

/// Writes an event of the caller in the transaction of what happened.
///
/// # Errors
/// Those of the database.
pub async fn record(controller: &Controller, db: &mut Connection, access: &Access, event: Event<'_>) -> Result<()> {
    record_by(controller, db, actor(access), event).await
}

/// Writes an event of another actor (a process, the system).
///
/// # Errors
/// Those of the database.
pub async fn record_by(controller: &Controller, db: &mut Connection, actor: EventParty, event: Event<'_>) -> Result<()> {
    let row = EventRow {
        guid: EventGuid::random(),
        created_at: controller.now(),
        kind: event.kind.to_owned(),
        actor,
        target: EventParty { guid: event.target, kind: event.target_kind.to_owned(), name: event.target_name.to_owned() },
        data: event.data,
        space: event.space,
        organization: event.organization,
    };
    audit_events::insert(db, &row).await?;
    Ok(())
}

/// A line of source `API` in an app's log, such as `Updated app with guid …`.
pub fn say(controller: &Controller, app: AppGuid, line: String) {
    let nanoseconds = i64::try_from(controller.clock.now().as_nanosecond()).unwrap_or(i64::MAX);
    controller.logs.emit(Envelope::line(nanoseconds, app, "API", 0, LogStream::Out, line));
}
