//! WASI 0.1 of core modules. They run as they are: an adapter inside of a component would have to live in their memory, and
//! there are toolchains (Go's) that take all memory that is added for their own. The engine's own implementation does the
//! work; what concerns sockets is ours. A server finds its listener as file descriptor 3, preopened, as `LISTEN_FDS` says; what
//! it accepts there are the in-memory connections of [`crate::sockets`].

mod descriptors;
mod files;
mod memory;
mod poll;
mod sockets;

pub(crate) use descriptors::Descriptors;

use crate::store::GuestState;
use wasmtime::{AsContextMut as _, Caller, Engine, Extern, Linker, Module};
use wasmtime_wasi::p1::wasi_snapshot_preview1::WasiSnapshotPreview1 as _;

/// The module that programs of WASI 0.1 import.
const WASI: &str = "wasi_snapshot_preview1";
/// What only a program imports that accepts connections.
const ACCEPT: &str = "sock_accept";

/// Whether a module accepts connections, and so is given a listener.
pub(crate) fn accepts(module: &Module) -> bool {
    module.imports().any(|import| import.module() == WASI && import.name() == ACCEPT)
}

/// The linker with everything a core module may import.
///
/// # Errors
/// When two functions collide, which is a mistake in this function.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<GuestState>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p1::add_to_linker_async(&mut linker, |state: &mut GuestState| &mut state.wasi)?;
    linker.allow_shadowing(true);
    files::add_to_linker(&mut linker)?;
    sockets::add_to_linker(&mut linker)?;
    poll::add_to_linker(&mut linker)?;
    linker.allow_shadowing(false);
    Ok(linker)
}

/// The guest's memory and its state, for one call.
fn parts<'a>(caller: &'a mut Caller<'_, GuestState>) -> wasmtime::Result<(&'a mut [u8], &'a mut GuestState)> {
    let memory = caller.get_export("memory").and_then(Extern::into_memory);
    let memory = memory.ok_or_else(|| wasmtime::Error::msg("the program exports no memory"))?;
    let fuel = caller.as_context_mut().hostcall_fuel();
    let (memory, state) = memory.data_and_store_mut(caller);
    state.wasi.set_hostcall_fuel(fuel);
    Ok((memory, state))
}
