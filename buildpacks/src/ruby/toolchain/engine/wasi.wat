;; Stands between the interpreter and WASI 0.1. While the snapshot is made, time passes only by sleeping, randomness is a fixed
;; sequence and files are the same on every machine: the same app makes the same droplet.
(module
  ;; The last letter is set right after joining: under its own name the joiner would take the functions exported below.
  (import "wasi_snapshot_previewX" "random_get" (func $wasi_random (param i32 i32) (result i32)))
  (import "wasi_snapshot_previewX" "clock_time_get" (func $wasi_clock (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_previewX" "fd_filestat_get" (func $wasi_fd_filestat (param i32 i32) (result i32)))
  (import "wasi_snapshot_previewX" "path_filestat_get" (func $wasi_path_filestat (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_previewX" "poll_oneoff" (func $wasi_poll (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_previewX" "fd_readdir" (func $wasi_readdir (param i32 i32 i32 i64 i32) (result i32)))
  (import "ruby" "memory" (memory 1))

  (global $building (export "building") (mut i32) (i32.const 1))
  (global $sequence (mut i64) (i64.const 0x9E3779B97F4A7C15))
  ;; 2020-01-01 to begin with, for every clock.
  (global $now (mut i64) (i64.const 1577836800000000000))

  (func (export "random_get") (param $into i32) (param $length i32) (result i32)
    (if (i32.eqz (global.get $building)) (then (return (call $wasi_random (local.get $into) (local.get $length)))))
    (loop $more
      (if (local.get $length)
        (then
          (global.set $sequence (i64.add (i64.mul (global.get $sequence) (i64.const 6364136223846793005)) (i64.const 1442695040888963407)))
          (i32.store8 (local.get $into) (i32.wrap_i64 (i64.shr_u (global.get $sequence) (i64.const 56))))
          (local.set $into (i32.add (local.get $into) (i32.const 1)))
          (local.set $length (i32.sub (local.get $length) (i32.const 1)))
          (br $more))))
    (i32.const 0))

  (func (export "clock_time_get") (param $clock i32) (param $precision i64) (param $into i32) (result i32)
    (if (i32.eqz (global.get $building))
      (then (return (call $wasi_clock (local.get $clock) (local.get $precision) (local.get $into)))))
    (i64.store (local.get $into) (global.get $now))
    (i32.const 0))

  ;; A subscription is the caller's number, a kind (0 is a clock), and for a clock at 24 its nanoseconds and at 40 whether they
  ;; are a moment. An event is that number, an error and the kind.
  (func (export "poll_oneoff") (param $subscriptions i32) (param $events i32) (param $count i32) (param $happened i32) (result i32)
    (if (i32.or (i32.eqz (global.get $building)) (i32.load8_u offset=8 (local.get $subscriptions)))
      (then (return (call $wasi_poll (local.get $subscriptions) (local.get $events) (local.get $count) (local.get $happened)))))
    (if (i32.and (i32.load16_u offset=40 (local.get $subscriptions)) (i32.const 1))
      (then (global.set $now (i64.load offset=24 (local.get $subscriptions))))
      (else (global.set $now (i64.add (global.get $now) (i64.load offset=24 (local.get $subscriptions))))))
    (i64.store (local.get $events) (i64.load (local.get $subscriptions)))
    (i64.store offset=8 (local.get $events) (i64.const 0))
    (i32.store (local.get $happened) (i32.const 1))
    (i32.const 0))

  ;; Numbers of devices and files, and times, are of the machine that stages and not of the app.
  (func $same_everywhere (param $stat i32)
    (if (global.get $building)
      (then
        (i64.store (local.get $stat) (i64.const 1))
        (i64.store offset=8 (local.get $stat) (i64.const 1))
        (i64.store offset=40 (local.get $stat) (i64.const 1577836800000000000))
        (i64.store offset=48 (local.get $stat) (i64.const 1577836800000000000))
        (i64.store offset=56 (local.get $stat) (i64.const 1577836800000000000)))))

  (func (export "fd_filestat_get") (param $fd i32) (param $stat i32) (result i32)
    (local $error i32)
    (local.set $error (call $wasi_fd_filestat (local.get $fd) (local.get $stat)))
    (if (i32.eqz (local.get $error)) (then (call $same_everywhere (local.get $stat))))
    (local.get $error))

  (func (export "path_filestat_get") (param $fd i32) (param $flags i32) (param $path i32) (param $length i32) (param $stat i32) (result i32)
    (local $error i32)
    (local.set $error (call $wasi_path_filestat (local.get $fd) (local.get $flags) (local.get $path) (local.get $length) (local.get $stat)))
    (if (i32.eqz (local.get $error)) (then (call $same_everywhere (local.get $stat))))
    (local.get $error))

  ;; An entry is the next one's cookie, the file's number, the length of its name and its kind: 24 bytes, then the name. The
  ;; last one may be cut off.
  (func (export "fd_readdir") (param $fd i32) (param $into i32) (param $room i32) (param $cookie i64) (param $used i32) (result i32)
    (local $error i32) (local $left i32) (local $size i32)
    (local.set $error (call $wasi_readdir (local.get $fd) (local.get $into) (local.get $room) (local.get $cookie) (local.get $used)))
    (if (i32.or (i32.eqz (global.get $building)) (local.get $error)) (then (return (local.get $error))))
    (local.set $left (i32.load (local.get $used)))
    (block $done
      (loop $more
        (br_if $done (i32.lt_u (local.get $left) (i32.const 24)))
        (i64.store offset=8 (local.get $into) (i64.const 1))
        (local.set $size (i32.add (i32.load offset=16 (local.get $into)) (i32.const 24)))
        (br_if $done (i32.lt_u (local.get $left) (local.get $size)))
        (local.set $into (i32.add (local.get $into) (local.get $size)))
        (local.set $left (i32.sub (local.get $left) (local.get $size)))
        (br $more)))
    (i32.const 0))
)
