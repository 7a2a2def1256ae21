//! The store of one wasm instance: its WASI context, its limits, its doors to the outside.

use crate::{
    egress::Transport,
    instance::AppInstance,
    limits::CpuMeter,
    memory::Limiter,
    outbound::Hooks,
    output::Output,
    preview1::Descriptors,
    program::Program,
    sockets::{Doors, Listener, Sockets},
    turns::Turns,
};
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering::Relaxed},
};
use virga_contract::logs::LogStream;
use wasmtime::{Store, UpdateDeadline};
use wasmtime_wasi::{
    FsPerms, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView,
    p1::WasiP1Ctx,
    sockets::{SocketAddrUse, WasiSocketsCtxView},
};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

/// Bytes of random numbers a guest may ask for at once.
const RANDOM_BYTES: u64 = 16 << 20;
/// Bytes a guest may pass to the host in one call outside of streams.
const CALL_BYTES: usize = 32 << 20;
/// Where the guest finds the droplet's files.
pub(crate) const FILES_AT: &str = "/";

/// Data of a store.
pub struct GuestState {
    /// First: what it breaks off, the end of the others would let go of in order.
    doors: Doors,
    /// Sockets of WASI 0.1, the same way.
    pub(crate) descriptors: Descriptors,
    /// WASI of every version, and the resource table.
    pub(crate) wasi: WasiP1Ctx,
    http: WasiHttpCtx,
    hooks: Hooks,
    pub(crate) limiter: Limiter,
    pub(crate) meter: Arc<CpuMeter>,
    connects: Arc<AtomicU32>,
    /// Only of a guest that lives.
    turns: Option<Arc<Turns>>,
    alive: Alive,
}

impl WasiView for GuestState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.wasi.ctx()
    }
}

impl WasiHttpView for GuestState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.hooks, table: self.wasi.ctx().table, ctx: &mut self.http }
    }
}

impl GuestState {
    /// Starts counting anew for the next request.
    pub(crate) fn begin_request(&mut self, meter: Arc<CpuMeter>) {
        self.meter = meter;
        self.connects.store(0, Relaxed);
    }

    /// Its sockets, for one call.
    pub(crate) fn sockets(&mut self) -> Sockets<'_> {
        let WasiCtxView { ctx, table } = self.wasi.ctx();
        Sockets { engine: WasiSocketsCtxView { ctx: ctx.sockets(), table }, doors: &mut self.doors }
    }

    /// Makes it a guest that lives between requests: it may listen, and takes turns with the others of its kind.
    pub(crate) fn live(&mut self, listener: Arc<Listener>, turns: Arc<Turns>) {
        self.doors.open(listener.clone());
        self.descriptors.open(listener);
        self.turns = Some(turns);
    }

    /// Instantiation is done: from now on it counts as alive.
    pub(crate) fn was_made(&mut self) {
        self.alive.instance.wasm_instances.fetch_add(1, Relaxed);
        self.alive.was_made = true;
        self.limiter.was_made();
    }
}

/// Counts a wasm instance as alive from the moment it was made. Last in its store, so that whoever is told of the room finds
/// the memory given back. One that could not be made tells nobody: it left no more room than it had found.
struct Alive {
    instance: Arc<AppInstance>,
    was_made: bool,
}

impl Drop for Alive {
    fn drop(&mut self) {
        if self.was_made {
            self.instance.wasm_instances.fetch_sub(1, Relaxed);
            self.instance.memory.tell_of_room();
        }
    }
}

/// Standard streams of a guest that speaks through them (CGI); others have their output in the log and no input.
pub(crate) type Adjust<'a> = &'a mut (dyn FnMut(&mut WasiCtxBuilder) + Send);

/// A store for one wasm instance, with every limit in place.
pub(crate) fn new_store(
    instance: &Arc<AppInstance>,
    program: &Program,
    meter: Arc<CpuMeter>,
    adjust: Option<Adjust<'_>>,
) -> wasmtime::Result<Store<GuestState>> {
    let cell = &instance.cell;
    let connects = Arc::new(AtomicU32::new(0));
    let mut builder = WasiCtx::builder();
    builder.max_random_size(RANDOM_BYTES);
    builder.stdout(Output::new(instance.log.clone(), LogStream::Out)).stderr(Output::new(instance.log.clone(), LogStream::Err));
    let needs = program.needs;
    if needs.environment {
        builder.envs(instance.environment());
    }
    if needs.listener {
        // Holds the listener's place among the descriptors.
        builder.preopened_dir(cell.loader.empty_folder(), "listener", FsPerms::ReadOnly)?;
        builder.env("LISTEN_FDS", "1");
    }
    if needs.files
        && let Some(files) = instance.files(program)
    {
        builder.preopened_dir(files, FILES_AT, FsPerms::ReadOnly)?;
    }
    if needs.sockets {
        allow_sockets(&mut builder, instance, needs.newer_sockets.then(|| connects.clone()));
    }
    if let Some(adjust) = adjust {
        adjust(&mut builder);
    }
    let mut wasi = builder.build_p1();
    wasi.ctx().table.set_max_capacity(cell.limits.cell.handles);
    let engine = program.engine().ok_or_else(|| wasmtime::Error::msg("a static site runs no code"))?;
    let mut store = Store::new(
        engine,
        GuestState {
            doors: Doors::new(instance.outbound.clone()),
            descriptors: Descriptors::new(needs.listener),
            wasi,
            http: WasiHttpCtx::new(),
            hooks: Hooks { outbound: instance.outbound.clone(), chunk_bytes: (cell.limits.cell.host_buffer_bytes / 2).max(4096) },
            limiter: Limiter::new(instance.memory.clone(), instance.pool.clone(), cell.limits.queue_wait()),
            meter,
            connects,
            turns: None,
            alive: Alive { instance: instance.clone(), was_made: false },
        },
    );
    store.limiter_async(|state| &mut state.limiter);
    store.set_hostcall_fuel(CALL_BYTES);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|context| {
        let state = context.data();
        let sampled = state.meter.tick()?;
        state.alive.instance.cpu_ns.fetch_add(sampled, Relaxed);
        if let Some(turns) = &state.turns {
            return Ok(UpdateDeadline::YieldCustom(1, Box::pin(turns.clone().next())));
        }
        // Through the runtime's own yield: the I/O driver gets its turn before this guest does.
        Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())))
    });
    Ok(store)
}

/// wasi:sockets under the egress policy. Connections of 0.2 are counted by [`Doors`] while they are open; those of 0.3 here,
/// each as it is made, per request.
fn allow_sockets(builder: &mut WasiCtxBuilder, instance: &Arc<AppInstance>, connects: Option<Arc<AtomicU32>>) {
    let outbound = instance.outbound.clone();
    let limit = instance.cell.limits.cell.outbound_connections;
    builder.allow_tcp(true).allow_udp(true).allow_ip_name_lookup(outbound.policy.allows_some());
    builder.socket_addr_check(move |address, purpose| {
        let is_allowed = match purpose {
            SocketAddrUse::TcpConnect => {
                let is_within = connects.as_ref().is_none_or(|connects| connects.fetch_add(1, Relaxed) < limit);
                if !is_within {
                    outbound.say_full();
                }
                is_within && outbound.is_allowed(Transport::Tcp, address)
            }
            SocketAddrUse::UdpSend | SocketAddrUse::UdpReceive => outbound.is_allowed(Transport::Udp, address),
            // What the system binds for a client on its own.
            SocketAddrUse::TcpBind | SocketAddrUse::UdpBind => address.ip().is_unspecified() && address.port() == 0,
            SocketAddrUse::TcpListen | SocketAddrUse::TcpAccept => false,
        };
        Box::pin(std::future::ready(is_allowed))
    });
}
