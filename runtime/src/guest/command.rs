//! A run of a command to its end.

use crate::{program::Start, store::GuestState};
use wasmtime::Store;
use wasmtime_wasi::I32Exit;

/// Runs the command; gives its exit status.
///
/// # Errors
/// When it could not be started, trapped, or was ended by a limit.
pub async fn call(start: &Start, store: &mut Store<GuestState>) -> wasmtime::Result<i32> {
    let ended = match start {
        Start::Component(pre) => {
            let command = pre.instantiate_async(&mut *store).await?;
            store.data_mut().was_made();
            command.wasi_cli_run().call_run(&mut *store).await.map(|ended| i32::from(ended.is_err()))
        }
        Start::Concurrent(pre) => {
            let command = pre.instantiate_async(&mut *store).await?;
            store.data_mut().was_made();
            let run = store.run_concurrent(async |accessor| command.wasi_cli_run().call_run(accessor).await).await;
            run.flatten().map(|ended| i32::from(ended.is_err()))
        }
        Start::Module(pre) => {
            let instance = pre.instantiate_async(&mut *store).await?;
            store.data_mut().was_made();
            let start = instance.get_typed_func::<(), ()>(&mut *store, "_start")?;
            start.call_async(&mut *store, ()).await.map(|()| 0)
        }
    };
    ended.or_else(|error| error.downcast_ref::<I32Exit>().map(|I32Exit(status)| *status).ok_or(error))
}
