;; A command for tasks: `fine` says hello and ends, `fail` ends with a failing code, `endless` goes on until it is stopped. As an
;; app it answers requests by CGI, with what it says.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $args_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 64) "Content-Type: text/plain\n\nHello\n")
  (func (export "_start")
    (local $letter i32)
    (i32.store (i32.const 0) (i32.const 64))
    (i32.store (i32.const 4) (i32.const 32))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
    (drop (call $args_sizes_get (i32.const 16) (i32.const 20)))
    (if (i32.eqz (i32.load (i32.const 16))) (then (return)))
    (drop (call $args_get (i32.const 1024) (i32.const 2048)))
    ;; The second letter of the command: f[a]il, e[n]dless.
    (local.set $letter (i32.load8_u (i32.add (i32.load (i32.const 1024)) (i32.const 1))))
    (if (i32.eq (local.get $letter) (i32.const 97)) (then (call $proc_exit (i32.const 1))))
    (if (i32.eq (local.get $letter) (i32.const 110)) (then (loop $ever (br $ever))))))
