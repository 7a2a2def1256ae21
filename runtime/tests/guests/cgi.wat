;; A WASI 0.2 command that speaks CGI: answers with its environment and whatever came on stdin.
;; PATH_INFO decides: /trap traps, /exit ends without an answer, /rude sends no head, anything else answers 201.
(component
  (import "wasi:io/error@0.2.0" (instance $io-error (export "error" (type (sub resource)))))
  (alias export $io-error "error" (type $error))
  (import "wasi:io/streams@0.2.0" (instance $streams
    (alias outer 1 $error (type $error))
    (export "output-stream" (type $output-stream (sub resource)))
    (export "input-stream" (type $input-stream (sub resource)))
    (type $stream-error' (variant (case "last-operation-failed" (own $error)) (case "closed")))
    (export "stream-error" (type $stream-error (eq $stream-error')))
    (export "[method]input-stream.blocking-read" (func
      (param "self" (borrow $input-stream)) (param "len" u64) (result (result (list u8) (error $stream-error)))))
    (export "[method]output-stream.blocking-write-and-flush" (func
      (param "self" (borrow $output-stream)) (param "contents" (list u8)) (result (result (error $stream-error)))))))
  (alias export $streams "output-stream" (type $output-stream))
  (alias export $streams "input-stream" (type $input-stream))
  (import "wasi:cli/environment@0.2.0" (instance $environment
    (export "get-environment" (func (result (list (tuple string string)))))))
  (import "wasi:cli/stdin@0.2.0" (instance $stdin
    (alias outer 1 $input-stream (type $input-stream))
    (export "get-stdin" (func (result (own $input-stream))))))
  (import "wasi:cli/stdout@0.2.0" (instance $stdout
    (alias outer 1 $output-stream (type $output-stream))
    (export "get-stdout" (func (result (own $output-stream))))))

  (core module $Memory
    (memory (export "memory") 8)
    (global $next (mut i32) (i32.const 131072))
    (func (export "realloc") (param i32 i32) (param $align i32) (param $size i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1)))
        (i32.sub (i32.const 0) (local.get $align))))
      (global.set $next (i32.add (local.get $at) (local.get $size)))
      (local.get $at)))
  (core instance $memory (instantiate $Memory))
  (core func $read (canon lower (func $streams "[method]input-stream.blocking-read")
    (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
  (core func $write (canon lower (func $streams "[method]output-stream.blocking-write-and-flush")
    (memory (core memory $memory "memory"))))
  (core func $get-environment (canon lower (func $environment "get-environment")
    (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
  (core func $get-stdin (canon lower (func $stdin "get-stdin")))
  (core func $get-stdout (canon lower (func $stdout "get-stdout")))

  (core module $Main
    (import "host" "read" (func $read (param i32 i64 i32)))
    (import "host" "write" (func $write (param i32 i32 i32 i32)))
    (import "host" "get-environment" (func $get-environment (param i32)))
    (import "host" "get-stdin" (func $get-stdin (result i32)))
    (import "host" "get-stdout" (func $get-stdout (result i32)))
    (import "memory" "memory" (memory 1))
    (data (i32.const 0) "Status: 201 Created\r\nContent-Type: text/plain\r\n\r\n")
    (data (i32.const 64) "=\n")
    (data (i32.const 72) "no head at all\n\n")
    (global $out (mut i32) (i32.const 0))
    (func $say (param $at i32) (param $size i32)
      (if (local.get $size) (then (call $write (global.get $out) (local.get $at) (local.get $size) (i32.const 4096)))))
    (func (export "run") (result i32)
      (local $entry i32) (local $left i32) (local $in i32)
      (global.set $out (call $get-stdout))
      (call $get-environment (i32.const 4112))
      (local.set $entry (i32.load (i32.const 4112)))
      (local.set $left (i32.load (i32.const 4116)))
      ;; PATH_INFO of five bytes: /trap, /exit, /rude told apart by their second byte.
      (loop $find
        (if (local.get $left) (then
          (if (i32.and
                (i32.and (i32.eq (i32.load offset=4 (local.get $entry)) (i32.const 9))
                         (i32.eq (i32.load8_u (i32.load (local.get $entry))) (i32.const 80)))
                (i32.eq (i32.load offset=12 (local.get $entry)) (i32.const 5)))
            (then
              (if (i32.eq (i32.load8_u offset=1 (i32.load offset=8 (local.get $entry))) (i32.const 116)) (then unreachable))
              (if (i32.eq (i32.load8_u offset=1 (i32.load offset=8 (local.get $entry))) (i32.const 101)) (then (return (i32.const 1))))
              (if (i32.eq (i32.load8_u offset=1 (i32.load offset=8 (local.get $entry))) (i32.const 114))
                (then (call $say (i32.const 72) (i32.const 16)) (return (i32.const 0))))))
          (local.set $entry (i32.add (local.get $entry) (i32.const 16)))
          (local.set $left (i32.sub (local.get $left) (i32.const 1)))
          (br $find))))
      (call $say (i32.const 0) (i32.const 49))
      (local.set $entry (i32.load (i32.const 4112)))
      (local.set $left (i32.load (i32.const 4116)))
      (loop $each
        (if (local.get $left) (then
          (call $say (i32.load (local.get $entry)) (i32.load offset=4 (local.get $entry)))
          (call $say (i32.const 64) (i32.const 1))
          (call $say (i32.load offset=8 (local.get $entry)) (i32.load offset=12 (local.get $entry)))
          (call $say (i32.const 65) (i32.const 1))
          (local.set $entry (i32.add (local.get $entry) (i32.const 16)))
          (local.set $left (i32.sub (local.get $left) (i32.const 1)))
          (br $each))))
      (local.set $in (call $get-stdin))
      (loop $copy
        (call $read (local.get $in) (i64.const 4096) (i32.const 4128))
        (if (i32.eqz (i32.load8_u (i32.const 4128))) (then
          (call $say (i32.load (i32.const 4132)) (i32.load (i32.const 4136)))
          (br $copy))))
      (i32.const 0)))
  (core instance $main (instantiate $Main
    (with "memory" (instance $memory))
    (with "host" (instance
      (export "read" (func $read)) (export "write" (func $write)) (export "get-environment" (func $get-environment))
      (export "get-stdin" (func $get-stdin)) (export "get-stdout" (func $get-stdout))))))
  (func $run (result (result)) (canon lift (core func $main "run")))
  (instance $command (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $command)))
