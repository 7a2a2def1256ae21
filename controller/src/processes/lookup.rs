//! Finding a process for a caller.

use super::view::CommandView;
use crate::{Access, Result, SpaceRight, apps};
use virga_contract::ApiError;
use virga_model::{AppGuid, OrgGuid, ProcessGuid};
use virga_store::{
    Connection,
    apps::AppRow,
    droplets,
    processes::{self, ProcessRow},
};

/// A process with its surroundings.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// The process.
    pub(crate) process: ProcessRow,
    /// Its app.
    pub(crate) app: AppRow,
    /// The app's organization.
    pub(crate) organization: OrgGuid,
}

/// How a path names a process.
#[derive(Debug, Clone)]
pub(crate) enum Named {
    /// `/v3/processes/:guid`
    Guid(ProcessGuid),
    /// `/v3/apps/:guid/processes/:type`
    Type(AppGuid, String),
}

/// The process, for a caller who has `right` in its app's space.
///
/// # Errors
/// 404 `Process not found`, `App not found`; 403.
pub(crate) async fn find(db: &mut Connection, access: &Access, right: SpaceRight, named: &Named) -> Result<Found> {
    match named {
        Named::Guid(guid) => {
            let process = processes::find(db, *guid).await?.ok_or_else(|| ApiError::not_found("Process"))?;
            let (app, organization) = apps::lookup::of(db, access, right, process.app, "Process").await?;
            Ok(Found { process, app, organization })
        }
        Named::Type(guid, process_type) => {
            let (app, organization) = apps::lookup::app(db, access, right, *guid).await?;
            let process = processes::find_of_type(db, *guid, process_type).await?.ok_or_else(|| ApiError::not_found("Process"))?;
            Ok(Found { process, app, organization })
        }
    }
}

/// The command that runs: the process's own, else that of the droplet it follows.
///
/// # Errors
/// Those of the database.
pub(crate) async fn command(db: &mut Connection, found: &Found) -> Result<Option<String>> {
    if let Some(command) = &found.process.command {
        return Ok(Some(command.clone()));
    }
    let Some(guid) = found.process.droplet.or(found.app.droplet) else { return Ok(None) };
    let droplet = droplets::find(db, guid).await?;
    Ok(droplet.and_then(|droplet| droplet.process_types.get(&found.process.process_type).cloned()))
}

/// What the caller may see of the command.
///
/// # Errors
/// Those of the database.
pub(crate) async fn view(db: &mut Connection, access: &Access, base: &virga_serve::Base, found: &Found) -> Result<serde_json::Value> {
    let command = command(db, found).await?;
    let secrets = access.has_in_space(db, SpaceRight::ReadSecrets, found.app.space).await?;
    let command = if secrets { CommandView::Plain(command.as_deref()) } else { CommandView::Hidden };
    Ok(super::view::process(base, &found.process, command))
}
