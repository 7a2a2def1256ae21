//! The client of any service broker: what Cloud Controller says to a broker, what it believes of the answers, and where
//! a broker may be. It speaks Open Service Broker 2.17 and knows nothing of rows or users: what is stored, who may do
//! what, when a broker is asked again and what is cleaned up after a failure is the controller's.
//!
//! A broker is a stranger. It may hang, lie, send without end, or lead to addresses of the platform; each of these ends
//! in a [`BrokerError`] that the controller can show as it is.

mod address;
mod answer;
pub mod catalog;
mod client;
mod error;
mod exchange;
mod polling;
mod reading;
mod request;

pub use address::{BrokerUrl, InvalidBrokerUrl};
pub use answer::{Binding, Bound, FetchedBinding, FetchedInstance, OperationStatus, Progress, Provisioned, Removed, Updated};
pub use catalog::Catalog;
pub use client::{BrokerClient, Brokers};
pub use error::{BrokerError, BrokerErrorKind};
pub use exchange::{BrokerLogin, BrokerPolicy};
pub use polling::Polling;
pub use request::{
    BindRequest, BindResource, BindingIds, Context, DeprovisionRequest, LastOperationRequest, PlanIds, PreviousValues, ProvisionRequest,
    UnbindRequest, UpdateRequest,
};
