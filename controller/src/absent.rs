//! Lists of what this platform has none of yet (route policies). Commands read
//! them on the way to something else; an empty page is the truth.

use crate::{
    Result, answer,
    list::{ListRequest, ListSpec, include},
};
use virga_serve::axum::response::Response;

macro_rules! absent {
    ($($(#[$doc:meta])* $name:ident = $spec:expr, [$($included:literal)*];)+) => {$(
        $(#[$doc])*
        ///
        /// # Errors
        /// 400 for parameters that are not right.
        pub async fn $name(request: ListRequest) -> Result<Response> {
            const SPEC: ListSpec = $spec;
            let query = request.parse(&SPEC)?;
            #[allow(unused_mut, reason = "lists without an include")]
            let mut body = query.paginated(0, Vec::new());
            $(include(&mut body, $included, Vec::new());)*
            Ok(answer::ok(body))
        }
    )+};
}

absent! {
    /// `GET /v3/route_policies`.
    route_policies = ListSpec::new(&["space_guids", "route_guids", "sources"]).includes(&["route", "source"]), ["routes"];
}
