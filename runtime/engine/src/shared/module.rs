//! One core module, taken apart.

use std::ops::Range;
use virga_model::Sha256Digest;
use wasm_encoder::{
    DataCountSection, DataSection, EntityType, ExportKind, ExportSection, GlobalSection, ImportSection, MemorySection, Module, ModuleType,
    RawSection, SectionId,
    reencode::{Reencode as _, RoundtripReencoder},
};
use wasmparser::{
    CompositeInnerType, ConstExpr, Data, DataKind, DataSectionReader, Encoding, ExternalKind, FuncType, Global, GlobalType, MemoryType,
    Operator, Parser, Payload, TableType, TypeRef,
};

/// The module by whose name the code imports its memories and globals.
pub(super) const STATE: &str = "virga:state";

/// A core module, taken apart.
pub(super) struct Apart {
    /// Of `code`.
    pub(super) digest: Sha256Digest,
    /// All of the module but its memories, globals and what memory begins with.
    pub(super) code: Vec<u8>,
    /// What `code` imports and exports.
    pub(super) kind: ModuleType,
    /// A module that exports what `code` imports by the name of [`STATE`]; missing where there is nothing of that sort.
    pub(super) state: Option<Vec<u8>>,
}

/// `None` for a module with less code than `least_bytes`, or of a shape that is not known here; that is none of any engine's.
pub(super) fn take_apart(module: &[u8], least_bytes: usize) -> Option<Apart> {
    let read = Read::of(module).filter(|read| read.code_bytes >= least_bytes)?;
    let (state, code) = if read.has_state() { (Some(read.state()?), read.code()?) } else { (None, module.to_vec()) };
    Some(Apart { digest: Sha256Digest::of(&code), kind: read.kind()?, code, state })
}

/// What a module has, in the order of its indices: imported things come first.
#[derive(Default)]
struct Read<'a> {
    module: &'a [u8],
    types: Vec<Option<FuncType>>,
    /// Indices of their types.
    functions: Vec<u32>,
    tables: Vec<TableType>,
    memories: Vec<MemoryType>,
    globals: Vec<GlobalType>,
    imports: Vec<(&'a str, &'a str, TypeRef)>,
    /// How many of `memories` and of `globals` are imported.
    imported_memories: usize,
    imported_globals: usize,
    /// Those that are not imported.
    own_globals: Vec<Global<'a>>,
    exports: Vec<(&'a str, ExternalKind, u32)>,
    passive: Vec<Data<'a>>,
    active: Vec<Data<'a>>,
    counts_data: bool,
    code_bytes: usize,
    /// Data whose place is told by another's global.
    is_unknown: bool,
    sections: Vec<(u8, Range<usize>)>,
}

impl<'a> Read<'a> {
    fn of(module: &'a [u8]) -> Option<Self> {
        let mut read = Self { module, ..Self::default() };
        for payload in Parser::new(0).parse_all(module) {
            let payload = payload.ok()?;
            read.sections.extend(payload.as_section());
            read.take(payload)?;
        }
        if read.has_state() {
            // Where both stand, numbers of memories would be others in a module of their own.
            let is_mixed = read.imported_memories > 0 && (!read.own_memories().is_empty() || !read.active.is_empty());
            let are_constant = read.own_globals.iter().all(is_constant);
            return if !is_mixed && are_constant && !read.is_unknown { Some(read) } else { None };
        }
        Some(read)
    }

    /// Libraries that a program is joined of mostly have none: their memory is another module's.
    fn has_state(&self) -> bool {
        !self.own_memories().is_empty()
            || !self.active.is_empty()
            || self.is_unknown
            || self.own_globals.iter().any(|global| global.ty.mutable)
    }

    fn take(&mut self, payload: Payload<'a>) -> Option<()> {
        match payload {
            Payload::Version { encoding, .. } if encoding != Encoding::Module => return None,
            Payload::TypeSection(section) => {
                for group in section {
                    for kind in group.ok()?.into_types() {
                        self.types.push(match kind.composite_type.inner {
                            CompositeInnerType::Func(function) => Some(function),
                            _ => None,
                        });
                    }
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import.ok()?;
                    match import.ty {
                        TypeRef::Func(kind) => self.functions.push(kind),
                        TypeRef::Table(kind) => self.tables.push(kind),
                        TypeRef::Memory(kind) => self.memories.push(kind),
                        TypeRef::Global(kind) => self.globals.push(kind),
                        TypeRef::Tag(_) | TypeRef::FuncExact(_) => return None,
                    }
                    self.imports.push((import.module, import.name, import.ty));
                }
                (self.imported_memories, self.imported_globals) = (self.memories.len(), self.globals.len());
            }
            Payload::FunctionSection(section) => self.functions.extend(section.into_iter().collect::<Result<Vec<_>, _>>().ok()?),
            Payload::TableSection(section) => {
                for table in section {
                    self.tables.push(table.ok()?.ty);
                }
            }
            Payload::MemorySection(section) => self.memories.extend(section.into_iter().collect::<Result<Vec<_>, _>>().ok()?),
            Payload::GlobalSection(section) => {
                for global in section {
                    let global = global.ok()?;
                    self.globals.push(global.ty);
                    self.own_globals.push(global);
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export.ok()?;
                    self.exports.push((export.name, export.kind, export.index));
                }
            }
            Payload::CodeSectionStart { range, .. } => self.code_bytes = range.len(),
            Payload::DataCountSection { .. } => self.counts_data = true,
            Payload::DataSection(section) => self.take_data(section)?,
            _ => {}
        }
        Some(())
    }

    /// Code calls data by its number, and only passive data is there to be called: it stays with the code and must come first.
    fn take_data(&mut self, section: DataSectionReader<'a>) -> Option<()> {
        for data in section {
            let data = data.ok()?;
            match data.kind {
                DataKind::Passive if self.active.is_empty() => self.passive.push(data),
                DataKind::Passive => return None,
                DataKind::Active { ref offset_expr, .. } if is_number(offset_expr) => self.active.push(data),
                DataKind::Active { .. } => self.is_unknown = true,
            }
        }
        Some(())
    }

    fn own_memories(&self) -> &[MemoryType] {
        self.memories.get(self.imported_memories..).unwrap_or_default()
    }

    /// The module of what the code imports: see [`Apart::state`].
    fn state(&self) -> Option<Vec<u8>> {
        let (mut memories, mut globals, mut exports) = (MemorySection::new(), GlobalSection::new(), ExportSection::new());
        for (number, kind) in (0..).zip(self.own_memories()) {
            memories.memory(RoundtripReencoder.memory_type(*kind).ok()?);
            exports.export(&memory(number), ExportKind::Memory, number);
        }
        for (number, global) in (0..).zip(&self.own_globals) {
            RoundtripReencoder.parse_global(&mut globals, global.clone()).ok()?;
            exports.export(&self::global(number), ExportKind::Global, number);
        }
        let mut data = DataSection::new();
        for segment in &self.active {
            data.raw(self.module.get(segment.range.clone())?);
        }
        let mut state = Module::new();
        state.section(&memories).section(&globals).section(&exports).section(&data);
        Some(state.finish())
    }

    /// What the code imports of its state: memories of any size, for apps have memories of different sizes.
    fn imports_of_state(&self) -> Option<Vec<(String, EntityType)>> {
        let mut imports = Vec::new();
        if !self.has_state() {
            return Some(imports);
        }
        for (number, kind) in (0..).zip(self.own_memories()) {
            let kind = wasm_encoder::MemoryType { minimum: 0, maximum: None, ..RoundtripReencoder.memory_type(*kind).ok()? };
            imports.push((memory(number), EntityType::Memory(kind)));
        }
        for (number, global) in (0..).zip(&self.own_globals) {
            imports.push((self::global(number), EntityType::Global(RoundtripReencoder.global_type(global.ty).ok()?)));
        }
        Some(imports)
    }

    /// The same sections but those of the state. No number in the code changes: of memories as of globals either all are imported now, or
    /// those that are follow those that were.
    fn code(&self) -> Option<Vec<u8>> {
        let mut imports = ImportSection::new();
        for (module, name, kind) in &self.imports {
            imports.import(module, name, RoundtripReencoder.entity_type(*kind).ok()?);
        }
        for (name, kind) in self.imports_of_state()? {
            imports.import(STATE, &name, kind);
        }
        let mut data = DataSection::new();
        for segment in &self.passive {
            data.raw(self.module.get(segment.range.clone())?);
        }
        let is = |id: u8, section: SectionId| id == u8::from(section);
        let mut code = Module::new();
        let mut is_waiting = true;
        for (id, range) in &self.sections {
            if is_waiting && !is(*id, SectionId::Type) && !is(*id, SectionId::Custom) {
                code.section(&imports);
                is_waiting = false;
            }
            if [SectionId::Import, SectionId::Memory, SectionId::Global, SectionId::DataCount, SectionId::Data]
                .iter()
                .any(|gone| is(*id, *gone))
            {
                continue;
            }
            if is(*id, SectionId::Code) && self.counts_data {
                code.section(&DataCountSection { count: data.len() });
            }
            code.section(&RawSection { id: *id, data: self.module.get(range.clone())? });
            if is(*id, SectionId::Code) && !data.is_empty() {
                code.section(&data);
            }
        }
        Some(code.finish())
    }

    /// The code's imports and exports, as a component that imports it must tell them.
    fn kind(&self) -> Option<ModuleType> {
        let mut kind = ModuleType::new();
        for (module, name, imported) in &self.imports {
            let imported = match imported {
                TypeRef::Func(index) => self.function(&mut kind, *index)?,
                other => RoundtripReencoder.entity_type(*other).ok()?,
            };
            kind.import(module, name, imported);
        }
        for (name, imported) in self.imports_of_state()? {
            kind.import(STATE, &name, imported);
        }
        for (name, what, number) in &self.exports {
            let number = usize::try_from(*number).ok()?;
            let exported = match what {
                ExternalKind::Func => self.function(&mut kind, *self.functions.get(number)?)?,
                ExternalKind::Table => EntityType::Table(RoundtripReencoder.table_type(*self.tables.get(number)?).ok()?),
                ExternalKind::Memory => {
                    let exported = RoundtripReencoder.memory_type(*self.memories.get(number)?).ok()?;
                    // An own one is as the code imports it.
                    let is_own = number >= self.imported_memories;
                    EntityType::Memory(if is_own { wasm_encoder::MemoryType { minimum: 0, maximum: None, ..exported } } else { exported })
                }
                ExternalKind::Global => EntityType::Global(RoundtripReencoder.global_type(*self.globals.get(number)?).ok()?),
                ExternalKind::Tag | ExternalKind::FuncExact => return None,
            };
            kind.export(name, exported);
        }
        Some(kind)
    }

    fn function(&self, kind: &mut ModuleType, index: u32) -> Option<EntityType> {
        let function = self.types.get(usize::try_from(index).ok()?)?.clone()?;
        let number = kind.type_count();
        kind.ty().func_type(&RoundtripReencoder.func_type(function).ok()?);
        Some(EntityType::Function(number))
    }
}

fn is_constant(global: &Global<'_>) -> bool {
    is_number(&global.init_expr)
}

/// Whether it is a number, which is the same in a module without imports.
fn is_number(expression: &ConstExpr<'_>) -> bool {
    let mut operators = expression.get_operators_reader();
    let begins = matches!(
        operators.read(),
        Ok(Operator::I32Const { .. }
            | Operator::I64Const { .. }
            | Operator::F32Const { .. }
            | Operator::F64Const { .. }
            | Operator::V128Const { .. })
    );
    begins && matches!(operators.read(), Ok(Operator::End))
}

fn memory(number: u32) -> String {
    format!("memory{number}")
}

fn global(number: u32) -> String {
    format!("global{number}")
}
