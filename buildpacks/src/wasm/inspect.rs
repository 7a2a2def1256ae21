//! What a component imports and exports, read from its binary.

use virga_model::droplet::GuestKind;
use wasmparser::{Encoding, Parser, Payload, Validator, WasmFeatures, component_types::ComponentEntityType};

/// Packages of WASI that the cell offers, in any 0.2 or 0.3 version.
const OFFERED: [&str; 7] = ["cli", "clocks", "filesystem", "http", "io", "random", "sockets"];

/// Functions of wasi:sockets 0.2 and 0.3 that only a program calls which accepts connections. Toolchains import what is called, and
/// no more.
const LISTENS: [&str; 2] = ["[method]tcp-socket.start-listen", "[method]tcp-socket.listen"];

/// Imports and exports of a component, in order.
#[derive(Debug, Default)]
pub(crate) struct Shape {
    pub(crate) imports: Vec<String>,
    pub(crate) exports: Vec<String>,
    /// It imports what it takes to accept connections.
    pub(crate) listens: bool,
}

/// Validates a component and reads its shape; the error says where it is broken.
pub(crate) fn inspect(binary: &[u8]) -> Result<Shape, String> {
    let features = WasmFeatures::default() | WasmFeatures::CM_ASYNC;
    let types = Validator::new_with_features(features).validate_all(binary).map_err(|error| error.to_string())?;
    let mut shape = Shape::default();
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(binary) {
        match payload.map_err(|error| error.to_string())? {
            Payload::Version { encoding: Encoding::Module, .. } if depth == 0 => return Err("it is a core module".into()),
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    shape.imports.push(import.map_err(|error| error.to_string())?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    shape.exports.push(export.map_err(|error| error.to_string())?.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    let types = types.as_ref();
    shape.listens = shape.imports.iter().any(|import| {
        let Some(ComponentEntityType::Instance(instance)) = types.component_item_for_import(import).map(|item| item.ty) else {
            return false;
        };
        let Some(interface) = types.get(instance) else { return false };
        import.starts_with("wasi:sockets/") && LISTENS.iter().any(|function| interface.exports.contains_key(*function))
    });
    Ok(shape)
}

/// The imports of a component whose making makes it valid; it is validated when it is compiled, and not twice.
pub(crate) fn imports(binary: &[u8]) -> Result<Vec<String>, String> {
    let mut imports = Vec::new();
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(binary) {
        match payload.map_err(|error| error.to_string())? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    imports.push(import.map_err(|error| error.to_string())?.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok(imports)
}

impl Shape {
    /// The kind of guest its exports make it; none if the cell has no use for it.
    pub(crate) fn guest(&self) -> Option<GuestKind> {
        let exports = |interface: &str, version: &str| {
            self.exports
                .iter()
                .any(|export| export.split_once('@').is_some_and(|(name, found)| name == interface && found.starts_with(version)))
        };
        if exports("wasi:http/handler", "0.3.") {
            Some(GuestKind::HttpP3)
        } else if exports("wasi:http/incoming-handler", "0.2.") {
            Some(GuestKind::HttpP2)
        } else if exports("wasi:cli/run", "0.2.") || exports("wasi:cli/run", "0.3.") {
            Some(if self.listens { GuestKind::Server } else { GuestKind::Cgi })
        } else {
            None
        }
    }

    /// Imports that no cell can give.
    pub(crate) fn unsupported_imports(&self) -> Vec<&str> {
        self.imports.iter().map(String::as_str).filter(|import| !is_offered(import)).collect()
    }
}

fn is_offered(import: &str) -> bool {
    let Some((package, version)) = import.strip_prefix("wasi:").and_then(|rest| rest.split_once('@')) else { return false };
    let package = package.split('/').next().unwrap_or_default();
    OFFERED.contains(&package) && (version.starts_with("0.2.") || version.starts_with("0.3."))
}
