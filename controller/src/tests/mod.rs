//! Tests through the route table, without sockets, on a database of their own each.

mod authorisation;
mod conventions;
mod fixture;
mod lists;
mod openapi;
mod organizations;
mod requests;
mod routes;
