//! Components of WASI 0.2. The engine's own functions do the work; what would tell two machines apart is put right.

use super::{Guest, SnapshotError, Start, at_once, ended, files::CHANGED_SECONDS, kept, linked, wizer};
use futures::executor::block_on;
use std::collections::VecDeque;
use wasmtime::{
    Store, StoreContextMut,
    component::{Component, Instance, Lift, Linker, Resource, ResourceType, WasmList, types::ComponentItem},
};
use wasmtime_wasi::{
    WasiCtxView, WasiView,
    clocks::WasiClocksView as _,
    filesystem::WasiFilesystemView as _,
    p2::{
        DynInputStream, DynOutputStream, DynPollable, FsError,
        bindings::{
            clocks::{monotonic_clock::Host as _, wall_clock::Datetime},
            filesystem::types::{
                Descriptor, DescriptorStat, DescriptorType, DirectoryEntry, DirectoryEntryStream, ErrorCode, HostDescriptor as _,
                HostDirectoryEntryStream as _, MetadataHashValue, PathFlags,
            },
        },
    },
    runtime::in_tokio,
};
use wasmtime_wizer::ComponentInstanceState;

/// WASI's packages that the engine has functions for.
const BASE: [&str; 6] = ["wasi:cli/", "wasi:clocks/", "wasi:filesystem/", "wasi:io/", "wasi:random/", "wasi:sockets/"];
/// The engine's names of the interfaces that are put right.
const FILES: &str = "wasi:filesystem/types@0.2.12";
const CLOCK: &str = "wasi:clocks/monotonic-clock@0.2.12";

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiView::ctx(&mut self.wasi)
    }
}

pub(super) fn take(
    start: &Start<'_>,
    component: &Component,
    store: &mut Store<Guest>,
    calls: &[(&str, bool)],
) -> Result<Vec<u8>, SnapshotError> {
    let mut linker = Linker::new(store.engine());
    linked(add_to_linker(&mut linker))?;
    linked(add_unknown(&mut linker, component))?;
    let wizer = wizer(start.program, start.function);
    let read = || linked(wizer.instrument_component(start.program)).map(|(context, _)| context);
    let (context, instance) = at_once(read, || {
        let instance = linker.instantiate(&mut *store, component).map_err(|error| ended(&error))?;
        // A component has called its reactor by itself.
        for (name, _) in calls.iter().filter(|(_, is_needed)| *is_needed) {
            let function = linked(instance.get_typed_func::<(), ()>(&mut *store, *name))?;
            function.call(&mut *store, ()).map_err(|error| ended(&error))?;
        }
        Ok(instance)
    })?;
    let mut state = State { store, instance, missing: None };
    let result = block_on(wizer.snapshot_component(&context, &mut state));
    kept(result, state.missing)
}

struct State<'a> {
    store: &'a mut Store<Guest>,
    instance: Instance,
    /// What was asked for in vain. The code is not the program's then.
    missing: Option<String>,
}

impl State<'_> {
    fn ask<T: Lift + 'static>(&mut self, instance: &str, function: &str) -> Option<T> {
        let found = self.instance.get_export_index(&mut *self.store, None, instance);
        let found = found.and_then(|instance| self.instance.get_export_index(&mut *self.store, Some(&instance), function));
        let called = found
            .ok_or_else(|| wasmtime::Error::msg(format!("it has no {instance}#{function}")))
            .and_then(|index| self.instance.get_typed_func::<(), (T,)>(&mut *self.store, index))
            .and_then(|function| function.call(&mut *self.store, ()));
        match called {
            Ok((value,)) => Some(value),
            Err(error) => {
                self.missing = Some(format!("{error:#}"));
                None
            }
        }
    }
}

impl ComponentInstanceState for State<'_> {
    async fn call_func_ret_list_u8(&mut self, instance: &str, func: &str, contents: impl FnOnce(&[u8]) + Send) {
        if let Some(list) = self.ask::<WasmList<u8>>(instance, func) {
            contents(list.as_le_slice(&*self.store));
        }
    }

    async fn call_func_ret_s32(&mut self, instance: &str, func: &str) -> i32 {
        self.ask(instance, func).unwrap_or_default()
    }

    async fn call_func_ret_s64(&mut self, instance: &str, func: &str) -> i64 {
        self.ask(instance, func).unwrap_or_default()
    }

    async fn call_func_ret_f32(&mut self, instance: &str, func: &str) -> u32 {
        self.ask(instance, func).map_or(0, f32::to_bits)
    }

    async fn call_func_ret_f64(&mut self, instance: &str, func: &str) -> u64 {
        self.ask(instance, func).map_or(0, f64::to_bits)
    }
}

type Folder = Resource<Descriptor>;
type Entries = Resource<DirectoryEntryStream>;

fn add_to_linker(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_sync(linker)?;
    linker.allow_shadowing(true);
    add_clock(linker)?;
    add_files(linker)?;
    linker.allow_shadowing(false);
    Ok(())
}

/// Of what is no part of WASI's base, as requests to others, a start knows nothing; a guest that calls it all the same ends there.
fn add_unknown(linker: &mut Linker<Guest>, component: &Component) -> wasmtime::Result<()> {
    let engine = component.engine();
    for (name, item) in component.component_type().imports(engine) {
        let ComponentItem::ComponentInstance(interface) = item.ty else { continue };
        if BASE.iter().any(|package| name.starts_with(package)) {
            continue;
        }
        let mut instance = linker.instance(name)?;
        for (part, item) in interface.exports(engine) {
            match item.ty {
                ComponentItem::ComponentFunc(_) => {
                    let function = format!("{name}#{part}");
                    instance.func_new(part, move |_, _, _, _| {
                        Err(wasmtime::Error::msg(format!("{function} is not there while the program is started")))
                    })?;
                }
                ComponentItem::Resource(_) => instance.resource(part, resource(part), |_, _| Ok(()))?,
                _ => {}
            }
        }
    }
    Ok(())
}

/// What is used of `wasi:io` is what it is there.
fn resource(name: &str) -> ResourceType {
    match name {
        "pollable" => ResourceType::host::<DynPollable>(),
        "input-stream" => ResourceType::host::<DynInputStream>(),
        "output-stream" => ResourceType::host::<DynOutputStream>(),
        "io-error" => ResourceType::host::<wasmtime::Error>(),
        _ => ResourceType::host::<()>(),
    }
}

fn add_clock(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    // Both give what has rung already.
    let rung = |guest: &mut Guest| -> wasmtime::Result<(Resource<DynPollable>,)> { Ok((guest.clocks().subscribe_duration(0)?,)) };
    let mut clock = linker.instance(CLOCK)?;
    clock.func_wrap("subscribe-instant", move |mut store: StoreContextMut<'_, Guest>, (moment,): (u64,)| {
        store.data().time.wait_until(moment);
        rung(store.data_mut())
    })?;
    clock.func_wrap("subscribe-duration", move |mut store: StoreContextMut<'_, Guest>, (nanoseconds,): (u64,)| {
        store.data().time.wait(nanoseconds);
        rung(store.data_mut())
    })
}

fn add_files(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut files = linker.instance(FILES)?;
    files.func_wrap("[method]descriptor.stat", |mut store: StoreContextMut<'_, Guest>, (file,): (Folder,)| {
        let found = in_tokio(async { store.data_mut().filesystem().stat(file).await });
        Ok((told(found)?.map(same_everywhere),))
    })?;
    files.func_wrap(
        "[method]descriptor.stat-at",
        |mut store: StoreContextMut<'_, Guest>, (folder, flags, path): (Folder, PathFlags, String)| {
            let found = in_tokio(async { store.data_mut().filesystem().stat_at(folder, flags, path).await });
            Ok((told(found)?.map(same_everywhere),))
        },
    )?;
    files.func_wrap("[method]descriptor.metadata-hash", |mut store: StoreContextMut<'_, Guest>, (file,): (Folder,)| {
        let found = in_tokio(async { store.data_mut().filesystem().metadata_hash(file).await });
        Ok((told(found)?.map(|machines| identity(store.data_mut(), &machines)),))
    })?;
    files.func_wrap(
        "[method]descriptor.metadata-hash-at",
        |mut store: StoreContextMut<'_, Guest>, (folder, flags, path): (Folder, PathFlags, String)| {
            let found = in_tokio(async { store.data_mut().filesystem().metadata_hash_at(folder, flags, path).await });
            Ok((told(found)?.map(|machines| identity(store.data_mut(), &machines)),))
        },
    )?;
    files.func_wrap("[method]descriptor.read-directory", |mut store: StoreContextMut<'_, Guest>, (folder,): (Folder,)| {
        let guest = store.data_mut();
        let stream = match told(in_tokio(async { guest.filesystem().read_directory(folder).await }))? {
            Ok(stream) => stream,
            Err(error) => return Ok((Err(error),)),
        };
        let mut list: Vec<Result<DirectoryEntry, ErrorCode>> = Vec::new();
        loop {
            let again = Resource::new_borrow(stream.rep());
            match told(in_tokio(async { guest.filesystem().read_directory_entry(again).await }))? {
                Ok(Some(entry)) => list.push(Ok(entry)),
                Ok(None) => break,
                Err(error) => list.push(Err(error)),
            }
        }
        // What cannot be told comes last.
        list.sort_by(|one, other| {
            let name = |entry: &Result<DirectoryEntry, ErrorCode>| entry.as_ref().map(|entry| entry.name.clone()).map_err(|_| ());
            name(one).cmp(&name(other))
        });
        guest.lists.insert(stream.rep(), list.into());
        Ok::<(Result<Entries, ErrorCode>,), wasmtime::Error>((Ok(stream),))
    })?;
    files.func_wrap(
        "[method]directory-entry-stream.read-directory-entry",
        |mut store: StoreContextMut<'_, Guest>, (stream,): (Entries,)| {
            let list: Option<&mut VecDeque<_>> = store.data_mut().lists.get_mut(&stream.rep());
            let next: Option<Result<DirectoryEntry, ErrorCode>> = list.and_then(VecDeque::pop_front);
            Ok((next.transpose(),))
        },
    )
}

fn told<T>(found: Result<T, FsError>) -> wasmtime::Result<Result<T, ErrorCode>> {
    match found {
        Ok(value) => Ok(Ok(value)),
        Err(error) => Ok(Err(error.downcast()?)),
    }
}

/// Takes out of a `stat` what differs from machine to machine.
fn same_everywhere(found: DescriptorStat) -> DescriptorStat {
    let changed = Some(Datetime { seconds: CHANGED_SECONDS, nanoseconds: 0 });
    DescriptorStat {
        type_: found.type_,
        link_count: 1,
        size: if found.type_ == DescriptorType::Directory { 0 } else { found.size },
        data_access_timestamp: changed,
        data_modification_timestamp: changed,
        status_change_timestamp: changed,
    }
}

fn identity(guest: &mut Guest, machines: &MetadataHashValue) -> MetadataHashValue {
    MetadataHashValue { lower: guest.seen.of(machines.lower), upper: 0 }
}
