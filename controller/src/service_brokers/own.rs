//! The platform's own broker: registered by the platform itself, at its start.

use crate::{Controller, Result, jobs};
use serde_json::json;
use virga_model::{
    ServiceBrokerGuid,
    service::{BrokerState, SERVICES_DOMAIN},
};
use virga_store::{
    Connection,
    metadata::Metadata,
    service_brokers::{self, ServiceBrokerRow, place_of_password},
};

/// What it is called, where nobody else is.
const NAME: &str = "virga";

/// Registers the platform's own broker where it is not known, and has its catalog read: another version of the platform may offer other things.
///
/// # Errors
/// Those of the database and the seal.
pub(crate) async fn register(controller: &Controller, db: &mut Connection) -> Result<()> {
    let now = controller.now();
    let guid = match service_brokers::find_own(db).await? {
        Some(mut broker) => {
            broker.state = BrokerState::Synchronizing;
            service_brokers::update(db, &mut broker, now).await?;
            broker.guid
        }
        None => insert(controller, db).await?,
    };
    jobs::start(db, now, "service_broker.catalog.synchronize", guid, json!({ "user": null })).await?;
    Ok(())
}

async fn insert(controller: &Controller, db: &mut Connection) -> Result<ServiceBrokerGuid> {
    let (now, guid) = (controller.now(), ServiceBrokerGuid::random());
    let is_taken = service_brokers::find_by_name(db, NAME).await?.is_some();
    let broker = ServiceBrokerRow {
        guid,
        created_at: now,
        updated_at: now,
        name: if is_taken { format!("{NAME}-{guid}") } else { NAME.to_owned() },
        url: format!("http://{SERVICES_DOMAIN}"),
        username: NAME.to_owned(),
        // Whoever reaches its socket may use it; the row wants one.
        password: controller.store.seal(place_of_password(guid), "")?,
        space: None,
        is_own: true,
        state: BrokerState::Synchronizing,
        metadata: Metadata::default(),
    };
    service_brokers::insert(db, &broker).await?;
    Ok(guid)
}
