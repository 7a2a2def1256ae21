//! What the arguments of a handler say about its requests.

use super::shape::schema_of;
use crate::{Access, Controller, list::ListRequest};
use bytes::Bytes;
use http::HeaderMap;
use serde::de::DeserializeOwned;
use serde_json::Value;
use virga_serve::{
    Base, Json, Path, Query,
    axum::extract::{RawQuery, Request, State, rejection::BytesRejection},
};

/// What a handler reads of a request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reads {
    /// Schema of its JSON body.
    pub body: Option<Value>,
    /// Schema of its query, where that is one fixed set of parameters.
    pub query: Option<Value>,
    /// It takes the parameters of a list; which, only the handler's own [`crate::list::ListSpec`] says.
    pub list: bool,
    /// It reads a body that is not JSON.
    pub raw: bool,
}

/// An argument of a handler.
pub(crate) trait Argument {
    /// Notes what it reads.
    fn describe(_reads: &mut Reads) {}
}

/// The arguments of a handler, as the type that axum knows them by.
pub(crate) trait Arguments {
    /// What they read together.
    fn reads() -> Reads;
}

macro_rules! arguments {
    ($($argument:ident)*) => {
        impl<Marker, $($argument: Argument),*> Arguments for (Marker, $($argument,)*) {
            fn reads() -> Reads {
                #[allow(unused_mut, reason = "a handler without arguments")]
                let mut reads = Reads::default();
                $($argument::describe(&mut reads);)*
                reads
            }
        }
    };
}

arguments!();
arguments!(A);
arguments!(A B);
arguments!(A B C);
arguments!(A B C D);
arguments!(A B C D E);
arguments!(A B C D E F);
arguments!(A B C D E F G);
arguments!(A B C D E F G H);

impl Argument for State<Controller> {}
impl Argument for Access {}
impl Argument for crate::service_offerings::Shopper {}
impl Argument for Base {}
impl Argument for HeaderMap {}
impl Argument for RawQuery {}
// Path parameters are described by their names.
impl<T> Argument for Path<T> {}

impl<T: DeserializeOwned> Argument for Json<T> {
    fn describe(reads: &mut Reads) {
        reads.body = Some(schema_of::<T>());
    }
}

impl<T: DeserializeOwned> Argument for Query<T> {
    fn describe(reads: &mut Reads) {
        reads.query = Some(schema_of::<T>());
    }
}

impl Argument for ListRequest {
    fn describe(reads: &mut Reads) {
        reads.list = true;
    }
}

impl Argument for Request {
    fn describe(reads: &mut Reads) {
        reads.raw = true;
    }
}

impl Argument for Result<Bytes, BytesRejection> {
    fn describe(reads: &mut Reads) {
        reads.raw = true;
    }
}
