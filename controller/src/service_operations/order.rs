//! The input of a job that has a broker do something.

use crate::{Access, Controller, Result, audit_events::actor, jobs::Outcome};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::{fmt::Display, str::FromStr};
use virga_contract::ApiError;
use virga_model::{Timestamp, UserGuid};
use virga_store::{Sealed, audit_events::EventParty, jobs::JobRow};

/// Who wants what, and how far it is.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Order {
    /// Whoever asked, for audit events: guid, kind, name.
    actor: (String, String, String),
    /// The user that the broker is told of.
    pub user: Option<UserGuid>,
    /// What is wanted, as JSON, sealed: parameters may be secrets.
    input: Option<String>,
    /// What the broker goes on with.
    pub pending: Option<Pending>,
}

/// An operation that goes on at a broker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Pending {
    /// The broker's name for it.
    pub operation: Option<String>,
    /// Since when.
    pub since: Timestamp,
    /// How often the broker was asked how far it is.
    pub asked: u32,
}

/// What the input of an operation is sealed for.
fn place(resource: impl Display) -> String {
    format!("service_operations/{resource}")
}

impl Order {
    /// An order of the caller.
    ///
    /// # Errors
    /// Those of the seal.
    pub fn of(controller: &Controller, access: &Access, resource: impl Display, input: &impl Serialize) -> Result<Self> {
        let EventParty { guid, kind, name } = actor(access);
        let text = serde_json::to_string(input).map_err(ApiError::internal)?;
        let input = controller.store.seal(place(resource), &text)?.as_str().to_owned();
        Ok(Self { actor: (guid, kind, name), user: access.user(), input: Some(input), pending: None })
    }

    /// An order that wants nothing beyond the operation itself.
    pub fn plain(access: &Access) -> Self {
        let EventParty { guid, kind, name } = actor(access);
        Self { actor: (guid, kind, name), user: access.user(), input: None, pending: None }
    }

    /// What follows from this one: for the same people, of something else.
    #[must_use]
    pub fn following(&self) -> Self {
        Self { input: None, pending: None, ..self.clone() }
    }

    /// From a job's row.
    ///
    /// # Errors
    /// 500 for a payload of another version.
    pub fn read(job: &JobRow) -> Result<Self> {
        // Of a version whose deletions asked no broker.
        if job.payload.is_null() {
            return Ok(Self::default());
        }
        Ok(serde_json::from_value(job.payload.clone()).map_err(|error| ApiError::internal(format_args!("payload: {error}")))?)
    }

    /// As a job's payload.
    ///
    /// # Errors
    /// None in practice: it has a JSON form.
    pub fn payload(&self) -> Result<Value> {
        Ok(serde_json::to_value(self).map_err(ApiError::internal)?)
    }

    /// What is wanted.
    ///
    /// # Errors
    /// Those of the seal.
    pub fn input<T: DeserializeOwned>(&self, controller: &Controller, resource: impl Display) -> Result<T> {
        let sealed = self.input.clone().ok_or_else(|| ApiError::internal("an order without its input"))?;
        let text = controller.store.unseal(place(resource), &Sealed::from_stored(sealed))?;
        Ok(serde_json::from_str(&text).map_err(|error| ApiError::internal(format_args!("input: {error}")))?)
    }

    /// Whoever asked.
    pub fn actor(&self) -> EventParty {
        let (guid, kind, name) = self.actor.clone();
        EventParty { guid, kind, name }
    }

    /// The job goes on with this, not before `at`.
    ///
    /// # Errors
    /// None in practice: it has a JSON form.
    pub fn again(&self, pending: Pending, at: Timestamp) -> Result<Outcome> {
        Ok(Outcome::Again { payload: Self { pending: Some(pending), ..self.clone() }.payload()?, at })
    }

    /// The job waits for other jobs, and goes on with what it has.
    ///
    /// # Errors
    /// None in practice: it has a JSON form.
    pub fn wait(&self, controller: &Controller) -> Result<Outcome> {
        Ok(Outcome::Again { payload: self.payload()?, at: controller.now() + controller.polling.wait_for_jobs() })
    }
}

/// The guid that a job is about.
///
/// # Errors
/// 500 for a job without any.
pub(crate) fn resource_of<T: FromStr>(job: &JobRow) -> Result<T> {
    let guid = job.resource.as_deref().and_then(|guid| guid.parse().ok());
    Ok(guid.ok_or_else(|| ApiError::internal("a job without what it is about"))?)
}
