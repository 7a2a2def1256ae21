//! Core modules of WASI 0.1. The engine's own functions do the work; what would tell two machines apart is put right afterwards.

use super::{Guest, SnapshotError, Start, at_once, ended, files::CHANGED_SECONDS, kept, linked, wizer};
use futures::executor::block_on;
use wasmtime::{Caller, Extern, Instance, Linker, Module, Store, Val};
use wasmtime_wasi::{p1::wasi_snapshot_preview1 as engine, runtime::in_tokio};
use wasmtime_wizer::{InstanceState, SnapshotVal, ValType};
use wiggle::GuestMemory;

const WASI: &str = "wasi_snapshot_preview1";
/// WASI's number for an address that is not the guest's.
const FAULT: i32 = 21;
const NAME_TOO_LONG: i32 = 37;

const STAT_BYTES: usize = 64;
const FOLDER: u8 = 3;
const ENTRY_BYTES: usize = 24;
/// Bytes of a folder's list at first; as much more as it needs.
const LIST_BYTES: usize = 64 << 10;
const MOST_LIST_BYTES: usize = 64 << 20;

pub(super) fn take(start: &Start<'_>, module: &Module, store: &mut Store<Guest>, calls: &[(&str, bool)]) -> Result<Vec<u8>, SnapshotError> {
    let mut linker = Linker::new(store.engine());
    linked(add_to_linker(&mut linker))?;
    // What else the program belongs to is there when it is a component; a start that calls it all the same ends there.
    linked(linker.define_unknown_imports_as_traps(module))?;
    let wizer = wizer(start.program, start.function);
    let read = || linked(wizer.instrument(start.program)).map(|(context, _)| context);
    let (context, instance) = at_once(read, || {
        let instance = linker.instantiate(&mut *store, module).map_err(|error| ended(&error))?;
        for (name, is_needed) in calls {
            match instance.get_typed_func::<(), ()>(&mut *store, name) {
                Ok(function) => function.call(&mut *store, ()).map_err(|error| ended(&error))?,
                Err(error) if *is_needed => return Err(SnapshotError::Program(format!("{error:#}"))),
                Err(_) => {}
            }
        }
        Ok(instance)
    })?;
    let mut state = State { store, instance, missing: None };
    let result = block_on(wizer.snapshot(&context, &mut state));
    kept(result, state.missing)
}

struct State<'a> {
    store: &'a mut Store<Guest>,
    instance: Instance,
    /// What was asked for in vain. The code is not the program's then.
    missing: Option<String>,
}

impl InstanceState for State<'_> {
    async fn global_get(&mut self, name: &str, _: ValType) -> SnapshotVal {
        match self.instance.get_global(&mut *self.store, name).map(|global| global.get(&mut *self.store)) {
            Some(Val::I32(value)) => SnapshotVal::I32(value),
            Some(Val::I64(value)) => SnapshotVal::I64(value),
            Some(Val::F32(value)) => SnapshotVal::F32(value),
            Some(Val::F64(value)) => SnapshotVal::F64(value),
            Some(Val::V128(value)) => SnapshotVal::V128(value.as_u128()),
            _ => {
                self.missing = Some(format!("it has no global {name}"));
                SnapshotVal::I32(0)
            }
        }
    }

    async fn memory_contents(&mut self, name: &str, contents: impl FnOnce(&[u8]) + Send) {
        match self.instance.get_memory(&mut *self.store, name) {
            Some(memory) => contents(memory.data(&self.store)),
            None => self.missing = Some(format!("it has no memory {name}")),
        }
    }
}

fn add_to_linker(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    wasmtime_wasi::p1::add_to_linker_sync(linker, |guest: &mut Guest| &mut guest.wasi)?;
    linker.allow_shadowing(true);
    linker.func_wrap(WASI, "fd_filestat_get", |mut caller: Caller<'_, Guest>, descriptor: i32, out: i32| {
        let (memory, guest) = parts(&mut caller)?;
        let answer = in_tokio(engine::fd_filestat_get(&mut guest.wasi, &mut GuestMemory::Unshared(memory), descriptor, out))?;
        Ok::<_, wasmtime::Error>(same_everywhere(memory, guest, out, answer))
    })?;
    linker.func_wrap(
        WASI,
        "path_filestat_get",
        |mut caller: Caller<'_, Guest>, descriptor: i32, flags: i32, path: i32, length: i32, out: i32| {
            let (memory, guest) = parts(&mut caller)?;
            let view = &mut GuestMemory::Unshared(memory);
            let answer = in_tokio(engine::path_filestat_get(&mut guest.wasi, view, descriptor, flags, path, length, out))?;
            Ok::<_, wasmtime::Error>(same_everywhere(memory, guest, out, answer))
        },
    )?;
    linker.func_wrap(
        WASI,
        "fd_readdir",
        |mut caller: Caller<'_, Guest>, descriptor: i32, buffer: i32, length: i32, cookie: i64, out: i32| {
            let (memory, guest) = parts(&mut caller)?;
            let list = match list(guest, descriptor)? {
                Ok(list) => list,
                Err(number) => return Ok(number),
            };
            let bytes = in_order(guest, &list, cookie);
            let room = usize::try_from(length.cast_unsigned()).unwrap_or(usize::MAX);
            let some = bytes.get(..room).unwrap_or(&bytes);
            let count = u32::try_from(some.len()).unwrap_or(u32::MAX).to_le_bytes();
            Ok::<_, wasmtime::Error>(if put(memory, buffer, some) && put(memory, out, &count) { 0 } else { FAULT })
        },
    )?;
    linker.func_wrap(WASI, "poll_oneoff", |mut caller: Caller<'_, Guest>, list: i32, events: i32, count: i32, out: i32| {
        let (memory, guest) = parts(&mut caller)?;
        match wait(memory, guest, list, events, count) {
            Some(0) => in_tokio(engine::poll_oneoff(&mut guest.wasi, &mut GuestMemory::Unshared(memory), list, events, count, out)),
            Some(happened) if put(memory, out, &happened.to_le_bytes()) => Ok(0),
            _ => Ok(FAULT),
        }
    })?;
    linker.allow_shadowing(false);
    Ok(())
}

fn parts<'a>(caller: &'a mut Caller<'_, Guest>) -> wasmtime::Result<(&'a mut [u8], &'a mut Guest)> {
    let memory = caller.get_export("memory").and_then(Extern::into_memory);
    let memory = memory.ok_or_else(|| wasmtime::Error::msg("the program exports no memory"))?;
    Ok(memory.data_and_store_mut(caller))
}

fn address(at: i32) -> usize {
    usize::try_from(at.cast_unsigned()).unwrap_or(usize::MAX)
}

fn bytes<const SIZE: usize>(memory: &[u8], at: usize) -> Option<[u8; SIZE]> {
    memory.get(at..at.checked_add(SIZE)?)?.try_into().ok()
}

fn put(memory: &mut [u8], at: i32, bytes: &[u8]) -> bool {
    let at = address(at);
    let place = at.checked_add(bytes.len()).and_then(|end| memory.get_mut(at..end));
    place.map(|place| place.copy_from_slice(bytes)).is_some()
}

/// Takes out of a `filestat` what differs from machine to machine.
fn same_everywhere(memory: &mut [u8], guest: &mut Guest, out: i32, answer: i32) -> i32 {
    let Some(mut stat) = bytes::<STAT_BYTES>(memory, address(out)).filter(|_| answer == 0) else { return answer };
    let number = |from: usize| bytes::<8>(&stat, from).map_or(0, u64::from_le_bytes);
    let is_folder = stat.get(16) == Some(&FOLDER);
    let changed = CHANGED_SECONDS * 1_000_000_000;
    // Device, inode, links, size, read, changed, its status changed.
    let size = if is_folder { 0 } else { number(32) };
    let fields = [(0, 0), (8, guest.seen.of(number(8))), (24, 1), (32, size), (40, changed), (48, changed), (56, changed)];
    for (from, value) in fields {
        let place = stat.iter_mut().skip(from).take(8);
        place.zip(value.to_le_bytes()).for_each(|(place, byte)| *place = byte);
    }
    if put(memory, out, &stat) { answer } else { FAULT }
}

/// Name, inode and kind of what is in a folder, in the machine's order; or WASI's number for why not.
type List = Vec<(Vec<u8>, u64, u8)>;

fn list(guest: &mut Guest, descriptor: i32) -> wasmtime::Result<Result<List, i32>> {
    let mut room = LIST_BYTES;
    loop {
        // The number of bytes comes behind the list.
        let mut memory = vec![0; room.saturating_add(8)];
        let (Ok(length), true) = (i32::try_from(room), room <= MOST_LIST_BYTES) else { return Ok(Err(NAME_TOO_LONG)) };
        let view = &mut GuestMemory::Unshared(&mut memory);
        let answer = in_tokio(engine::fd_readdir(&mut guest.wasi, view, descriptor, 0, length, 0, length))?;
        if answer != 0 {
            return Ok(Err(answer));
        }
        let used = bytes::<4>(&memory, room).map_or(0, u32::from_le_bytes);
        match usize::try_from(used) {
            Ok(used) if used < room => return Ok(Ok(entries(memory.get(..used).unwrap_or_default()))),
            _ => room = room.saturating_mul(4),
        }
    }
}

fn entries(mut bytes_left: &[u8]) -> List {
    let mut list = List::new();
    while let Some((head, rest)) = bytes_left.split_at_checked(ENTRY_BYTES) {
        let length = bytes::<4>(head, 16).map_or(0, u32::from_le_bytes);
        let Some((name, rest)) = usize::try_from(length).ok().and_then(|length| rest.split_at_checked(length)) else { break };
        list.push((name.to_vec(), bytes::<8>(head, 8).map_or(0, u64::from_le_bytes), head.get(20).copied().unwrap_or_default()));
        bytes_left = rest;
    }
    list
}

/// The bytes of the list from an entry on, sorted by name.
fn in_order(guest: &mut Guest, list: &List, from: i64) -> Vec<u8> {
    let mut sorted: Vec<_> = list.iter().collect();
    sorted.sort();
    let mut out = Vec::new();
    for ((name, machines, kind), next) in sorted.into_iter().zip(1_u64..) {
        let identity = guest.seen.of(*machines);
        if next > from.cast_unsigned() {
            out.extend(next.to_le_bytes());
            out.extend(identity.to_le_bytes());
            out.extend(u32::try_from(name.len()).unwrap_or(u32::MAX).to_le_bytes());
            out.extend([*kind, 0, 0, 0]);
            out.extend(name);
        }
    }
    out
}

/// Lets the time pass that is waited for and tells how many clocks have rung: none where no clock is waited for, and nothing where
/// the lists are not the guest's.
fn wait(memory: &mut [u8], guest: &Guest, list: i32, events: i32, count: i32) -> Option<u32> {
    const SUBSCRIPTION: usize = 48;
    const ABSOLUTE: u16 = 1;
    let mut happened = 0_u32;
    for index in 0..address(count) {
        let at = index.checked_mul(SUBSCRIPTION).and_then(|offset| address(list).checked_add(offset))?;
        let subscription = bytes::<SUBSCRIPTION>(memory, at)?;
        if subscription.get(8) != Some(&0) {
            continue;
        }
        let is_date = bytes::<4>(&subscription, 16)? == [0; 4];
        let moment = bytes::<8>(&subscription, 24).map(u64::from_le_bytes)?;
        let is_absolute = bytes::<2>(&subscription, 40).map(u16::from_le_bytes)? & ABSOLUTE != 0;
        match (is_absolute, is_date) {
            (false, _) => guest.time.wait(moment),
            (true, true) => guest.time.wait_until_date(moment),
            (true, false) => guest.time.wait_until(moment),
        }
        let mut event = [0; 32];
        event.iter_mut().zip(bytes::<8>(&subscription, 0)?).for_each(|(place, byte)| *place = byte);
        let place = i32::try_from(happened).ok()?.checked_mul(32)?.checked_add(events)?;
        put(memory, place, &event).then_some(())?;
        happened += 1;
    }
    Some(happened)
}
