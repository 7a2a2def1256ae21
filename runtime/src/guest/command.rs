//! A run of a `wasi:cli/run` to its end.

use crate::store::GuestState;
use wasmtime::Store;
use wasmtime_wasi::{I32Exit, p2::bindings::CommandPre};

/// Runs the command; gives its exit status.
///
/// # Errors
/// When it could not be started, trapped, or was ended by a limit.
pub async fn call(pre: &CommandPre<GuestState>, store: &mut Store<GuestState>) -> wasmtime::Result<i32> {
    let command = pre.instantiate_async(&mut *store).await?;
    store.data_mut().was_made();
    match command.wasi_cli_run().call_run(&mut *store).await {
        Ok(Ok(())) => Ok(0),
        Ok(Err(())) => Ok(1),
        Err(error) => match error.downcast_ref::<I32Exit>() {
            Some(I32Exit(status)) => Ok(*status),
            None => Err(error),
        },
    }
}
