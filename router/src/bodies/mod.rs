//! The two bodies of a request, watched while they stream: sizes, limits, slow clients, the last byte.

mod request;
mod response;

pub(crate) use request::{RequestBody, RequestWatch};
pub(crate) use response::ResponseBody;
