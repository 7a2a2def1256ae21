//! Packages: source bits of an app, checked before anything else sees them.

pub mod assemble;
pub mod bits;
mod create;
mod delete;
mod download;
mod entry_path;
mod list;
mod lookup;
mod multipart;
pub(crate) mod request;
mod resource_cache;
mod show;
mod store_bits;
mod upload;
pub mod view;

pub use create::create;
pub use delete::delete;
pub use download::download;
pub(crate) use download::stream;
pub use list::{list, list_of_app};
pub(crate) use lookup::find;
pub(crate) use multipart::{Upload, receive};
pub use show::{show, update};
pub(crate) use store_bits::fail_interrupted;
pub use upload::upload;
