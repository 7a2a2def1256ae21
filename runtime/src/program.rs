//! A droplet made ready to run: its code mapped and linked once, however many instances use it.

use crate::{guest::static_site::Site, preview1, sockets, store::GuestState};
use std::{collections::BTreeMap, path::PathBuf};
use virga_engine::{DropletDir, Engines, Flavor};
use virga_model::{Sha256Digest, droplet::GuestKind, process::ReusePolicy};
use wasmtime::{
    InstancePre, Module,
    component::{Component, Linker, types::ComponentItem},
};
use wasmtime_wasi::{p2::bindings::CommandPre, p3::bindings::CommandPre as NewerPre};
use wasmtime_wasi_http::{p2::bindings::ProxyPre as P2Pre, p3::bindings::ServicePre as P3Pre};

/// A mapped, linked droplet.
pub struct Program {
    /// What runs.
    pub kind: Kind,
    /// What the droplet says of itself.
    pub guest: GuestKind,
    /// What runs as a command, where there is such a thing in it.
    pub command: Option<Start>,
    /// Which parts of a WASI context the component asks for; the others need not be made per wasm instance.
    pub needs: Needs,
    /// The read-only files of the guest.
    pub files: Option<PathBuf>,
    /// The reuse policy the droplet was staged for.
    pub reuse: ReusePolicy,
    /// What the buildpack adds to the environment.
    pub environment: BTreeMap<String, String>,
    /// Process types and their commands.
    pub process_types: BTreeMap<String, String>,
}

/// The beginning of a command.
pub enum Start {
    /// `wasi:cli/run` of 0.2.
    Component(CommandPre<GuestState>),
    /// `wasi:cli/run` of 0.3.
    Concurrent(NewerPre<GuestState>),
    /// A core module's `_start`.
    Module(InstancePre<GuestState>),
}

impl Start {
    fn engine(&self) -> &wasmtime::Engine {
        match self {
            Self::Component(pre) => pre.engine(),
            Self::Concurrent(pre) => pre.engine(),
            Self::Module(pre) => pre.module().engine(),
        }
    }
}

/// By kind of guest.
pub enum Kind {
    /// wasi:http 0.2.
    HttpP2(P2Pre<GuestState>),
    /// wasi:http 0.3.
    HttpP3(P3Pre<GuestState>),
    /// A command: run per request, or as long as its instance lives.
    Command,
    /// No code.
    Static(Box<Site>),
}

/// What a program imports.
#[derive(Debug, Clone, Copy, Default)]
pub struct Needs {
    /// Environment variables.
    pub environment: bool,
    /// A file system.
    pub files: bool,
    /// Sockets.
    pub sockets: bool,
    /// Sockets of WASI 0.3.
    pub newer_sockets: bool,
    /// A preopened listener, as programs of WASI 0.1 have it.
    pub listener: bool,
}

impl Needs {
    fn of(component: &Component) -> Self {
        let mut needs = Self::default();
        for (name, _) in component.component_type().imports(component.engine()) {
            needs.environment |= name.starts_with("wasi:cli/environment");
            needs.files |= name.starts_with("wasi:filesystem/");
            needs.sockets |= name.starts_with("wasi:sockets/");
            needs.newer_sockets |= name.starts_with("wasi:sockets/") && name.contains("@0.3");
        }
        needs
    }

    fn of_module(module: &Module) -> Self {
        Self { environment: true, files: true, listener: preview1::accepts(module), ..Self::default() }
    }
}

/// The linker with everything a guest may import.
///
/// # Errors
/// When two interfaces collide, which is a mistake in this function.
pub(crate) fn linker(engines: &Engines, flavor: Flavor) -> wasmtime::Result<Linker<GuestState>> {
    let mut linker = Linker::new(engines.of(flavor));
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    sockets::add_to_linker(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    if flavor == Flavor::Concurrent {
        wasmtime_wasi::p3::add_to_linker(&mut linker)?;
        sockets::newer::add_to_linker(&mut linker)?;
        wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;
    }
    Ok(linker)
}

/// The names by which a component imports code that it shares with others.
pub(crate) fn shared(component: &Component) -> Vec<String> {
    let kind = component.component_type();
    let modules = kind.imports(component.engine()).filter(|(_, item)| matches!(item.ty, ComponentItem::Module(_)));
    modules.map(|(name, _)| name.to_owned()).collect()
}

/// What a droplet says it asks for is all that it gets: `virga droplet show` prints that list.
fn are_listed<'a>(droplet: &DropletDir, mut imports: impl Iterator<Item = &'a str>) -> wasmtime::Result<()> {
    let listed = &droplet.manifest().imports;
    match imports.find(|import| !listed.iter().any(|known| known == import)) {
        Some(import) => Err(wasmtime::Error::msg(format!("it imports {import}, which its droplet.json does not list"))),
        None => Ok(()),
    }
}

impl Program {
    fn of(droplet: &DropletDir, kind: Kind, command: Option<Start>, needs: Needs) -> Self {
        let manifest = droplet.manifest();
        Self {
            kind,
            guest: manifest.guest,
            command,
            needs,
            files: droplet.files(),
            reuse: manifest.reuse,
            environment: manifest.environment.clone(),
            process_types: manifest.process_types.clone(),
        }
    }

    /// The engine its code is for; a static site has none.
    pub(crate) fn engine(&self) -> Option<&wasmtime::Engine> {
        match &self.kind {
            Kind::HttpP2(pre) => Some(pre.engine()),
            Kind::HttpP3(pre) => Some(pre.engine()),
            Kind::Command => self.command.as_ref().map(Start::engine),
            Kind::Static(_) => None,
        }
    }

    /// A droplet without code.
    ///
    /// # Errors
    /// When its files cannot be opened.
    pub(crate) fn of_files(droplet: &DropletDir, digest: &Sha256Digest) -> std::io::Result<Self> {
        let site = Site::open(droplet.files().as_deref(), droplet.manifest().site.clone().unwrap_or_default(), digest)?;
        Ok(Self::of(droplet, Kind::Static(Box::new(site)), None, Needs::default()))
    }

    /// Links mapped code. The error names an import that the cell does not have.
    ///
    /// # Errors
    /// When the component imports or exports other things than its kind of guest does, or imports what the droplet does not list.
    pub(crate) fn of_code(droplet: &DropletDir, linker: &Linker<GuestState>, component: &Component) -> wasmtime::Result<Self> {
        let pre = linker.instantiate_pre(component)?;
        let imports = component.component_type();
        let imports = imports.imports(component.engine());
        are_listed(droplet, imports.filter(|(_, item)| !matches!(item.ty, ComponentItem::Module(_))).map(|(name, _)| name))?;
        let mut command = match CommandPre::new(pre.clone()) {
            Ok(command) => Ok(Start::Component(command)),
            Err(older) => NewerPre::new(pre.clone()).map(Start::Concurrent).map_err(|_| older),
        };
        let kind = match droplet.manifest().guest {
            GuestKind::HttpP2 => Kind::HttpP2(P2Pre::new(pre)?),
            GuestKind::HttpP3 => Kind::HttpP3(P3Pre::new(pre)?),
            GuestKind::Cgi | GuestKind::Server | GuestKind::Command => {
                command = Ok(command?);
                Kind::Command
            }
            GuestKind::Static => return Err(wasmtime::Error::msg("a static site has no code")),
        };
        // An HTTP component may export a command beside its handler, for tasks and workers.
        Ok(Self::of(droplet, kind, command.ok(), Needs::of(component)))
    }

    /// Links the mapped code of a core module. The error names an import that the cell does not have.
    ///
    /// # Errors
    /// When the module imports other things than a command of WASI 0.1 does, or the droplet is of another kind.
    pub(crate) fn of_module(droplet: &DropletDir, linker: &wasmtime::Linker<GuestState>, module: &Module) -> wasmtime::Result<Self> {
        if !matches!(droplet.manifest().guest, GuestKind::Cgi | GuestKind::Server | GuestKind::Command) {
            return Err(wasmtime::Error::msg("a core module is a command and answers no requests of itself"));
        }
        let start = Start::Module(linker.instantiate_pre(module)?);
        are_listed(droplet, module.imports().map(|import| import.module()))?;
        Ok(Self::of(droplet, Kind::Command, Some(start), Needs::of_module(module)))
    }
}
