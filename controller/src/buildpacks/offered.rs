//! Which buildpacks staging is offered, and what names mean.

use super::LIFECYCLE;
use crate::{Controller, Result};
use virga_contract::{ApiError, staging::OfferedBuildpack};
use virga_model::BuildpackGuid;
use virga_store::{
    Connection,
    buildpacks::{self, BuildpackRow},
    metadata::Metadata,
};

/// Makes a row, at the end of the order, of each builder of this program that never was one.
///
/// # Errors
/// Those of the database.
pub(crate) async fn seed(controller: &Controller, db: &mut Connection) -> Result<()> {
    for builder in controller.stager.buildpacks() {
        if !buildpacks::get_to_know(db, builder.name).await? {
            continue;
        }
        let there = buildpacks::in_order(db, LIFECYCLE).await?;
        if there.iter().any(|other| other.name == builder.name) {
            continue;
        }
        let now = controller.now();
        let row = BuildpackRow {
            guid: BuildpackGuid::random(),
            created_at: now,
            updated_at: now,
            name: builder.name.to_owned(),
            stack: Some(crate::stacks::DEFAULT_STACK.to_owned()),
            lifecycle: LIFECYCLE.to_owned(),
            position: u32::try_from(there.len()).unwrap_or(u32::MAX).saturating_add(1),
            enabled: true,
            locked: false,
            filename: None,
            builder: Some(builder.name.to_owned()),
            version: None,
            detect: None,
            bits: None,
            metadata: Metadata::default(),
        };
        buildpacks::insert(db, &row).await?;
    }
    Ok(())
}

/// What staging may use, in the order of detection: everything that is enabled and has a builder.
///
/// # Errors
/// Those of the database.
pub(crate) async fn offered(db: &mut Connection) -> Result<Vec<OfferedBuildpack>> {
    let rows = buildpacks::in_order(db, LIFECYCLE).await?.into_iter().filter(|row| row.enabled);
    let offer = |row: BuildpackRow| {
        let detect = row.detect.unwrap_or_default();
        Some(OfferedBuildpack { name: row.name, builder: row.builder?, version: row.version, detect, bits: row.bits })
    };
    Ok(rows.filter_map(offer).collect())
}

/// The names of the buildpacks that these names mean: their own, those that Cloud Foundry's buildpacks have (`nodejs_buildpack`),
/// or the address of a zip.
///
/// # Errors
/// 422 that names the first one that is none.
pub(crate) async fn known(db: &mut Connection, names: Vec<String>) -> Result<Vec<String>> {
    if names.is_empty() {
        return Ok(names);
    }
    let rows = buildpacks::in_order(db, LIFECYCLE).await?;
    let is_there = |name: &str| rows.iter().any(|row| row.name == name);
    let mut known = Vec::with_capacity(names.len());
    for name in names {
        if name.contains("://") {
            known.push(address(name)?);
            continue;
        }
        let short = name.strip_suffix("_buildpack").or_else(|| name.strip_suffix("-buildpack")).unwrap_or(&name);
        match [name.as_str(), short].into_iter().find(|name| is_there(name)) {
            Some(found) => known.push(found.to_owned()),
            None => {
                let detail = format!("Buildpack must be an existing admin buildpack or a valid git URI: '{name}' is neither");
                return Err(ApiError::unprocessable(detail).into());
            }
        }
    }
    Ok(known)
}

/// An address that a buildpack can be fetched from, as far as its text tells.
fn address(text: String) -> Result<String> {
    let refuse = |rule: &str| ApiError::unprocessable(format!("Buildpack '{}' {rule}", text.split('?').next().unwrap_or_default()));
    let uri: http::Uri = text.parse().map_err(|_| refuse("is not an address that can be read"))?;
    if uri.scheme_str() != Some("https") {
        return Err(refuse("must be fetched by https").into());
    }
    if uri.authority().is_none_or(|authority| authority.as_str().contains('@')) {
        return Err(ApiError::unprocessable(
            "Buildpack addresses must name a host, and no user or password: whoever sees the app would see them",
        )
        .into());
    }
    // Cloud Foundry clones what is no zip.
    if !uri.path().ends_with(".zip") || text.contains('#') {
        return Err(refuse("must be a zip (https://host/name.zip): git repositories are not cloned here; most hosts of repositories offer a zip of a branch or tag").into());
    }
    Ok(text)
}
