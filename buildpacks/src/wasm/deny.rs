//! Interfaces that a language engine refers to and no app of it may use: satisfied inside the component by functions that
//! trap, so that the component does not ask the cell for them.

use std::{collections::BTreeMap, fmt::Write as _};
use wasmparser::{BinaryReaderError, FuncType, Parser, Payload, TypeRef, ValType};

/// For each imported module whose name begins with one of `prefixes`, a module with all its functions, trapping.
pub(super) fn stand_ins(binary: &[u8], prefixes: &[&str]) -> Result<BTreeMap<String, Vec<u8>>, String> {
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    for (module, name, function) in imported_functions(binary).map_err(|error| error.to_string())? {
        if prefixes.iter().any(|prefix| module.starts_with(prefix)) {
            let text = texts.entry(module).or_insert_with(|| "(module".to_owned());
            // Writing to a String cannot fail.
            let _ = write!(
                text,
                "\n(func (export {name:?}){}{} unreachable)",
                clause("param", function.params()),
                clause("result", function.results())
            );
        }
    }
    texts.into_iter().map(|(module, text)| Ok((module, wat::parse_str(text + ")").map_err(|error| error.to_string())?))).collect()
}

fn clause(word: &str, types: &[ValType]) -> String {
    if types.is_empty() {
        String::new()
    } else {
        format!(" ({word} {})", types.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
    }
}

fn imported_functions(binary: &[u8]) -> Result<Vec<(String, String, FuncType)>, BinaryReaderError> {
    let mut types: Vec<Option<FuncType>> = Vec::new();
    let mut found = Vec::new();
    for payload in Parser::new(0).parse_all(binary) {
        match payload? {
            Payload::TypeSection(section) => {
                for group in section {
                    for kind in group?.into_types() {
                        types.push(match kind.composite_type.inner {
                            wasmparser::CompositeInnerType::Func(function) => Some(function),
                            _ => None,
                        });
                    }
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import?;
                    let TypeRef::Func(index) = import.ty else { continue };
                    let function = usize::try_from(index).ok().and_then(|index| types.get(index)).cloned().flatten();
                    found.extend(function.map(|function| (import.module.to_owned(), import.name.to_owned(), function)));
                }
                // Imports stand before all code: nothing more is to be learnt.
                return Ok(found);
            }
            _ => {}
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_begins_so_is_stood_in_for_with_its_types() {
        let binary = wat::parse_str(
            r#"(module (import "wasi:sockets/tcp@0.2.10" "[method]tcp-socket.shutdown" (func (param i32 i64) (result i32)))
                (import "wasi:io/poll@0.2.10" "poll" (func)))"#,
        )
        .unwrap();
        let made = stand_ins(&binary, &["wasi:sockets/"]).unwrap();
        assert_eq!(made.keys().collect::<Vec<_>>(), ["wasi:sockets/tcp@0.2.10"]);
        let expected =
            wat::parse_str(r#"(module (func (export "[method]tcp-socket.shutdown") (param i32 i64) (result i32) unreachable))"#).unwrap();
        assert_eq!(made.values().next(), Some(&expected));
    }
}
