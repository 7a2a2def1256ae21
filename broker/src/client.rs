//! The requests of the protocol, one function each.

use crate::{
    answer::{self, Bound, FetchedBinding, FetchedInstance, OperationStatus, Provisioned, Removed, Updated},
    catalog::Catalog,
    error::BrokerError,
    exchange::{Answer, BrokerLogin, BrokerPolicy, Exchange, Pool},
    request::{
        BindRequest, BindResource, BindingIds, DeprovisionRequest, LastOperationRequest, PlanIds, ProvisionRequest, UnbindRequest,
        UpdateRequest,
    },
};
use http::Method;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use url::Url;
use virga_model::{ServiceInstanceGuid, UserGuid};

/// What is shared by all requests to all brokers: the policy and the connections. One for the whole process.
#[derive(Clone)]
pub struct Brokers {
    pool: Arc<Pool>,
}

impl Brokers {
    /// With this policy.
    #[must_use]
    pub fn new(policy: BrokerPolicy) -> Self {
        Self { pool: Arc::new(Pool::new(policy)) }
    }

    /// A client of one broker, on behalf of a user; `None` for what the platform does by itself.
    ///
    /// # Errors
    /// [`BrokerError`] when the broker's host is an address that brokers may not be at. A name is looked at when it is
    /// connected to.
    pub fn client(&self, login: BrokerLogin, caller: Option<UserGuid>) -> Result<BrokerClient, BrokerError> {
        let http = self.pool.client(&login)?;
        Ok(BrokerClient { exchange: Exchange { pool: Arc::clone(&self.pool), http, login, caller } })
    }
}

/// One broker, and on whose behalf it is spoken to. Every function is one HTTP request, is never repeated by itself, and
/// ends within the policy's timeout. All that change something may be repeated with the same guids: a broker then does nothing new.
pub struct BrokerClient {
    exchange: Exchange,
}

impl BrokerClient {
    /// What the broker offers.
    ///
    /// # Errors
    /// [`BrokerError`]; of kind `CatalogInvalid` with every rule that the catalog breaks.
    pub async fn catalog(&self) -> Result<Catalog, BrokerError> {
        let answer = self.exchange.send(Method::GET, self.url(&["catalog"]), None).await.map_err(harmless)?;
        Catalog::from_json(&answer::catalog(&answer)?)
    }

    /// Makes an instance.
    ///
    /// # Errors
    /// [`BrokerError`], which says whether the instance may exist nevertheless.
    pub async fn provision(&self, request: &ProvisionRequest) -> Result<Provisioned, BrokerError> {
        let mut body = json!({
            "service_id": request.plan.service,
            "plan_id": request.plan.plan,
            "organization_guid": request.context.organization.to_string(),
            "space_guid": request.context.space.to_string(),
            "context": request.context.to_json(),
        });
        add(&mut body, "parameters", parameters(&request.parameters));
        add(&mut body, "maintenance_info", request.maintenance_info.as_ref().map(|info| json!(info)));
        let url = incomplete(self.instance(request.instance), request.accepts_incomplete);
        let answer = self.exchange.send(Method::PUT, url, Some(&body)).await?;
        answer::provisioned(&answer, request.accepts_incomplete)
    }

    /// Changes an instance.
    ///
    /// # Errors
    /// [`BrokerError`]; the instance is then as it was, as far as can be known.
    pub async fn update(&self, request: &UpdateRequest) -> Result<Updated, BrokerError> {
        let mut body = json!({
            "service_id": request.plan.service,
            "plan_id": request.plan.plan,
            "previous_values": request.previous,
            "context": request.context.to_json(),
        });
        add(&mut body, "parameters", request.parameters.as_ref().map(|parameters| json!(parameters)));
        add(&mut body, "maintenance_info", request.maintenance_info.as_ref().map(|info| json!(info)));
        let url = incomplete(self.instance(request.instance), request.accepts_incomplete);
        let answer = self.exchange.send(Method::PATCH, url, Some(&body)).await.map_err(harmless)?;
        answer::updated(&answer, request.accepts_incomplete)
    }

    /// Deletes an instance. That the broker has none is a success.
    ///
    /// # Errors
    /// [`BrokerError`]; the instance may still exist.
    pub async fn deprovision(&self, request: &DeprovisionRequest) -> Result<Removed, BrokerError> {
        let url = incomplete(plan(self.instance(request.instance), &request.plan), request.accepts_incomplete);
        let answer = self.exchange.send(Method::DELETE, url, None).await.map_err(harmless)?;
        answer::removed(&answer, request.accepts_incomplete)
    }

    /// What the broker knows of an instance; only where the offering is `instances_retrievable`.
    ///
    /// # Errors
    /// [`BrokerError`].
    pub async fn fetch_instance(&self, instance: ServiceInstanceGuid, of: &PlanIds) -> Result<FetchedInstance, BrokerError> {
        let answer = self.get(plan(self.instance(instance), of)).await?;
        answer::fetched_instance(&answer)
    }

    /// Makes a binding.
    ///
    /// # Errors
    /// [`BrokerError`], which says whether the binding may exist nevertheless.
    pub async fn bind(&self, request: &BindRequest) -> Result<Bound, BrokerError> {
        let mut body = json!({
            "service_id": request.plan.service,
            "plan_id": request.plan.plan,
            "bind_resource": request.resource.to_json(),
            "context": request.context.to_json(),
        });
        if let BindResource::App { app, .. } = &request.resource {
            add(&mut body, "app_guid", Some(json!(app.to_string())));
        }
        add(&mut body, "parameters", parameters(&request.parameters));
        add(&mut body, "predecessor_binding_id", request.predecessor.map(|binding| json!(binding.to_string())));
        let url = incomplete(self.binding(request.ids), request.accepts_incomplete);
        let answer = self.exchange.send(Method::PUT, url, Some(&body)).await?;
        answer::bound(&answer, &request.requires, request.accepts_incomplete)
    }

    /// Deletes a binding. That the broker has none is a success.
    ///
    /// # Errors
    /// [`BrokerError`]; the binding may still exist.
    pub async fn unbind(&self, request: &UnbindRequest) -> Result<Removed, BrokerError> {
        let url = incomplete(plan(self.binding(request.ids), &request.plan), request.accepts_incomplete);
        let answer = self.exchange.send(Method::DELETE, url, None).await.map_err(harmless)?;
        answer::removed(&answer, request.accepts_incomplete)
    }

    /// What the broker knows of a binding; only where the offering is `bindings_retrievable`. `requires` are those of the offering.
    ///
    /// # Errors
    /// [`BrokerError`]. After an asynchronous binding that means that the caller has to unbind.
    pub async fn fetch_binding(&self, ids: BindingIds, of: &PlanIds, requires: &[String]) -> Result<FetchedBinding, BrokerError> {
        let answer = self.get(plan(self.binding(ids), of)).await?;
        answer::fetched_binding(&answer, requires)
    }

    /// How far an operation is.
    ///
    /// # Errors
    /// [`BrokerError`]; where [`crate::BrokerErrorKind::is_passing`], it makes sense to ask again later.
    pub async fn last_operation(&self, request: &LastOperationRequest) -> Result<OperationStatus, BrokerError> {
        let mut url = match request.binding {
            Some(binding) => self.binding(BindingIds { instance: request.instance, binding }),
            None => self.instance(request.instance),
        };
        if let Ok(mut path) = url.path_segments_mut() {
            path.push("last_operation");
        }
        let mut url = plan(url, &request.plan);
        if let Some(operation) = &request.operation {
            url.query_pairs_mut().append_pair("operation", operation);
        }
        answer::operation(&self.get(url).await?)
    }

    async fn get(&self, url: Url) -> Result<Answer, BrokerError> {
        self.exchange.send(Method::GET, url, None).await.map_err(harmless)
    }

    fn url(&self, parts: &[&str]) -> Url {
        let parts: Vec<_> = std::iter::once("v2").chain(parts.iter().copied()).collect();
        self.exchange.login.url.below(&parts)
    }

    fn instance(&self, instance: ServiceInstanceGuid) -> Url {
        self.url(&["service_instances", &instance.to_string()])
    }

    fn binding(&self, ids: BindingIds) -> Url {
        self.url(&["service_instances", &ids.instance.to_string(), "service_bindings", &ids.binding.to_string()])
    }
}

/// A request that makes nothing leaves nothing behind.
fn harmless(error: BrokerError) -> BrokerError {
    BrokerError { leaves_orphan: false, ..error }
}

fn plan(mut url: Url, plan: &PlanIds) -> Url {
    url.query_pairs_mut().append_pair("service_id", &plan.service).append_pair("plan_id", &plan.plan);
    url
}

fn incomplete(mut url: Url, accepted: bool) -> Url {
    if accepted {
        url.query_pairs_mut().append_pair("accepts_incomplete", "true");
    }
    url
}

fn parameters(parameters: &Map<String, Value>) -> Option<Value> {
    (!parameters.is_empty()).then(|| json!(parameters))
}

fn add(body: &mut Value, name: &str, value: Option<Value>) {
    if let (Some(object), Some(value)) = (body.as_object_mut(), value) {
        object.insert(name.to_owned(), value);
    }
}
