//! Who may do what: Cloud Foundry's permission sets, and the caller as handlers see it.
//!
//! What a caller may not read is answered as not found, what it may read but not change as forbidden. Handlers ask for a
//! [`SpaceRight`] or [`OrgRight`] by [`Access::in_space`] and [`Access::in_organization`], naming the resource in the words
//! of the error (`App`, `Route`); lists pass [`Access::visible`] to the store.

use crate::{Result, dialect};
use virga_contract::{ApiError, ErrorCode};
use virga_model::{OrgGuid, SpaceGuid, UserGuid, state::RoleType};
use virga_serve::{Caller, Failure, axum::extract::FromRequestParts};
use virga_store::{
    Connection,
    roles::{self, Standing},
    select::Visible,
};

/// What may be done in a space, each to a set of roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SpaceRight {
    /// Read the space, its apps, processes, stats.
    See,
    /// Read its routes.
    SeeRoutes,
    /// Read its audit events.
    SeeEvents,
    /// Create, update, delete apps; packages, droplet uploads, manifests, tasks.
    Write,
    /// Start, stop, scale, environment, droplet assignment, builds, deployments, routes.
    Manage,
    /// Rename the space, give roles in it.
    Update,
    /// Read process commands, credentials.
    ReadSecrets,
    /// Read environment variables.
    ReadEnvironment,
    /// Download droplets and packages.
    Download,
}

/// What may be done in an organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OrgRight {
    /// Read it.
    See,
    /// Rename it, give roles in it, make spaces and private domains.
    Write,
}

impl SpaceRight {
    pub(crate) fn granted_by(self, role: RoleType) -> bool {
        use RoleType::{OrganizationAuditor, OrganizationManager, SpaceAuditor, SpaceDeveloper, SpaceManager, SpaceSupporter};
        match self {
            Self::See => matches!(role, SpaceDeveloper | SpaceManager | SpaceAuditor | SpaceSupporter | OrganizationManager),
            Self::SeeRoutes => Self::See.granted_by(role) || role == OrganizationAuditor,
            Self::SeeEvents => matches!(role, SpaceDeveloper | SpaceAuditor | SpaceSupporter),
            Self::Write | Self::ReadSecrets => role == SpaceDeveloper,
            Self::Manage | Self::ReadEnvironment => matches!(role, SpaceDeveloper | SpaceSupporter),
            Self::Update => matches!(role, SpaceManager | OrganizationManager),
            Self::Download => matches!(role, SpaceDeveloper | SpaceManager | SpaceAuditor | OrganizationManager),
        }
    }

    fn reads(self) -> bool {
        matches!(self, Self::See | Self::SeeRoutes | Self::SeeEvents | Self::ReadSecrets | Self::ReadEnvironment | Self::Download)
    }

    fn secret(self) -> bool {
        matches!(self, Self::ReadSecrets | Self::ReadEnvironment | Self::Download)
    }
}

/// A caller with a good token whose scopes allow the request's method; an extractor of every handler but the anonymous ones.
#[derive(Debug, Clone)]
pub struct Access {
    caller: Caller,
}

impl Access {
    /// A caller who may do nothing and see nothing.
    pub(crate) fn of_nobody() -> Self {
        Self { caller: Caller::nobody() }
    }

    /// The caller's token and identity.
    #[must_use]
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The user, or the client that acts for itself: either may have roles.
    #[must_use]
    pub fn user(&self) -> Option<UserGuid> {
        let is_client = self.caller.claims.user_id.is_none();
        self.caller.user.or_else(|| is_client.then(|| UserGuid::of_client(&self.caller.client_id)))
    }

    /// May do everything.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.caller.is_admin()
    }

    /// May read everything (secrets only with [`Access::reads_all_secrets`]).
    #[must_use]
    pub fn reads_all(&self) -> bool {
        self.reads_all_secrets() || self.caller.has_scope("cloud_controller.global_auditor")
    }

    /// May read everything, secrets included.
    #[must_use]
    pub fn reads_all_secrets(&self) -> bool {
        self.is_admin() || self.caller.has_scope("cloud_controller.admin_read_only")
    }

    /// Whose eyes a list is for.
    #[must_use]
    pub fn visible(&self) -> Visible {
        match self.user() {
            _ if self.reads_all() => Visible::All,
            Some(user) => Visible::To(user),
            None => Visible::Nothing,
        }
    }

    /// Passes for administrators.
    ///
    /// # Errors
    /// 403 `NotAuthorized`.
    pub fn admin(&self) -> Result<()> {
        if self.is_admin() { Ok(()) } else { Err(ApiError::not_authorized().into()) }
    }

    /// Whether the caller has this right in a space; false where the space does not exist.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn has_in_space(&self, db: &mut Connection, right: SpaceRight, space: SpaceGuid) -> Result<bool> {
        Ok(roles::in_space(db, self.user(), space).await?.is_some_and(|standing| self.may(right, &standing)))
    }

    fn may(&self, right: SpaceRight, standing: &Standing) -> bool {
        self.is_admin()
            || (right.reads() && if right.secret() { self.reads_all_secrets() } else { self.reads_all() })
            || standing.roles.iter().any(|role| right.granted_by(*role))
    }

    /// Passes with this right in a space. `resource` is what a caller who may not even read is told not to exist.
    /// What it gives is the caller's standing there, with the space's organization.
    ///
    /// # Errors
    /// 404 `<resource> not found`, 403 `NotAuthorized`, 403 `OrgSuspended`, 403 `SpaceSuspended`.
    pub async fn in_space(&self, db: &mut Connection, right: SpaceRight, space: SpaceGuid, resource: &str) -> Result<Standing> {
        let standing = roles::in_space(db, self.user(), space).await?.ok_or_else(|| ApiError::not_found(resource))?;
        // A route is seen by more than its space is.
        let see = if right == SpaceRight::SeeRoutes || resource == "Route" { SpaceRight::SeeRoutes } else { SpaceRight::See };
        if !self.may(see, &standing) {
            return Err(ApiError::not_found(resource).into());
        }
        if !self.may(right, &standing) {
            return Err(ApiError::not_authorized().into());
        }
        self.refuse_suspended(!right.reads(), &standing)?;
        // Managers of the organization still may, so that they can lift it.
        if !right.reads() && standing.is_space_suspended && !self.is_admin() && !standing.roles.contains(&RoleType::OrganizationManager) {
            return Err(ApiError::new(ErrorCode::SpaceSuspended, "The space is suspended").into());
        }
        Ok(standing)
    }

    /// As [`Access::in_space`], for an organization (`Organization`, `Domain`).
    ///
    /// # Errors
    /// As [`Access::in_space`].
    pub async fn in_organization(&self, db: &mut Connection, right: OrgRight, organization: OrgGuid, resource: &str) -> Result<Standing> {
        let standing = roles::in_organization(db, self.user(), organization).await?.ok_or_else(|| ApiError::not_found(resource))?;
        if !self.reads_all() && standing.roles.is_empty() {
            return Err(ApiError::not_found(resource).into());
        }
        if right == OrgRight::Write && !self.is_admin() && !standing.roles.contains(&RoleType::OrganizationManager) {
            return Err(ApiError::not_authorized().into());
        }
        self.refuse_suspended(right == OrgRight::Write, &standing)?;
        Ok(standing)
    }

    fn refuse_suspended(&self, write: bool, standing: &Standing) -> Result<()> {
        if write && standing.suspended && !self.is_admin() {
            return Err(ApiError::new(ErrorCode::OrgSuspended, "The organization is suspended").into());
        }
        Ok(())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Access {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut http::request::Parts, state: &S) -> Result<Self, Failure> {
        // The route table's guard has asked already; see `endpoint`.
        if let Some(access) = parts.extensions.get::<Self>() {
            return Ok(access.clone());
        }
        let caller = Caller::from_request_parts(parts, state).await?;
        let is_safe = parts.method.is_safe();
        match dialect::check_scopes(&caller, parts.uri.path(), is_safe) {
            Some(outcome) => outcome?,
            None if is_safe => caller.require_read()?,
            None => caller.require_write()?,
        }
        Ok(Self { caller })
    }
}
