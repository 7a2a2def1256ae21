//! `GET /v3/jobs/:guid`.

use crate::{Controller, Result, answer};
use serde_json::{Value, json};
use virga_contract::ApiError;
use virga_model::{JobGuid, state::JobState};
use virga_serve::{
    Base, Path,
    axum::{extract::State, response::Response},
};
use virga_store::jobs::{self, JobRow};

/// One job; any caller who knows its guid may look.
///
/// # Errors
/// 404 `Job not found`.
pub async fn show(State(controller): State<Controller>, base: Base, Path(guid): Path<JobGuid>) -> Result<Response> {
    let mut db = controller.store.read().await?;
    let job = jobs::find(&mut db, guid).await?.ok_or_else(|| ApiError::not_found("Job"))?;
    Ok(answer::ok(view(&base, &job)))
}

fn view(base: &Base, job: &JobRow) -> Value {
    let mut links = serde_json::Map::new();
    links.insert("self".to_owned(), answer::link(base, format_args!("/v3/jobs/{}", job.guid)));
    // What a complete delete was about is no more.
    let gone = job.state == JobState::Complete && job.operation.ends_with(".delete");
    if let (Some(resource), Some((kind, _)), false) = (&job.resource, job.operation.split_once('.'), gone) {
        let kind = match kind {
            "service_bindings" | "service_keys" => "service_credential_binding",
            kind => kind,
        };
        links.insert(kind.to_owned(), answer::link(base, format_args!("/v3/{kind}s/{resource}")));
    }
    json!({
        "guid": job.guid,
        "created_at": answer::time(job.created_at),
        "updated_at": answer::time(job.updated_at),
        "operation": job.operation,
        "state": job.state,
        "errors": if job.state == JobState::Complete { &[][..] } else { &job.errors },
        "warnings": job.warnings.iter().map(|warning| json!({ "detail": warning })).collect::<Vec<_>>(),
        "links": links,
    })
}
