//! Whether an app may have one more binding to an instance. More than one is for rotation: the newest is what the app is started with
//! next, the older ones serve what runs until they are deleted (`cf cleanup-outdated-service-bindings`).

use super::bind::NewBinding;
use crate::{Result, service_operations::is_under_way, service_operations::was_never_made};
use virga_contract::ApiError;
use virga_model::service::OperationKind;
use virga_store::{
    Connection,
    apps::{self, AppRow},
    service_credential_bindings as rows,
    service_instances::{self, ServiceInstanceRow},
};

/// Bindings of one app to one instance, as in Cloud Foundry.
const MAX_BINDINGS: usize = 5;

/// Holds both ends, so that neither goes and no other binding between them comes while this transaction lasts. Attempts that failed
/// give way.
///
/// # Errors
/// 422 in the Cloud Controller's words; [`virga_store::StoreError::Conflict`] when either was changed since it was read.
pub(super) async fn make_room(db: &mut Connection, app: &AppRow, instance: &ServiceInstanceRow, new: &NewBinding) -> Result<()> {
    let refuse = |detail: String| Err(ApiError::unprocessable(detail).into());
    service_instances::hold(db, instance).await?;
    apps::hold(db, app).await?;
    let (failed, there): (Vec<_>, Vec<_>) =
        rows::list_between(db, app.guid, instance.guid).await?.into_iter().partition(|binding| was_never_made(&binding.last_operation));
    for binding in failed {
        rows::delete(db, binding.guid).await?;
    }
    let name = new.name.as_deref().filter(|name| !name.is_empty());
    if let Some(newest) = there.last() {
        if there.iter().any(|binding| binding.last_operation.kind == OperationKind::Create && is_under_way(&binding.last_operation)) {
            return refuse("There is already a binding in progress for this service instance and app".to_owned());
        }
        if !new.is_one_more {
            let is_going = newest.last_operation.kind == OperationKind::Delete;
            let going = "The binding is getting deleted or its deletion failed";
            return refuse(if is_going { going } else { "The app is already bound to the service instance" }.to_owned());
        }
        if there.len() >= MAX_BINDINGS {
            return refuse(format!(
                "The app has too many bindings to this service instance (limit: {MAX_BINDINGS}). Consider deleting existing/orphaned bindings."
            ));
        }
        if newest.name.as_deref() != name {
            return refuse("The binding name cannot be changed for the same app and service instance".to_owned());
        }
    }
    if let Some(name) = name {
        let others = rows::list_of_app(db, app.guid).await?;
        if others.iter().any(|other| other.instance != instance.guid && other.name.as_deref() == Some(name)) {
            return refuse(format!(
                "The binding name is invalid. App binding names must be unique. The app already has a binding with name '{name}'."
            ));
        }
    }
    Ok(())
}
