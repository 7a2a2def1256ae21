//! When a revision is made, and how it describes itself.

use crate::{
    Access, Controller, Result,
    apps::{self, lookup::event},
    audit_events::record,
};
use serde_json::json;
use std::collections::BTreeMap;
use virga_contract::ApiError;
use virga_model::{DropletGuid, OrgGuid, RevisionGuid};
use virga_store::{
    Connection,
    apps::AppRow,
    droplets,
    metadata::Metadata,
    processes,
    revisions::{self, RevisionRow},
};

/// Revisions of an app that are kept.
const KEEP_REVISIONS: u32 = 100;

/// What two revisions may differ in.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Content {
    droplet: DropletGuid,
    environment: BTreeMap<String, String>,
    commands: BTreeMap<String, Option<String>>,
}

impl From<&RevisionRow> for Content {
    fn from(revision: &RevisionRow) -> Self {
        Self { droplet: revision.droplet, environment: revision.environment.clone(), commands: revision.commands.clone() }
    }
}

/// An app with its organization, as it is started or deployed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Revised<'a> {
    /// The app, with the droplet and variables that it gets.
    pub(crate) app: &'a AppRow,
    /// Its organization.
    pub(crate) organization: OrgGuid,
}

/// The revision of what the app runs from now on: the newest, or a new one where something differs. None where the app does
/// not have the feature, or has no droplet.
///
/// # Errors
/// Those of the database.
pub(crate) async fn update(
    controller: &Controller,
    db: &mut Connection,
    access: &Access,
    revised: Revised<'_>,
) -> Result<Option<RevisionRow>> {
    let Some(droplet) = revised.app.droplet.filter(|_| apps::has_feature(revised.app, "revisions")) else { return Ok(None) };
    let content = Content { droplet, environment: revised.app.environment.clone(), commands: commands(db, revised.app, droplet).await? };
    let latest = revisions::find_latest(db, revised.app.guid).await?;
    let reasons = match &latest {
        None => vec!["Initial revision.".to_owned()],
        Some(latest) => differences(&Content::from(latest), &content),
    };
    match latest {
        Some(latest) if reasons.is_empty() => Ok(Some(latest)),
        latest => make(controller, db, access, revised, latest.as_ref(), content, &reasons).await.map(Some),
    }
}

/// A new revision with what an older one had.
///
/// # Errors
/// 422 where that is what the newest has.
pub(crate) async fn roll_back(
    controller: &Controller,
    db: &mut Connection,
    access: &Access,
    revised: Revised<'_>,
    to: &RevisionRow,
) -> Result<RevisionRow> {
    let latest = revisions::find_latest(db, revised.app.guid).await?;
    let mut reasons = latest.as_ref().map(|latest| differences(&Content::from(latest), &Content::from(to))).unwrap_or_default();
    if reasons.is_empty() {
        let detail = "Unable to rollback. The code and configuration you are rolling back to is the same as the deployed revision.";
        return Err(ApiError::unprocessable(detail).into());
    }
    reasons.push(format!("Rolled back to revision {}.", to.version));
    make(controller, db, access, revised, latest.as_ref(), Content::from(to), &reasons).await
}

/// The user's own command of each process type of the droplet and of the app.
async fn commands(db: &mut Connection, app: &AppRow, droplet: DropletGuid) -> Result<BTreeMap<String, Option<String>>> {
    let droplet = droplets::find(db, droplet).await?;
    let mut commands: BTreeMap<String, Option<String>> =
        droplet.into_iter().flat_map(|droplet| droplet.process_types.into_keys()).map(|process_type| (process_type, None)).collect();
    // The oldest first: during a deployment the newer web process is the app's.
    for process in processes::list_of_app(db, app.guid).await? {
        commands.insert(process.process_type, process.command);
    }
    Ok(commands)
}

/// The Cloud Controller's sentences about what differs, sorted as it sorts them.
fn differences(old: &Content, new: &Content) -> Vec<String> {
    let mut reasons = Vec::new();
    if old.droplet != new.droplet {
        reasons.push("New droplet deployed.".to_owned());
    }
    if old.environment != new.environment {
        reasons.push("New environment variables deployed.".to_owned());
    }
    for (process_type, command) in &new.commands {
        match (old.commands.get(process_type), command) {
            (None, _) => reasons.push(format!("New process type '{process_type}' added.")),
            (Some(before), now) if before == now => {}
            (Some(None), _) => reasons.push(format!("Custom start command added for '{process_type}' process.")),
            (Some(Some(_)), None) => reasons.push(format!("Custom start command removed for '{process_type}' process.")),
            (Some(Some(_)), Some(_)) => reasons.push(format!("Custom start command updated for '{process_type}' process.")),
        }
    }
    let removed = old.commands.keys().filter(|process_type| !new.commands.contains_key(*process_type));
    reasons.extend(removed.map(|process_type| format!("Process type '{process_type}' removed.")));
    reasons.sort();
    reasons
}

async fn make(
    controller: &Controller,
    db: &mut Connection,
    access: &Access,
    revised: Revised<'_>,
    latest: Option<&RevisionRow>,
    content: Content,
    reasons: &[String],
) -> Result<RevisionRow> {
    let Revised { app, organization } = revised;
    let now = controller.now();
    let Content { droplet, environment, commands } = content;
    let revision = RevisionRow {
        guid: RevisionGuid::random(),
        created_at: now,
        updated_at: now,
        app: app.guid,
        version: latest.map_or(0, |latest| latest.version) + 1,
        droplet,
        environment,
        commands,
        description: reasons.join(" "),
        metadata: Metadata::default(),
    };
    revisions::insert(db, &revision).await?;
    revisions::delete_below(db, app.guid, (revision.version + 1).saturating_sub(KEEP_REVISIONS)).await?;
    let data = json!({ "revision_guid": revision.guid, "revision_version": revision.version });
    record(controller, db, access, event("audit.app.revision.create", app, organization, data)).await?;
    Ok(revision)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(commands: &[(&str, Option<&str>)]) -> Content {
        let commands = commands.iter().map(|(kind, command)| ((*kind).to_owned(), command.map(str::to_owned))).collect();
        Content { droplet: DropletGuid::from_u128(1), environment: BTreeMap::new(), commands }
    }

    #[test]
    fn a_revision_says_in_what_it_differs() {
        let old = content(&[("a", None), ("b", Some("x")), ("c", Some("x")), ("d", None), ("e", Some("same"))]);
        let mut new = content(&[("a", Some("y")), ("b", None), ("c", Some("y")), ("e", Some("same")), ("f", None)]);
        new.droplet = DropletGuid::from_u128(2);
        new.environment.insert("A".into(), "1".into());
        assert_eq!(
            differences(&old, &new),
            [
                "Custom start command added for 'a' process.",
                "Custom start command removed for 'b' process.",
                "Custom start command updated for 'c' process.",
                "New droplet deployed.",
                "New environment variables deployed.",
                "New process type 'f' added.",
                "Process type 'd' removed.",
            ]
        );
        assert!(differences(&old, &old).is_empty());
    }
}
