//! A run of a command to its end.

use crate::{program::Start, store::GuestState};
use wasmtime::Store;
use wasmtime_wasi::I32Exit;

/// A command in a wasm instance of its own, not called yet.
pub enum Made {
    /// Of WASI 0.2.
    Component(wasmtime_wasi::p2::bindings::Command),
    /// Of WASI 0.3.
    Concurrent(wasmtime_wasi::p3::bindings::Command),
    /// A core module of WASI 0.1.
    Module(wasmtime::Instance),
}

/// Makes the command's wasm instance.
///
/// # Errors
/// When it could not be started.
pub async fn make(start: &Start, store: &mut Store<GuestState>) -> wasmtime::Result<Made> {
    let made = match start {
        Start::Component(pre) => Made::Component(pre.instantiate_async(&mut *store).await?),
        Start::Concurrent(pre) => Made::Concurrent(pre.instantiate_async(&mut *store).await?),
        Start::Module(pre) => Made::Module(pre.instantiate_async(&mut *store).await?),
    };
    store.data_mut().was_made();
    Ok(made)
}

/// Runs the command to its end; gives its exit status.
///
/// # Errors
/// When it trapped, or was ended by a limit.
pub async fn run(made: Made, store: &mut Store<GuestState>) -> wasmtime::Result<i32> {
    let ended = match made {
        Made::Component(command) => command.wasi_cli_run().call_run(&mut *store).await.map(|ended| i32::from(ended.is_err())),
        Made::Concurrent(command) => {
            let run = store.run_concurrent(async |accessor| command.wasi_cli_run().call_run(accessor).await).await;
            run.flatten().map(|ended| i32::from(ended.is_err()))
        }
        Made::Module(instance) => {
            let start = instance.get_typed_func::<(), ()>(&mut *store, "_start")?;
            start.call_async(&mut *store, ()).await.map(|()| 0)
        }
    };
    ended.or_else(|error| error.downcast_ref::<I32Exit>().map(|I32Exit(status)| *status).ok_or(error))
}

/// Makes the command's wasm instance and runs it; gives its exit status.
///
/// # Errors
/// When it could not be started, trapped, or was ended by a limit.
pub async fn call(start: &Start, store: &mut Store<GuestState>) -> wasmtime::Result<i32> {
    let made = make(start, store).await?;
    run(made, store).await
}
