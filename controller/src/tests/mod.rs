//! Tests through the route table, without sockets, on a database of their own each.

mod administration;
mod authorisation;
mod buildpacks;
mod conventions;
mod crashing;
mod deletion;
mod domains;
mod expectations;
mod fixture;
mod lists;
mod marketplace;
mod network_policies;
mod openapi;
mod operations;
mod organizations;
mod quotas;
mod requests;
mod roles;
mod route_sharing;
mod routes;
mod services;
mod started;
mod tcp_routes;
