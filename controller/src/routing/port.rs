//! Ports of TCP routes.

use crate::{Error, Result, router_groups::Ports};
use virga_contract::ApiError;
use virga_model::RouteGuid;
use virga_store::{Connection, domains::DomainRow, router_groups, routes};

/// What a port is answered with that cannot be had.
pub(super) fn unavailable(port: i64) -> ApiError {
    ApiError::unprocessable(format!("Port '{port}' is not available. Try a different port or use a different domain."))
}

/// The port of a new route below a domain: the one asked for, or any that is free; none for HTTP.
pub(super) async fn of_new(db: &mut Connection, domain: &DomainRow, asked: Option<i64>) -> Result<Option<u16>> {
    if asked.is_some_and(|port| !(0..=65_535).contains(&port)) {
        return Err(ApiError::unprocessable("Port must be between 0 and 65535").into());
    }
    let Some(group) = domain.router_group else {
        return match asked {
            None | Some(0) => Ok(None),
            Some(_) => Err(ApiError::unprocessable("Routes with protocol 'http' do not support ports.").into()),
        };
    };
    let invalid = || {
        Error::from(ApiError::unprocessable("Route could not be created because the specified domain does not have a valid router group."))
    };
    let group = router_groups::find(db, group).await?.ok_or_else(invalid)?;
    let reservable: Ports = group.reservable_ports.parse().map_err(ApiError::internal)?;
    match asked {
        Some(0) => Err(ApiError::unprocessable("Routes with protocol 'tcp' must specify a port.").into()),
        Some(port) => {
            let wanted = u16::try_from(port).ok().filter(|port| reservable.contains(*port)).ok_or_else(|| unavailable(port))?;
            if routes::find_at(db, domain.guid, "", "", Some(wanted)).await?.is_some() {
                return Err(
                    ApiError::unprocessable(format!("Route already exists with port '{port}' for domain '{}'.", domain.name)).into()
                );
            }
            if routes::list_ports(db).await?.contains(&wanted) {
                return Err(unavailable(port).into());
            }
            Ok(Some(wanted))
        }
        None => {
            let used = routes::list_ports(db).await?;
            let free: Vec<u16> = reservable.iter().filter(|port| !used.contains(port)).collect();
            // A guid is 122 random bits; a few of them choose.
            let random = RouteGuid::random().as_u128() % u128::try_from(free.len().max(1)).unwrap_or(1);
            let chosen = usize::try_from(random).ok().and_then(|index| free.get(index).copied());
            Ok(Some(chosen.ok_or_else(|| ApiError::unprocessable("There are no more ports available for this domain."))?))
        }
    }
}
