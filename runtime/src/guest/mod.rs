//! The kinds of guest, one file each.

pub mod cgi;
pub mod command;
pub mod http_p2;
pub mod http_p3;
pub mod life;
pub mod line;
pub mod meter;
pub mod server;
pub mod static_site;
pub mod wire;
