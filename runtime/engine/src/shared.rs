//! Code that apps share: a language's engine with an app started in it differs from the engine with any other app in what is in its
//! memory and globals, and in nothing else. So the big core modules of a component are taken apart, into a module of code that
//! imports its memories and globals and a small one that defines them; where the platform has the code already, the
//! component imports it. It is then compiled once, and mapped once however many apps run on it (ADR 0017).
//!
//! Droplets are not changed by it: what is compiled is.

mod join;
mod module;

use module::Apart;
use std::collections::HashSet;
use virga_model::Sha256Digest;
use wasmparser::{ComponentExternalKind, Parser, Payload};

/// Bytes of code from which on it is worth it: a core module of an engine has more, one of an app's own mostly less.
const LEAST_BYTES: usize = 256 << 10;
/// Begins the name by which a component imports shared code. A word of such names begins with a letter.
const PREFIX: &str = "shared-x";

/// A component without the code that it shares.
#[derive(Debug)]
pub struct Split {
    /// The component; it imports each core module of `code` by its [`name`].
    pub component: Vec<u8>,
    /// What it imports.
    pub code: Vec<Sha256Digest>,
}

/// The name by which a component imports the core module with this digest.
#[must_use]
pub fn name(code: &Sha256Digest) -> String {
    format!("{PREFIX}{code}")
}

/// The digest in a [`name`].
#[must_use]
pub fn digest(name: &str) -> Option<Sha256Digest> {
    name.strip_prefix(PREFIX)?.parse().ok()
}

/// Whether a program imports a core module: no app of a user may, for it would be linked with what is the platform's.
pub(crate) fn is_named_in(program: &[u8]) -> bool {
    let mut depth = 0_u32;
    Parser::new(0).parse_all(program).map_while(Result::ok).any(|payload| {
        let outside = depth == 0;
        match payload {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if outside => {
                return section.into_iter().any(|import| import.is_ok_and(|import| import.ty.kind() == ComponentExternalKind::Module));
            }
            _ => {}
        }
        false
    })
}

/// The code of a component's big core modules, for [`crate::compile`] to be compiled by itself, each with its digest. Empty for what is
/// no component.
#[must_use]
pub fn code(component: &[u8]) -> Vec<(Sha256Digest, Vec<u8>)> {
    let apart = core_modules(component).into_iter().filter_map(apart);
    apart.map(|apart| (apart.digest, apart.code)).collect()
}

/// Leaves out of a component the code that is there already. `None` where it has none of it, or is of a shape that cannot be split: it is
/// then compiled as a whole.
pub fn split(component: &[u8], is_there: impl Fn(&Sha256Digest) -> bool) -> Option<Split> {
    let mut seen = HashSet::new();
    let apart = |module| apart(module).filter(|apart| is_there(&apart.digest) && seen.insert(apart.digest));
    let modules: Vec<Option<Apart>> = core_modules(component).into_iter().map(apart).collect();
    let code: Vec<Sha256Digest> = modules.iter().flatten().map(|apart| apart.digest).collect();
    if code.is_empty() { None } else { Some(Split { component: join::join(component, &modules)?, code }) }
}

fn apart(module: &[u8]) -> Option<Apart> {
    if module.len() < LEAST_BYTES { None } else { module::take_apart(module, LEAST_BYTES) }
}

/// The core modules that stand in the component itself, in their order.
fn core_modules(component: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(component) {
        match payload {
            Ok(Payload::ModuleSection { unchecked_range, .. }) => {
                if depth == 0 {
                    found.extend(component.get(unchecked_range));
                }
                depth += 1;
            }
            Ok(Payload::ComponentSection { .. }) => depth += 1,
            Ok(Payload::End(_)) => depth = depth.saturating_sub(1),
            Ok(_) => {}
            // What is broken is compiled as a whole, and refused then.
            Err(_) => return Vec::new(),
        }
    }
    found
}

#[cfg(test)]
mod tests;
