//! The recipe: one set of compile settings, with two constructors that differ only in what does not reach the code.

use crate::{FunctionCache, shared};
use std::{path::Path, sync::Arc};
use virga_model::Sha256Digest;
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, Strategy};

/// Bytes of address space behind each linear memory, and so the largest one: all that a 32-bit guest can address.
const MEMORY_RESERVATION: u64 = 4 << 30;
/// Bytes from the first to the last that a memory begins with, up to which they become an image that instances map, however much of it is
/// zeros; what is larger and mostly zeros is copied into each instance. A started Ruby app has 26 MiB spread over 74.
const SPARSE_IMAGE: u64 = 96 << 20;
/// Native stack a guest may use. Interpreters (Python, Ruby) recurse deeply.
const MAX_WASM_STACK: usize = 1 << 20;
/// Native stack of a guest and the host functions it calls.
const ASYNC_STACK: usize = 2 << 20;
/// Bytes of a slot that stay resident between two uses, when the kernel can tell which of them were written.
const KEEP_RESIDENT_SCANNED: usize = 64 << 20;
/// The same on kernels that cannot: all of it is copied anew at every use, so it must be small.
const KEEP_RESIDENT_COPIED: usize = 64 << 10;
/// Slots kept warm for their last module. A fresh instance per request mostly needs one at a time.
const WARM_SLOTS: u32 = 8;

/// The engine could not be made, or could not compile.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The host lacks something the recipe needs.
    #[error("the WebAssembly engine cannot be set up: {0}")]
    Setup(String),
    /// The component is not valid or asks for a feature the recipe leaves out.
    #[error("the component cannot be compiled: {0}")]
    Compile(String),
}

/// Which guests an engine is for. The two differ in one setting: an engine that can run a component concurrently (WASI 0.3)
/// keeps books in every call, and a request of any other guest would pay a third of its rate for them (measured on the
/// sample component: 49,000 against 35,000 fresh instances a second, 95,000 against 70,000 warm calls).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavor {
    /// WASI 0.2 and sites.
    Plain,
    /// Components that use asynchronous functions, streams and futures.
    Concurrent,
}

/// One engine of each flavor.
#[derive(Clone)]
pub struct Engines {
    plain: Engine,
    concurrent: Engine,
}

impl Engines {
    fn new(make: impl Fn(Config) -> Result<Engine, EngineError>) -> Result<Self, EngineError> {
        Ok(Self { plain: make(recipe(Flavor::Plain))?, concurrent: make(recipe(Flavor::Concurrent))? })
    }

    /// The engine of this flavor.
    #[must_use]
    pub fn of(&self, flavor: Flavor) -> &Engine {
        match flavor {
            Flavor::Plain => &self.plain,
            Flavor::Concurrent => &self.concurrent,
        }
    }

    /// Moves the epoch of both on.
    pub fn increment_epoch(&self) {
        self.plain.increment_epoch();
        self.concurrent.increment_epoch();
    }
}

/// What bounds an engine that runs guests.
#[derive(Debug, Clone, Copy)]
pub struct RunLimits {
    /// Wasm component instances alive at once.
    pub wasm_instances: u32,
}

/// The settings that shape code. Whatever is added here changes [`engine_key`].
fn recipe(flavor: Flavor) -> Config {
    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift)
        .cranelift_opt_level(OptLevel::Speed)
        .epoch_interruption(true)
        .consume_fuel(false)
        .wasm_component_model(true)
        .memory_reservation(MEMORY_RESERVATION)
        .memory_guard_size(32 << 20)
        .memory_init_cow(true)
        .memory_guaranteed_dense_image_size(SPARSE_IMAGE)
        .max_wasm_stack(MAX_WASM_STACK)
        .async_stack_size(ASYNC_STACK);
    match flavor {
        Flavor::Plain => config.concurrency_support(false),
        Flavor::Concurrent => config.wasm_component_model_async(true),
    };
    config
}

fn engine(config: &Config) -> Result<Engine, EngineError> {
    Engine::new(config).map_err(|error| EngineError::Setup(format!("{error:#}")))
}

/// Engines that run guests: pooled slots with copy-on-write images.
///
/// # Errors
/// [`EngineError::Setup`] when the address space of the pools cannot be reserved.
pub fn for_running(limits: RunLimits) -> Result<Engines, EngineError> {
    Engines::new(|mut config| {
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(limits)));
        engine(&config)
    })
}

fn pool(limits: RunLimits) -> PoolingAllocationConfig {
    let instances = limits.wasm_instances.max(1);
    let scan = PoolingAllocationConfig::is_pagemap_scan_available();
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        // A componentized interpreter is a dozen core modules sharing one memory, plus adapters.
        .total_core_instances(instances.saturating_mul(32))
        .total_memories(instances.saturating_mul(2))
        .total_tables(instances.saturating_mul(4))
        .total_stacks(instances.saturating_mul(2))
        .total_gc_heaps(instances)
        .max_memory_size(MEMORY_RESERVATION as usize)
        .max_memories_per_component(8)
        .max_memories_per_module(4)
        .max_tables_per_component(64)
        .max_tables_per_module(16)
        .max_core_instances_per_component(512)
        .max_component_instance_size(4 << 20)
        .max_core_instance_size(4 << 20)
        .table_elements(100_000)
        .max_unused_warm_slots(WARM_SLOTS)
        .async_stack_keep_resident(16 << 10)
        .table_keep_resident(64 << 10)
        .linear_memory_keep_resident(if scan { KEEP_RESIDENT_SCANNED } else { KEEP_RESIDENT_COPIED })
        .pagemap_scan(if scan { Enabled::Yes } else { Enabled::No });
    pool
}

/// Engines that only compile; what they make loads in those of [`for_running`] without compiling again.
/// Functions already compiled for any app are taken from the folder `cache`.
///
/// # Errors
/// [`EngineError::Setup`] when the cache's folder cannot be made.
pub fn for_compiling(cache: Option<&Path>) -> Result<Engines, EngineError> {
    let setup = |error: &dyn std::fmt::Display| EngineError::Setup(error.to_string());
    let cache = match cache {
        Some(folder) => Some(Arc::new(FunctionCache::open(folder).map_err(|error| setup(&error))?)),
        None => None,
    };
    Engines::new(|mut config| {
        if let Some(cache) = &cache {
            config.enable_incremental_compilation(cache.clone()).map_err(|error| setup(&error))?;
        }
        engine(&config)
    })
}

/// Names everything that code depends on besides its source: engine version, settings, CPU features. Short hex, fit for a file name.
#[must_use]
pub fn engine_key(engines: &Engines) -> String {
    struct Blake3(blake3::Hasher);
    impl std::hash::Hasher for Blake3 {
        fn finish(&self) -> u64 {
            0
        }
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
    }
    let mut hasher = Blake3(blake3::Hasher::new());
    for flavor in [Flavor::Plain, Flavor::Concurrent] {
        std::hash::Hash::hash(&engines.of(flavor).precompile_compatibility_hash(), &mut hasher);
    }
    // It shapes code and the engine's own key leaves it out.
    hasher.0.update(&SPARSE_IMAGE.to_le_bytes());
    hasher.0.finalize().to_hex().chars().take(32).collect()
}

/// A compiled program.
#[derive(Debug)]
pub struct Compiled {
    /// Its code; the last byte tells which form it is.
    pub code: Vec<u8>,
    /// Core modules whose code it shares with others and that are compiled by themselves: see [`shared`].
    pub shared: Vec<Sha256Digest>,
}

/// Compiles a component, or a core module of WASI 0.1, all but shared code that `is_there`. Takes seconds and hundreds of megabytes for
/// big guests: call it in a process of its own with limits.
///
/// A component that the plain engine does not take is compiled by the concurrent one, as a whole.
///
/// # Errors
/// [`EngineError::Compile`] with the engine's reason.
pub fn compile(engines: &Engines, program: &[u8], is_there: impl Fn(&Sha256Digest) -> bool) -> Result<Compiled, EngineError> {
    let failed = |error: wasmtime::Error| EngineError::Compile(format!("{error:#}"));
    if shared::is_named_in(program) {
        return Err(EngineError::Compile("it imports a core module, which an app cannot".into()));
    }
    // What is split and does not compile (limits of memory that another module insists on, WASI 0.3) is as good whole.
    if let Some(split) = shared::split(program, is_there)
        && let Ok(mut code) = engines.plain.precompile_component(&split.component)
    {
        code.push(Form::Component(Flavor::Plain).tag());
        return Ok(Compiled { code, shared: split.code });
    }
    let (mut code, form) = if is_module(program) {
        (engines.plain.precompile_module(program).map_err(failed)?, Form::Module)
    } else if let Ok(code) = engines.plain.precompile_component(program) {
        // The plain engine refuses while it validates, before it compiles anything.
        (code, Form::Component(Flavor::Plain))
    } else {
        (engines.concurrent.precompile_component(program).map_err(failed)?, Form::Component(Flavor::Concurrent))
    };
    code.push(form.tag());
    Ok(Compiled { code, shared: Vec::new() })
}

/// Whether it begins as a core module does, whose version and layer differ from a component's.
fn is_module(program: &[u8]) -> bool {
    program.starts_with(b"\0asm\x01\0\0\0")
}

/// What code was compiled from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A component, for the engine of this flavor.
    Component(Flavor),
    /// A core module, for the plain engine.
    Module,
}

impl Form {
    const ALL: [Self; 3] = [Self::Component(Flavor::Plain), Self::Component(Flavor::Concurrent), Self::Module];

    fn tag(self) -> u8 {
        match self {
            Self::Component(Flavor::Plain) => b'p',
            Self::Component(Flavor::Concurrent) => b'c',
            Self::Module => b'm',
        }
    }

    /// The form that [`compile`] noted at the end of its result.
    pub(crate) fn of_tag(tag: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|form| form.tag() == tag)
    }
}
