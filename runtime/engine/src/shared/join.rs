//! A component put together again, with imports in the place of the code that it shares.

use super::{
    module::{Apart, STATE},
    name,
};
use std::convert::Infallible;
use wasm_encoder::{
    Component, ComponentAliasSection, ComponentImportSection, ComponentSectionId, ComponentTypeRef, CoreTypeSection, InstanceSection,
    ModuleArg, RawSection,
    reencode::{Error, Reencode, ReencodeComponent, component_utils as utils},
};
use wasmparser::{
    ComponentAlias, ComponentExternalKind, ComponentOuterAliasKind, Encoding, Instance, InstantiationArgKind, Parser, Payload,
};

/// The component with `modules`, those that stand in it, in the given order; what is `None` stays as it is. `None` where other parts of the
/// component than core instances call core modules by their numbers: no tool makes such engines.
pub(super) fn join(component: &[u8], modules: &[Option<Apart>]) -> Option<Vec<u8>> {
    let mut numbers = Numbers::of(modules)?;
    let mut instantiated = vec![0_u32; modules.len()];
    let mut out = Component::new();
    head(&mut out, modules)?;
    let mut left = modules.iter();
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(component) {
        let payload = payload.ok()?;
        let outside = depth == 0;
        match &payload {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            _ => {}
        }
        if !outside {
            refuse_outer(payload)?;
            continue;
        }
        match payload {
            Payload::Version { encoding, .. } if encoding != Encoding::Component => return None,
            Payload::ModuleSection { unchecked_range, .. } => {
                if left.next()?.is_none() {
                    out.section(&RawSection { id: ComponentSectionId::CoreModule.into(), data: component.get(unchecked_range)? });
                }
            }
            Payload::InstanceSection(section) => {
                for instance in section.clone() {
                    if let Instance::Instantiate { module_index, .. } = instance.ok()? {
                        let count = instantiated.get_mut(usize::try_from(module_index).ok()?)?;
                        *count = count.saturating_add(1);
                    }
                }
                let mut instances = InstanceSection::new();
                numbers.parse_instance_section(&mut instances, section).ok()?;
                out.section(&instances);
            }
            Payload::ComponentAliasSection(section) => {
                for alias in section.clone() {
                    if matches!(
                        alias.ok()?,
                        ComponentAlias::InstanceExport { kind: ComponentExternalKind::Module, .. } | ComponentAlias::Outer { .. }
                    ) {
                        return None;
                    }
                }
                let mut aliases = ComponentAliasSection::new();
                numbers.parse_component_alias_section(&mut aliases, section).ok()?;
                out.section(&aliases);
            }
            // Names of numbers that are others now.
            Payload::CustomSection(_) => {}
            payload => {
                refuse_modules(&payload)?;
                if let Some((id, range)) = payload.as_section() {
                    out.section(&RawSection { id, data: component.get(range)? });
                }
            }
        }
    }
    // There is one state for each module: a second instance would share it.
    let is_once = modules.iter().zip(&instantiated).all(|(apart, count)| apart.is_none() || *count == 1);
    if is_once { Some(out.finish()) } else { None }
}

/// What comes first: the imports, the modules of state, and their instances.
fn head(out: &mut Component, modules: &[Option<Apart>]) -> Option<()> {
    let (mut kinds, mut imports, mut instances) = (CoreTypeSection::new(), ComponentImportSection::new(), InstanceSection::new());
    for (number, apart) in (0..).zip(modules.iter().flatten()) {
        kinds.ty().module(&apart.kind);
        imports.import(name(&apart.digest).as_str(), ComponentTypeRef::Module(number));
    }
    out.section(&kinds).section(&imports);
    let mut number = imports.len();
    for state in modules.iter().flatten().filter_map(|apart| apart.state.as_ref()) {
        out.section(&RawSection { id: ComponentSectionId::CoreModule.into(), data: state });
        instances.instantiate(number, std::iter::empty::<(&str, ModuleArg)>());
        number = number.checked_add(1)?;
    }
    out.section(&instances);
    Some(())
}

/// Inside of other components nothing may refer to what has other numbers now.
fn refuse_outer(payload: Payload<'_>) -> Option<()> {
    if let Payload::ComponentAliasSection(section) = payload {
        for alias in section {
            if matches!(
                alias.ok()?,
                ComponentAlias::Outer { kind: ComponentOuterAliasKind::CoreModule | ComponentOuterAliasKind::CoreType, .. }
            ) {
                return None;
            }
        }
    }
    Some(())
}

/// Core modules that come or go by other ways than as sections, and core types, have numbers that are not kept here.
fn refuse_modules(payload: &Payload<'_>) -> Option<()> {
    let is_module = |kind: &ComponentExternalKind| *kind == ComponentExternalKind::Module;
    let found = match payload {
        Payload::CoreTypeSection(_) => true,
        Payload::ComponentImportSection(section) => {
            section.clone().into_iter().any(|import| !import.is_ok_and(|import| !is_module(&import.ty.kind())))
        }
        Payload::ComponentExportSection(section) => {
            section.clone().into_iter().any(|export| !export.is_ok_and(|export| !is_module(&export.kind)))
        }
        Payload::ComponentInstanceSection(section) => section.clone().into_iter().any(|instance| match instance {
            Ok(wasmparser::ComponentInstance::Instantiate { args, .. }) => args.iter().any(|argument| is_module(&argument.kind)),
            Ok(wasmparser::ComponentInstance::FromExports(exports)) => exports.iter().any(|export| is_module(&export.kind)),
            Err(_) => true,
        }),
        _ => false,
    };
    if found { None } else { Some(()) }
}

/// New numbers of core modules and core instances.
struct Numbers {
    /// By the old number: the new one, and the instance of its state.
    modules: Vec<(u32, Option<u32>)>,
    /// How many instances come first now.
    states: u32,
}

impl Numbers {
    fn of(modules: &[Option<Apart>]) -> Option<Self> {
        let count = |wanted: &dyn Fn(&Apart) -> bool| u32::try_from(modules.iter().flatten().filter(|apart| wanted(apart)).count()).ok();
        let (mut shared, mut state) = (0, 0);
        let states = count(&|apart| apart.state.is_some())?;
        let mut kept = count(&|_| true)?.checked_add(states)?;
        let mut numbers = Vec::new();
        for module in modules {
            numbers.push(match module {
                None => (post_increment(&mut kept), None),
                Some(apart) => (post_increment(&mut shared), apart.state.as_ref().map(|_| post_increment(&mut state))),
            });
        }
        Some(Self { modules: numbers, states })
    }

    fn of_module(&self, old: u32) -> (u32, Option<u32>) {
        // A number that is none stays one that is none.
        usize::try_from(old).ok().and_then(|old| self.modules.get(old)).copied().unwrap_or((u32::MAX, None))
    }
}

fn post_increment(number: &mut u32) -> u32 {
    let before = *number;
    *number = number.saturating_add(1);
    before
}

impl Reencode for Numbers {
    type Error = Infallible;
}

impl ReencodeComponent for Numbers {
    fn module_index(&mut self, old: u32) -> u32 {
        self.of_module(old).0
    }

    fn instance_index(&mut self, old: u32) -> u32 {
        old.saturating_add(self.states)
    }

    fn parse_instance(&mut self, instances: &mut InstanceSection, instance: Instance<'_>) -> Result<(), Error<Infallible>> {
        if let Instance::Instantiate { module_index, args } = &instance
            && let (module, Some(state)) = self.of_module(*module_index)
        {
            let mut given: Vec<(&str, ModuleArg)> = Vec::new();
            for argument in args {
                match argument.kind {
                    InstantiationArgKind::Instance => given.push((argument.name, ModuleArg::Instance(self.instance_index(argument.index)))),
                }
            }
            given.push((STATE, ModuleArg::Instance(state)));
            instances.instantiate(module, given);
            return Ok(());
        }
        utils::parse_instance(self, instances, instance)
    }
}
