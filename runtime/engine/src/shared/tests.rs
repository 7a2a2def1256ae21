use super::*;
use crate::{Flavor, compile, recipe};
use wasmtime::{
    Module, Store,
    component::{Component, Linker},
};

/// An engine with an app in it: what its memory and its global begin with is the app's. It adds both up; the sum goes to memory, and
/// through another core module, as calls of tables do.
fn app(greeting: &str, number: i32, pages: u32) -> Vec<u8> {
    let text = format!(
        r#"(component
            (core module $shim (func (export "twice") (param i32) (result i32) (i32.add (local.get 0) (local.get 0))))
            (core module $main
                (type (func))
                (import "shim" "twice" (func $twice (param i32) (result i32)))
                (memory (export "memory") {pages})
                (table 1 funcref)
                (global $base i32 (i32.const 1000))
                (global $number (mut i32) (i32.const {number}))
                (elem (i32.const 0) $twice)
                (data $kept "kept")
                (data (i32.const 8) "{greeting}")
                (func (export "grown") (result i32) (memory.grow (i32.const 1)))
                (func (export "sum") (result i32)
                    (memory.init $kept (i32.const 100) (i32.const 0) (i32.const 4))
                    (global.set $number (i32.add (global.get $number) (i32.const 1)))
                    (i32.add (i32.load8_u (i32.const 100))
                        (i32.add (global.get $base)
                            (call_indirect (param i32) (result i32)
                                (i32.add (i32.load8_u (i32.const 8)) (global.get $number)) (i32.const 0)))))
                (func {}))
            (core instance $s (instantiate $shim))
            (core instance $m (instantiate $main (with "shim" (instance $s))))
            (core module $last (import "main" "sum" (func $sum (result i32))) (func (export "sum") (result i32) (call $sum)))
            (core instance $l (instantiate $last (with "main" (instance $m))))
            (func (export "sum") (result u32) (canon lift (core func $l "sum")))
            (func (export "grown") (result u32) (canon lift (core func $m "grown"))))"#,
        "nop ".repeat(LEAST_BYTES)
    );
    wat::parse_str(text).unwrap()
}

#[test]
fn apps_on_one_engine_share_its_code_and_nothing_else() {
    let engines = recipe::for_compiling(None).unwrap();
    let engine = engines.of(Flavor::Plain);
    let (one, other) = (app("A", 1, 1), app("a", 100, 3));
    let [(digest, module)] = &*code(&one) else { panic!("one core module is big") };
    assert_eq!(*digest, Sha256Digest::of(module));
    assert_eq!(code(&other).first().map(|(digest, _)| *digest), Some(*digest), "another app has the same code");
    let compiled = compile(&engines, module, |_| false).unwrap();
    assert!(compiled.shared.is_empty());
    let module = Module::new(engine, module).unwrap();

    // 'k' and 1000 come from the code, the rest is the app's; one more with each call.
    for (app, sums, pages) in [
        (&one, [107 + 1000 + 2 * (65 + 2), 107 + 1000 + 2 * (65 + 3)], 1),
        (&other, [107 + 1000 + 2 * (97 + 101), 107 + 1000 + 2 * (97 + 102)], 3),
    ] {
        let split = split(app, |wanted| wanted == digest).unwrap();
        assert_eq!(split.code, [*digest]);
        assert!(split.component.len() < 4096, "the code is not in it: {} bytes", split.component.len());
        let component = Component::new(engine, &split.component).unwrap();
        let mut linker = Linker::<()>::new(engine);
        linker.root().module(&name(digest), &module).unwrap();
        for _ in 0..2 {
            let mut store = Store::new(engine, ());
            store.set_epoch_deadline(1);
            let instance = linker.instantiate(&mut store, &component).unwrap();
            for sum in sums {
                let function = instance.get_typed_func::<(), (u32,)>(&mut store, "sum").unwrap();
                assert_eq!(function.call(&mut store, ()).unwrap(), (sum,));
            }
            let grown = instance.get_typed_func::<(), (u32,)>(&mut store, "grown").unwrap();
            assert_eq!(grown.call(&mut store, ()).unwrap(), (pages,), "memory begins as the app has it");
        }
    }
}

#[test]
fn what_is_not_there_is_compiled_with_the_component() {
    let engines = recipe::for_compiling(None).unwrap();
    assert!(split(&app("A", 1, 1), |_| false).is_none());
    assert!(compile(&engines, &app("A", 1, 1), |_| false).unwrap().shared.is_empty());
    assert_eq!(compile(&engines, &app("A", 1, 1), |_| true).unwrap().shared.len(), 1);
}

#[test]
fn shapes_that_are_not_known_stay_whole() {
    let padding = format!("(func {})", "nop ".repeat(LEAST_BYTES));
    let pad = |text: &str| wat::parse_str(text.replace("PADDING", &padding)).unwrap();
    // A global that begins with another's value; data into an imported memory; passive data after active.
    for module in [
        r#"(import "e" "g" (global i32)) (global (mut i32) (global.get 0))"#,
        r#"(import "e" "m" (memory 1)) (data (i32.const 0) "x")"#,
        r#"(memory 1) (data (i32.const 0) "x") (data "y")"#,
        r#"(import "e" "g" (global i32)) (memory 1) (global i32 (i32.const 64)) (data (global.get 0) "x")"#,
    ] {
        assert!(code(&pad(&format!("(component (core module {module} PADDING))"))).is_empty(), "{module}");
    }
    // What has no state is its own code.
    let stateless = r#"(import "e" "g" (global i32)) (import "e" "m" (memory 1)) (global i32 (global.get 0))"#;
    let component = pad(&format!("(component (core module {stateless} PADDING))"));
    assert_eq!(code(&component).first().map(|(_, code)| code.len()), core_modules(&component).first().map(|module| module.len()));
    // Memory that is all data has little code to share.
    let data = format!(r#"(component (core module (memory 9) (data (i32.const 0) "{}")))"#, "x".repeat(LEAST_BYTES));
    assert!(code(&wat::parse_str(data).unwrap()).is_empty());
    // Another component that refers to the module by its number.
    let nested = pad("(component $outer (core module $m (memory 1) PADDING) (component (alias outer $outer $m (core module))))");
    assert_eq!(code(&nested).len(), 1);
    assert!(split(&nested, |_| true).is_none());
    // Two instances have two memories, which one module of state has not; none needs none.
    for instances in ["(core instance (instantiate $m)) (core instance (instantiate $m))", ""] {
        let component = pad(&format!("(component (core module $m (memory 1) PADDING) {instances})"));
        assert_eq!((code(&component).len(), split(&component, |_| true).is_none()), (1, true), "{instances}");
    }
    let once = pad("(component (core module $m (memory 1) PADDING) (core instance (instantiate $m)))");
    assert!(split(&once, |_| true).is_some());
    assert!(code(b"\0asm\x0d\0\x01\0broken").is_empty());
}

#[test]
fn no_app_imports_a_core_module_itself() {
    let engines = recipe::for_compiling(None).unwrap();
    let asks = wat::parse_str(format!(r#"(component (import "{}" (core module)))"#, name(&Sha256Digest::of(b"x")))).unwrap();
    assert!(compile(&engines, &asks, |_| true).unwrap_err().to_string().contains("it imports a core module"));
    assert_eq!(digest(&name(&Sha256Digest::of(b"x"))), Some(Sha256Digest::of(b"x")));
    assert_eq!(digest("wasi:http/types"), None);
}
