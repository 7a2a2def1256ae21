//! Components that are made of others: what `app.wasm` imports and another component of the app exports is joined at staging.

use crate::failure;
use std::{
    fs,
    path::{Path, PathBuf},
};
use virga_contract::staging::StagingError;
use wac_graph::{CompositionGraph, EncodeOptions, plug, types::Package};

/// Where the others lie.
pub(super) const FOLDER: &str = "components";

/// The component with those of the app's `components` plugged into its imports; what it was where there are none.
pub(super) fn with_others(app: &Path, main: Vec<u8>, name: &str) -> Result<Vec<u8>, StagingError> {
    let others = others(&app.join(FOLDER)).map_err(|error| failure::internal("read the app's components", &error))?;
    if others.is_empty() {
        return Ok(main);
    }
    let wrong = |what: &str, reason: String| failure::compile(format!("{what} cannot be composed: {reason}"));
    let mut graph = CompositionGraph::new();
    let register = |graph: &mut CompositionGraph, id: &str, what: &str, bytes: Vec<u8>| {
        let package = Package::from_bytes(id, None, bytes, graph.types_mut()).map_err(|error| wrong(what, format!("{error:#}")))?;
        graph.register_package(package).map_err(|error| wrong(what, error.to_string()))
    };
    let mut plugs = Vec::new();
    for (number, path) in others.iter().enumerate() {
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let bytes = fs::read(path).map_err(|error| failure::internal("read the app's components", &error))?;
        let bytes = wat::parse_bytes(&bytes).map_err(|error| wrong(&file, error.to_string()))?.into_owned();
        plugs.push(register(&mut graph, &format!("app:plug{number}"), &file, bytes)?);
    }
    let socket = register(&mut graph, "app:main", name, main)?;
    plug(&mut graph, plugs, socket).map_err(|_| {
        failure::compile(format!("no component in '{FOLDER}/' exports what {name} imports; remove the folder, or check the names and versions of their interfaces"))
    })?;
    graph.encode(EncodeOptions::default()).map_err(|error| wrong(name, error.to_string()))
}

/// In the order of their names: where two export the same, the last one is taken.
fn others(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
    let is_component = |path: &PathBuf| path.is_file() && path.extension().is_some_and(|found| found == "wasm" || found == "wat");
    let mut found: Vec<_> = entries.into_iter().filter(is_component).collect();
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKS: &str = r#"(component
        (import "acme:lib/words@1.0.0" (instance $words (export "count" (func (result u32)))))
        (core func $count (canon lower (func $words "count")))
        (core module $m (import "" "count" (func $count (result i32)))
            (func (export "run") (result i32) (i32.ne (call $count) (i32.const 7))))
        (core instance $lib (export "count" (func $count)))
        (core instance $i (instantiate $m (with "" (instance $lib))))
        (func $run (result (result)) (canon lift (core func $i "run")))
        (component $c (import "run" (func $run (result (result)))) (export "run" (func $run)))
        (instance $i (instantiate $c (with "run" (func $run)))) (export "wasi:cli/run@0.2.6" (instance $i)))"#;
    const GIVES: &str = r#"(component
        (core module $m (func (export "count") (result i32) i32.const 7))
        (core instance $i (instantiate $m))
        (func $count (result u32) (canon lift (core func $i "count")))
        (instance $words (export "count" (func $count)))
        (export "acme:lib/words@1.0.0" (instance $words)))"#;

    fn composed(other: Option<&str>) -> Result<Vec<u8>, StagingError> {
        let app = tempfile::tempdir().unwrap();
        if let Some(other) = other {
            fs::create_dir(app.path().join(FOLDER)).unwrap();
            fs::write(app.path().join(FOLDER).join("words.wat"), other).unwrap();
        }
        with_others(app.path(), wat::parse_str(ASKS).unwrap(), "app.wasm")
    }

    #[test]
    fn imports_are_given_by_components_beside() {
        let alone = super::super::component(&composed(None).unwrap(), "app.wasm").unwrap_err();
        assert!(alone.message.contains("imports acme:lib/words@1.0.0"), "{alone}");
        let joined = super::super::component(&composed(Some(GIVES)).unwrap(), "app.wasm").unwrap();
        assert!(joined.imports.is_empty(), "{:?}", joined.imports);
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let other = GIVES.replace("acme:lib/words@1.0.0", "acme:lib/numbers@1.0.0");
        assert!(composed(Some(&other)).unwrap_err().message.contains("no component in 'components/' exports what app.wasm imports"));
        assert!(composed(Some("(module)")).unwrap_err().message.starts_with("words.wat cannot be composed"));
    }
}
