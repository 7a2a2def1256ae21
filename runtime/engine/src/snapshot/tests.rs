use super::*;
use std::fs;

/// Writes what it learns of the world to its memory: two times, random bytes, how a file in its folder looks, the folder's list.
const CURIOUS: &str = r#"(module
    (import "wasi_snapshot_preview1" "clock_time_get" (func $time (param i32 i64 i32) (result i32)))
    (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "path_filestat_get" (func $stat (param i32 i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_readdir" (func $list (param i32 i32 i32 i64 i32) (result i32)))
    (import "wasi_snapshot_preview1" "poll_oneoff" (func $wait (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 16) "b.txt")
    (func (export "start")
        (call $told (call $time (i32.const 0) (i64.const 1) (i32.const 1024)))
        (call $told (call $random (i32.const 1040) (i32.const 16)))
        (call $told (call $stat (i32.const 3) (i32.const 0) (i32.const 16) (i32.const 5) (i32.const 1056)))
        (call $told (call $list (i32.const 3) (i32.const 2048) (i32.const 512) (i64.const 0) (i32.const 1136)))
        ;; An hour by the monotonic clock.
        (i32.store (i32.const 4112) (i32.const 1))
        (i64.store (i32.const 4120) (i64.const 3600000000000))
        (call $told (call $wait (i32.const 4096) (i32.const 4160) (i32.const 1) (i32.const 1140)))
        (call $told (call $time (i32.const 1) (i64.const 1) (i32.const 1032))))
    (func $told (param i32) (if (local.get 0) (then unreachable))))"#;

fn taken(text: &str, files: &[(&str, &str)]) -> Result<Vec<u8>, SnapshotError> {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    fs::create_dir(&root).unwrap();
    for (name, text) in files {
        fs::write(root.join(name), text).unwrap();
    }
    let program = wat::parse_str(text).unwrap();
    let code = folder.path().join("code");
    fs::write(&code, prepare(&program, "start")?).unwrap();
    take(&Start { program: &program, code: &code, function: "start", folder: &root, environment: &[], input: "", bytecode: None })
}

/// The bytes of memory that a module begins with.
fn memory(program: &[u8]) -> Vec<u8> {
    let mut memory = vec![0; 65536];
    for payload in wasmparser::Parser::new(0).parse_all(program) {
        let wasmparser::Payload::DataSection(section) = payload.unwrap() else { continue };
        for data in section {
            let data = data.unwrap();
            let wasmparser::DataKind::Active { offset_expr, .. } = data.kind else { continue };
            let wasmparser::Operator::I32Const { value } = offset_expr.get_operators_reader().read().unwrap() else { panic!("no place") };
            let at = usize::try_from(value).unwrap();
            memory[at..at + data.data.len()].copy_from_slice(data.data);
        }
    }
    memory
}

fn number(memory: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(memory[at..at + 8].try_into().unwrap())
}

#[test]
fn the_same_start_is_the_same_snapshot() {
    let one = taken(CURIOUS, &[("a.txt", "1"), ("b.txt", "22"), ("c.txt", "")]).unwrap();
    let other = taken(CURIOUS, &[("c.txt", ""), ("b.txt", "22"), ("a.txt", "1")]).unwrap();
    assert_eq!(one, other);
    let memory = memory(&one);
    let date = number(&memory, 1024) / 1_000_000_000;
    assert_eq!(date, 1_767_225_600, "1 January 2026");
    assert!(memory[1040..1056].iter().any(|byte| *byte != 0), "there are random numbers");
    assert_eq!(number(&memory, 1056 + 32), 2, "the size of a file is its own");
    assert_eq!(number(&memory, 1056 + 48), 315_532_800_000_000_000, "its time is not");
    let hour = 3_600_000_000_000;
    assert!((hour..hour + 1_000_000_000).contains(&number(&memory, 1032)), "an hour passed for the guest, and for it alone");
    let list = String::from_utf8_lossy(&memory[2048..2560]).into_owned();
    let places: Vec<_> = ["a.txt", "b.txt", "c.txt"].iter().map(|name| list.find(name).unwrap()).collect();
    assert!(places.is_sorted(), "{places:?}");
    assert!(!String::from_utf8_lossy(&one).contains("start"), "the function that starts is gone");
}

#[test]
fn how_a_start_ends_is_told_apart() {
    let exits = r#"(module
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1)
        (func (export "start") (call $exit (i32.const 3))))"#;
    assert!(matches!(taken(exits, &[]), Err(SnapshotError::Ended(3))));
    let traps = r#"(module (memory (export "memory") 1) (func (export "start") unreachable))"#;
    let told = taken(traps, &[]).unwrap_err();
    assert!(matches!(&told, SnapshotError::Trapped(reason) if reason.contains("unreachable")), "{told}");
    assert!(matches!(taken(r#"(module (memory (export "memory") 1))"#, &[]), Err(SnapshotError::Program(_))));
    let table = r#"(module (table 1 funcref) (func (export "start") (table.set (i32.const 0) (ref.null func))))"#;
    assert!(matches!(taken(table, &[]), Err(SnapshotError::Program(reason)) if reason.contains("table.set")));
}

#[test]
fn code_of_another_machine_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let code = folder.path().join("code");
    fs::write(&code, b"not code").unwrap();
    let program = wat::parse_str("(module)").unwrap();
    let start =
        Start { program: &program, code: &code, function: "start", folder: folder.path(), environment: &[], input: "", bytecode: None };
    assert!(matches!(take(&start), Err(SnapshotError::Code(_))));
    assert!(!key().unwrap().is_empty());
}
