//! Reading audit events.

use crate::{
    Access, Controller, Result, answer,
    list::{ListRequest, ListSpec},
};
use serde_json::{Value, json};
use virga_contract::ApiError;
use virga_model::EventGuid;
use virga_serve::{
    Base, Path,
    axum::{extract::State, response::Response},
};
use virga_store::{
    audit_events::{self, EventFilter, EventParty, EventRow},
    select::Listing,
};

const LIST: ListSpec = ListSpec::new(&["types", "target_guids", "target_guids[not]", "space_guids", "organization_guids"]).without_labels();

fn party(party: &EventParty) -> Value {
    json!({ "guid": party.guid, "type": party.kind, "name": party.name })
}

fn view(base: &Base, event: &EventRow) -> Value {
    json!({
        "guid": event.guid,
        "created_at": answer::time(event.created_at),
        "updated_at": answer::time(event.created_at),
        "type": event.kind,
        "actor": party(&event.actor),
        "target": party(&event.target),
        "data": event.data,
        "space": event.space.map(|guid| json!({ "guid": guid })),
        "organization": event.organization.map(|guid| json!({ "guid": guid })),
        "links": { "self": answer::link(base, format_args!("/v3/audit_events/{}", event.guid)) },
    })
}

/// `GET /v3/audit_events`.
///
/// # Errors
/// 400 for parameters that are not right.
pub async fn list(State(controller): State<Controller>, access: Access, request: ListRequest) -> Result<Response> {
    let query = request.parse(&LIST)?;
    let filter = EventFilter {
        types: query.values("types"),
        targets: query.values("target_guids"),
        not_targets: query.values("target_guids[not]"),
        spaces: query.values("space_guids"),
        organizations: query.values("organization_guids"),
    };
    let mut db = controller.store.read().await?;
    let page = audit_events::list(&mut db, &filter, access.visible(), &query.listing).await?;
    Ok(answer::ok(query.render(&page, |event| view(&query.base, event))))
}

/// `GET /v3/audit_events/:guid`.
///
/// # Errors
/// 404.
pub async fn show(State(controller): State<Controller>, access: Access, base: Base, Path(guid): Path<EventGuid>) -> Result<Response> {
    let mut db = controller.store.read().await?;
    let listing = Listing { guids: Some(vec![guid.to_string()]), ..Listing::everything() };
    let page = audit_events::list(&mut db, &EventFilter::default(), access.visible(), &listing).await?;
    let event = page.rows.first().ok_or_else(|| ApiError::not_found("Event"))?;
    Ok(answer::ok(view(&base, event)))
}
