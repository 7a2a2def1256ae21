//! The kinds of guest, one file each.

pub mod cgi;
pub mod http_p2;
pub mod http_p3;
pub mod meter;
pub mod static_site;
