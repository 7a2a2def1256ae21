//! Reading brokers.

use super::{lookup::seen, view};
use crate::{
    Access, Controller, Result, answer,
    list::{ListRequest, ListSpec},
};
use virga_model::ServiceBrokerGuid;
use virga_serve::{
    Base, Path,
    axum::{extract::State, response::Response},
};
use virga_store::service_brokers::{self, ServiceBrokerFilter};

const LIST: ListSpec = ListSpec::new(&["names", "space_guids"]).order_by(&["name"]);

/// `GET /v3/service_brokers`: all of them to who reads everything, to others those of the spaces they develop or support.
///
/// # Errors
/// 400 for parameters that are not right.
pub async fn list(State(controller): State<Controller>, access: Access, request: ListRequest) -> Result<Response> {
    let query = request.parse(&LIST)?;
    let filter = ServiceBrokerFilter { names: query.values("names"), spaces: query.values("space_guids") };
    let mut db = controller.store.read().await?;
    let page = service_brokers::list(&mut db, &filter, access.visible(), &query.listing).await?;
    Ok(answer::ok(query.render(&page, |broker| view(&query.base, broker))))
}

/// `GET /v3/service_brokers/:guid`.
///
/// # Errors
/// 404.
pub async fn show(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<ServiceBrokerGuid>,
) -> Result<Response> {
    let mut db = controller.store.read().await?;
    Ok(answer::ok(view(&base, &seen(&mut db, &access, guid).await?)))
}
