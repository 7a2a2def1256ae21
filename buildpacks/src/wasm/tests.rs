use super::*;
use virga_contract::staging::StagingErrorKind;

fn from_text(text: &str) -> Result<Built, StagingError> {
    component(&wat::parse_str(text).unwrap(), "app.wat")
}

const COMMAND: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "_start")))"#;

#[test]
fn a_core_command_stays_what_it_is() {
    let built = from_text(COMMAND).unwrap();
    assert_eq!((built.guest, built.reuse), (GuestKind::Cgi, ReusePolicy::Request));
    assert_eq!(built.component, Some(wat::parse_str(COMMAND).unwrap()));
    assert_eq!(built.imports, ["wasi_snapshot_preview1"]);
    let server =
        from_text(&COMMAND.replace("\"fd_write\" (func (param i32 i32 i32 i32)", "\"sock_accept\" (func (param i32 i32 i32)")).unwrap();
    assert_eq!((server.guest, server.reuse), (GuestKind::Server, ReusePolicy::Request));
    assert!(server.detect_output.contains("LISTEN_FDS"), "{}", server.detect_output);
}

#[test]
fn what_a_core_command_cannot_have_is_named() {
    let without_memory = from_text(&COMMAND.replace("\"memory\"", "\"other\"")).unwrap_err();
    assert!(without_memory.message.contains("exports no memory"), "{without_memory}");
    let newer = from_text(&COMMAND.replace("fd_write", "thread-spawn")).unwrap_err();
    assert!(newer.message.contains("imports thread-spawn from wasi_snapshot_preview1"), "{newer}");
}

#[test]
fn exports_decide_the_kind() {
    let http = |interface: &str| {
        from_text(&format!(
            r#"(component (component $c (core module $m (func (export "f"))) (core instance $i (instantiate $m))
            (func (export "handle") (canon lift (core func $i "f")))) (instance $i (instantiate $c)) (export "{interface}" (instance $i)))"#
        ))
    };
    assert_eq!(http("wasi:http/incoming-handler@0.2.6").unwrap().guest, GuestKind::HttpP2);
    let newer = http("wasi:http/handler@0.3.0").unwrap();
    assert_eq!((newer.guest, newer.reuse), (GuestKind::HttpP3, ReusePolicy::Concurrent));
    let other = http("example:mine/thing@1.0.0").unwrap_err();
    assert_eq!(other.kind, StagingErrorKind::CompileFailed);
    assert!(other.message.contains("exports example:mine/thing@1.0.0") && other.message.contains("wasi:cli/run"));
}

#[test]
fn a_command_that_listens_is_a_server() {
    let command = |function: &str| {
        from_text(&format!(
            r#"(component
            (import "wasi:sockets/tcp@0.2.6" (instance (export "tcp-socket" (type $socket (sub resource)))
                (export "[method]tcp-socket.{function}" (func (param "self" (borrow $socket)) (result bool)))))
            (component $c (core module $m (func (export "f") (result i32) i32.const 0)) (core instance $i (instantiate $m))
                (func (export "run") (result (result)) (canon lift (core func $i "f"))))
            (instance $i (instantiate $c)) (export "wasi:cli/run@0.2.6" (instance $i)))"#
        ))
    };
    let server = command("start-listen").unwrap();
    assert_eq!((server.guest, server.reuse), (GuestKind::Server, ReusePolicy::Request));
    assert!(server.detect_output.contains("$PORT"));
    assert_eq!(command("start-connect").unwrap().guest, GuestKind::Cgi);
}

#[test]
fn a_command_without_a_web_process_serves_nobody() {
    let app = tempfile::tempdir().unwrap();
    fs::write(app.path().join("app.wat"), COMMAND).unwrap();
    let built = |procfile: &str| {
        fs::write(app.path().join("Procfile"), procfile).unwrap();
        build(app.path(), &app.path().join("files")).unwrap()
    };
    assert_eq!(built("worker: app work\n").guest, GuestKind::Command);
    assert_eq!(built("web: app\nworker: app work\n").guest, GuestKind::Cgi);
    assert_eq!(built("").guest, GuestKind::Cgi);
}

#[test]
fn what_cannot_be_given_is_named() {
    let strange = from_text(r#"(component (import "example:host/secret@1.0.0" (instance)) )"#).unwrap_err();
    assert!(strange.message.contains("imports example:host/secret@1.0.0, which this platform does not offer"), "{strange}");
    let module = from_text(r#"(module (import "env" "magic" (func)) (func (export "_start")))"#).unwrap_err();
    assert!(module.message.contains("imports magic from env"), "{module}");
    let library = from_text(r#"(module (func (export "add")))"#).unwrap_err();
    assert!(library.message.contains("without _start"), "{library}");
}

#[test]
fn one_program_is_found_and_two_are_not() {
    let app = tempfile::tempdir().unwrap();
    fs::write(app.path().join("one.wat"), COMMAND).unwrap();
    assert_eq!(find(app.path()), Some(app.path().join("one.wat")));
    fs::write(app.path().join("two.wasm"), "").unwrap();
    assert_eq!(find(app.path()), None);
    fs::write(app.path().join("app.wasm"), "").unwrap();
    assert_eq!(find(app.path()), Some(app.path().join("app.wasm")));
}

#[test]
fn text_that_is_no_program_is_explained() {
    let app = tempfile::tempdir().unwrap();
    fs::write(app.path().join("app.wat"), "(module (func").unwrap();
    let error = build(app.path(), &app.path().join("files")).unwrap_err();
    assert!(error.message.contains("app.wat is neither WebAssembly nor its text"), "{error}");
}
