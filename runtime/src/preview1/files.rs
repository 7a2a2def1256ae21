//! Calls that take any descriptor: on a socket they are answered here, on all others by the engine.

use super::{
    WASI,
    descriptors::LISTENER,
    memory::{Errno, number, put, unsigned},
    parts,
};
use crate::store::GuestState;
use wasmtime::{Caller, Linker};
use wasmtime_wasi::p1::wasi_snapshot_preview1 as engine;
use wiggle::GuestMemory;

const SOCKET: u8 = 6;
const NONBLOCK: u16 = 4;
/// Read, write, poll, shut down, accept: what programs look for before they use a socket.
const RIGHTS: u64 = 1 << 1 | 1 << 6 | 1 << 27 | 1 << 28 | 1 << 29;
/// What is neither a folder nor anything else that was thought of. An error would end a program's search for its folders, which
/// come after it.
const NO_FOLDER: u8 = 1;

/// One function of WASI: `$own` where the descriptor is a socket's, the engine's elsewhere.
macro_rules! instead {
    ($linker:ident, $name:ident($descriptor:ident $(, $argument:ident: $type:ty)*) $(.$wait:ident)?, |$memory:pat_param, $state:pat_param| $own:expr) => {
        $linker.func_wrap_async(WASI, stringify!($name), |mut caller: Caller<'_, GuestState>, ($descriptor, $($argument,)*): (i32, $($type,)*)| {
            Box::new(async move {
                let (memory, state) = parts(&mut caller)?;
                if state.descriptors.has(unsigned($descriptor)) {
                    let ($memory, $state) = (memory, state);
                    return Ok(number($own));
                }
                engine::$name(&mut state.wasi, &mut GuestMemory::Unshared(memory), $descriptor $(, $argument)*)$(.$wait)?
            })
        })?;
    };
}

pub(super) fn add_to_linker(linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
    instead!(linker, fd_close(descriptor).await, |_, state| state.descriptors.close(unsigned(descriptor)));
    instead!(linker, fd_fdstat_get(descriptor, out: i32).await, |memory, state| state.descriptors.socket(unsigned(descriptor)).and_then(|_| {
        let flags = if state.descriptors.waits(unsigned(descriptor)) { 0 } else { NONBLOCK };
        let mut stat = [0; 24];
        let fields = [SOCKET, 0].into_iter().chain(flags.to_le_bytes()).chain([0; 4]).chain(RIGHTS.to_le_bytes()).chain(RIGHTS.to_le_bytes());
        stat.iter_mut().zip(fields).for_each(|(place, byte)| *place = byte);
        put(memory, unsigned(out), &stat)
    }));
    instead!(linker, fd_fdstat_set_flags(descriptor, flags: i32), |_, state| {
        state.descriptors.set_waits(unsigned(descriptor), unsigned(flags) & u32::from(NONBLOCK) == 0)
    });
    instead!(linker, fd_filestat_get(descriptor, out: i32).await, |memory, state| state.descriptors.socket(unsigned(descriptor)).and_then(|_| {
        let mut stat = [0; 64];
        stat[16] = SOCKET;
        put(memory, unsigned(out), &stat)
    }));
    instead!(linker, fd_prestat_get(descriptor, out: i32), |memory, _| {
        let is_listener = unsigned(descriptor) == LISTENER;
        if is_listener { put(memory, unsigned(out), &[NO_FOLDER, 0, 0, 0, 0, 0, 0, 0]) } else { Err(Errno::BadDescriptor) }
    });
    instead!(linker, fd_prestat_dir_name(descriptor, name: i32, length: i32), |_, _| Err(Errno::NotDirectory));
    instead!(linker, fd_readdir(descriptor, buffer: i32, length: i32, cookie: i64, out: i32).await, |_, _| Err(Errno::NotDirectory));
    instead!(linker, fd_renumber(descriptor, to: i32).await, |_, _| Err(Errno::NotSupported));
    instead!(linker, fd_seek(descriptor, offset: i64, whence: i32, out: i32).await, |_, _| Err(Errno::NotSeekable));
    instead!(linker, fd_tell(descriptor, out: i32), |_, _| Err(Errno::NotSeekable));
    instead!(linker, fd_pread(descriptor, list: i32, count: i32, offset: i64, out: i32).await, |_, _| Err(Errno::NotSeekable));
    instead!(linker, fd_pwrite(descriptor, list: i32, count: i32, offset: i64, out: i32).await, |_, _| Err(Errno::NotSeekable));
    Ok(())
}
