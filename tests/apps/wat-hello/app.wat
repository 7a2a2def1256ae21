;; A whole wasi:http 0.2 component by hand: no language toolchain is needed to push it.
;;
;;   GET /        a greeting
;;   GET /count   how many requests this wasm instance has served (shows the reuse policy)
;;   GET /env     the environment, one NAME=value a line
;;   GET /exit    traps on purpose (shows crash isolation: only this wasm instance goes)
;;   else         404
;;
;; Every request also writes its path to standard output, which `cf logs` shows.
(component
  ;; ---- What it imports: only the functions it calls, typed as in WASI 0.2.0. ----
  (import "wasi:io/error@0.2.0" (instance $io-error
    (export "error" (type (sub resource)))))
  (alias export $io-error "error" (type $error))

  (import "wasi:io/streams@0.2.0" (instance $streams
    (alias outer 1 $error (type $error))
    (export "output-stream" (type $output-stream (sub resource)))
    (type $stream-error' (variant (case "last-operation-failed" (own $error)) (case "closed")))
    (export "stream-error" (type $stream-error (eq $stream-error')))
    (export "[method]output-stream.blocking-write-and-flush" (func
      (param "self" (borrow $output-stream)) (param "contents" (list u8)) (result (result (error $stream-error)))))))
  (alias export $streams "output-stream" (type $output-stream))

  (import "wasi:cli/environment@0.2.0" (instance $environment
    (export "get-environment" (func (result (list (tuple string string)))))))

  (import "wasi:cli/stdout@0.2.0" (instance $stdout
    (alias outer 1 $output-stream (type $output-stream))
    (export "get-stdout" (func (result (own $output-stream))))))

  (import "wasi:http/types@0.2.0" (instance $http
    (alias outer 1 $output-stream (type $output-stream))
    (export "fields" (type $fields (sub resource)))
    (export "incoming-request" (type $incoming-request (sub resource)))
    (export "outgoing-response" (type $outgoing-response (sub resource)))
    (export "outgoing-body" (type $outgoing-body (sub resource)))
    (export "response-outparam" (type $response-outparam (sub resource)))
    (type $header-error' (variant (case "invalid-syntax") (case "forbidden") (case "immutable")))
    (export "header-error" (type $header-error (eq $header-error')))
    (type $dns-error' (record (field "rcode" (option string)) (field "info-code" (option u16))))
    (export "DNS-error-payload" (type $dns-error (eq $dns-error')))
    (type $tls-alert' (record (field "alert-id" (option u8)) (field "alert-message" (option string))))
    (export "TLS-alert-received-payload" (type $tls-alert (eq $tls-alert')))
    (type $field-size' (record (field "field-name" (option string)) (field "field-size" (option u32))))
    (export "field-size-payload" (type $field-size (eq $field-size')))
    (type $error-code' (variant
      (case "DNS-timeout") (case "DNS-error" $dns-error) (case "destination-not-found") (case "destination-unavailable")
      (case "destination-IP-prohibited") (case "destination-IP-unroutable") (case "connection-refused")
      (case "connection-terminated") (case "connection-timeout") (case "connection-read-timeout")
      (case "connection-write-timeout") (case "connection-limit-reached") (case "TLS-protocol-error")
      (case "TLS-certificate-error") (case "TLS-alert-received" $tls-alert) (case "HTTP-request-denied")
      (case "HTTP-request-length-required") (case "HTTP-request-body-size" (option u64)) (case "HTTP-request-method-invalid")
      (case "HTTP-request-URI-invalid") (case "HTTP-request-URI-too-long") (case "HTTP-request-header-section-size" (option u32))
      (case "HTTP-request-header-size" (option $field-size)) (case "HTTP-request-trailer-section-size" (option u32))
      (case "HTTP-request-trailer-size" $field-size) (case "HTTP-response-incomplete")
      (case "HTTP-response-header-section-size" (option u32)) (case "HTTP-response-header-size" $field-size)
      (case "HTTP-response-body-size" (option u64)) (case "HTTP-response-trailer-section-size" (option u32))
      (case "HTTP-response-trailer-size" $field-size) (case "HTTP-response-transfer-coding" (option string))
      (case "HTTP-response-content-coding" (option string)) (case "HTTP-response-timeout") (case "HTTP-upgrade-failed")
      (case "HTTP-protocol-error") (case "loop-detected") (case "configuration-error") (case "internal-error" (option string))))
    (export "error-code" (type $error-code (eq $error-code')))
    (export "[constructor]fields" (func (result (own $fields))))
    (export "[method]fields.append" (func
      (param "self" (borrow $fields)) (param "name" string) (param "value" (list u8)) (result (result (error $header-error)))))
    (export "[method]incoming-request.path-with-query" (func (param "self" (borrow $incoming-request)) (result (option string))))
    (export "[constructor]outgoing-response" (func (param "headers" (own $fields)) (result (own $outgoing-response))))
    (export "[method]outgoing-response.set-status-code" (func
      (param "self" (borrow $outgoing-response)) (param "status-code" u16) (result (result))))
    (export "[method]outgoing-response.body" (func
      (param "self" (borrow $outgoing-response)) (result (result (own $outgoing-body)))))
    (export "[method]outgoing-body.write" (func (param "self" (borrow $outgoing-body)) (result (result (own $output-stream)))))
    (export "[static]outgoing-body.finish" (func
      (param "this" (own $outgoing-body)) (param "trailers" (option (own $fields))) (result (result (error $error-code)))))
    (export "[static]response-outparam.set" (func
      (param "param" (own $response-outparam)) (param "response" (result (own $outgoing-response) (error $error-code)))))))
  (alias export $http "incoming-request" (type $incoming-request))
  (alias export $http "response-outparam" (type $response-outparam))

  ;; ---- Memory: 0 constants, 4096 results of calls, 65536 the answer's text, 131072 what the host hands over. ----
  (core module $Memory
    (memory (export "memory") 4)
    (global $next (export "next") (mut i32) (i32.const 131072))
    ;; The host asks for room here. A bump allocator: `handle` rewinds it at the start of each request.
    (func (export "realloc") (param $old i32) (param $old-size i32) (param $align i32) (param $size i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and
        (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1)))
        (i32.sub (i32.const 0) (local.get $align))))
      (global.set $next (i32.add (local.get $at) (local.get $size)))
      (block $fits
        (br_if $fits (i32.le_u (global.get $next) (i32.shl (memory.size) (i32.const 16))))
        (br_if $fits (i32.ne (i32.const -1) (memory.grow
          (i32.add (i32.shr_u (local.get $size) (i32.const 16)) (i32.const 1)))))
        unreachable)
      (memory.copy (local.get $at) (local.get $old) (local.get $old-size))
      (local.get $at)))
  (core instance $memory (instantiate $Memory))

  (core func $write (canon lower (func $streams "[method]output-stream.blocking-write-and-flush") (memory (core memory $memory "memory"))))
  (core func $drop-stream (canon resource.drop $output-stream))
  (core func $drop-request (canon resource.drop $incoming-request))
  (core func $get-environment (canon lower (func $environment "get-environment")
    (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
  (core func $get-stdout (canon lower (func $stdout "get-stdout")))
  (core func $new-fields (canon lower (func $http "[constructor]fields")))
  (core func $append-field (canon lower (func $http "[method]fields.append") (memory (core memory $memory "memory"))))
  (core func $path (canon lower (func $http "[method]incoming-request.path-with-query")
    (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
  (core func $new-response (canon lower (func $http "[constructor]outgoing-response")))
  (core func $set-status (canon lower (func $http "[method]outgoing-response.set-status-code")))
  (core func $response-body (canon lower (func $http "[method]outgoing-response.body") (memory (core memory $memory "memory"))))
  (core func $body-stream (canon lower (func $http "[method]outgoing-body.write") (memory (core memory $memory "memory"))))
  (core func $finish-body (canon lower (func $http "[static]outgoing-body.finish")
    (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
  (core func $send (canon lower (func $http "[static]response-outparam.set") (memory (core memory $memory "memory"))))

  (core module $Main
    (import "host" "write" (func $write (param i32 i32 i32 i32)))
    (import "host" "drop-stream" (func $drop-stream (param i32)))
    (import "host" "drop-request" (func $drop-request (param i32)))
    (import "host" "get-environment" (func $get-environment (param i32)))
    (import "host" "get-stdout" (func $get-stdout (result i32)))
    (import "host" "new-fields" (func $new-fields (result i32)))
    (import "host" "append-field" (func $append-field (param i32 i32 i32 i32 i32 i32)))
    (import "host" "path" (func $path (param i32 i32)))
    (import "host" "new-response" (func $new-response (param i32) (result i32)))
    (import "host" "set-status" (func $set-status (param i32 i32) (result i32)))
    (import "host" "response-body" (func $response-body (param i32 i32)))
    (import "host" "body-stream" (func $body-stream (param i32 i32)))
    (import "host" "finish-body" (func $finish-body (param i32 i32 i32 i32)))
    (import "host" "send" (func $send (param i32 i32 i32 i32 i64 i32 i32 i32 i32)))
    (import "memory" "memory" (memory 1))
    (import "memory" "next" (global $next (mut i32)))

    (data (i32.const 0) "/count")
    (data (i32.const 16) "/env")
    (data (i32.const 32) "/exit")
    (data (i32.const 64) "content-type")
    (data (i32.const 80) "text/plain; charset=utf-8")
    (data (i32.const 128) "Hello from Virga\n")
    (data (i32.const 160) "not found\n")
    (data (i32.const 176) "GET ")

    (global $count (mut i32) (i32.const 0))
    ;; Length of the text gathered at 65536.
    (global $length (mut i32) (i32.const 0))

    ;; Adds bytes to the text; what does not fit into its 64 KiB is left out.
    (func $say (param $at i32) (param $size i32)
      (if (i32.gt_u (i32.add (global.get $length) (local.get $size)) (i32.const 65536)) (then return))
      (memory.copy (i32.add (i32.const 65536) (global.get $length)) (local.get $at) (local.get $size))
      (global.set $length (i32.add (global.get $length) (local.get $size))))

    (func $say-byte (param $byte i32)
      (i32.store8 (i32.const 4000) (local.get $byte))
      (call $say (i32.const 4000) (i32.const 1)))

    (func $say-number (param $number i32)
      (if (i32.ge_u (local.get $number) (i32.const 10))
        (then (call $say-number (i32.div_u (local.get $number) (i32.const 10)))))
      (call $say-byte (i32.add (i32.const 48) (i32.rem_u (local.get $number) (i32.const 10)))))

    (func $say-environment
      (local $entry i32) (local $left i32)
      (call $get-environment (i32.const 4096))
      (local.set $entry (i32.load (i32.const 4096)))
      (local.set $left (i32.load (i32.const 4100)))
      (loop $next-entry
        (if (local.get $left) (then
          (call $say (i32.load (local.get $entry)) (i32.load offset=4 (local.get $entry)))
          (call $say-byte (i32.const 61))
          (call $say (i32.load offset=8 (local.get $entry)) (i32.load offset=12 (local.get $entry)))
          (call $say-byte (i32.const 10))
          (local.set $entry (i32.add (local.get $entry) (i32.const 16)))
          (local.set $left (i32.sub (local.get $left) (i32.const 1)))
          (br $next-entry)))))

    ;; Writes the text to a stream, at most 4096 bytes a call as the interface wants it, and empties it.
    (func $flush (param $stream i32)
      (local $at i32) (local $part i32)
      (local.set $at (i32.const 65536))
      (loop $more
        (if (global.get $length) (then
          (local.set $part (select (i32.const 4096) (global.get $length) (i32.gt_u (global.get $length) (i32.const 4096))))
          (call $write (local.get $stream) (local.get $at) (local.get $part) (i32.const 4096))
          (local.set $at (i32.add (local.get $at) (local.get $part)))
          (global.set $length (i32.sub (global.get $length) (local.get $part)))
          (br_if $more (i32.eqz (i32.load8_u (i32.const 4096))))
          (global.set $length (i32.const 0)))))
      (call $drop-stream (local.get $stream)))

    (func $is (param $at i32) (param $size i32) (param $word i32) (param $word-size i32) (result i32)
      (if (i32.ne (local.get $size) (local.get $word-size)) (then (return (i32.const 0))))
      (loop $next-byte
        (if (i32.eqz (local.get $size)) (then (return (i32.const 1))))
        (local.set $size (i32.sub (local.get $size) (i32.const 1)))
        (br_if $next-byte (i32.eq
          (i32.load8_u (i32.add (local.get $at) (local.get $size)))
          (i32.load8_u (i32.add (local.get $word) (local.get $size))))))
      (i32.const 0))

    ;; Gathers the answer to a path and gives its status.
    (func $answer (param $at i32) (param $size i32) (result i32)
      (if (call $is (local.get $at) (local.get $size) (i32.const 0) (i32.const 1))
        (then (call $say (i32.const 128) (i32.const 17)) (return (i32.const 200))))
      (if (call $is (local.get $at) (local.get $size) (i32.const 0) (i32.const 6))
        (then (call $say-number (global.get $count)) (call $say-byte (i32.const 10)) (return (i32.const 200))))
      (if (call $is (local.get $at) (local.get $size) (i32.const 16) (i32.const 4))
        (then (call $say-environment) (return (i32.const 200))))
      (if (call $is (local.get $at) (local.get $size) (i32.const 32) (i32.const 5)) (then unreachable))
      (call $say (i32.const 160) (i32.const 10))
      (i32.const 404))

    (func (export "handle") (param $request i32) (param $out i32)
      (local $path i32) (local $path-size i32) (local $status i32) (local $fields i32) (local $response i32) (local $body i32)
      (global.set $next (i32.const 131072))
      (global.set $count (i32.add (global.get $count) (i32.const 1)))
      (call $path (local.get $request) (i32.const 4096))
      (if (i32.load8_u (i32.const 4096)) (then
        (local.set $path (i32.load (i32.const 4100)))
        (local.set $path-size (i32.load (i32.const 4104)))))
      (call $drop-request (local.get $request))

      (call $say (i32.const 176) (i32.const 4))
      (call $say (local.get $path) (local.get $path-size))
      (call $say-byte (i32.const 10))
      (call $flush (call $get-stdout))

      (local.set $status (call $answer (local.get $path) (local.get $path-size)))
      (local.set $fields (call $new-fields))
      (call $append-field (local.get $fields) (i32.const 64) (i32.const 12) (i32.const 80) (i32.const 25) (i32.const 4096))
      (local.set $response (call $new-response (local.get $fields)))
      (drop (call $set-status (local.get $response) (local.get $status)))
      (call $response-body (local.get $response) (i32.const 4096))
      (local.set $body (i32.load (i32.const 4100)))
      ;; The head goes out first, so that a long text streams.
      (call $send (local.get $out) (i32.const 0) (local.get $response)
        (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
      (call $body-stream (local.get $body) (i32.const 4096))
      (call $flush (i32.load (i32.const 4100)))
      (call $finish-body (local.get $body) (i32.const 0) (i32.const 0) (i32.const 4096))))

  (core instance $main (instantiate $Main
    (with "memory" (instance $memory))
    (with "host" (instance
      (export "write" (func $write)) (export "drop-stream" (func $drop-stream)) (export "drop-request" (func $drop-request))
      (export "get-environment" (func $get-environment)) (export "get-stdout" (func $get-stdout))
      (export "new-fields" (func $new-fields)) (export "append-field" (func $append-field)) (export "path" (func $path))
      (export "new-response" (func $new-response)) (export "set-status" (func $set-status))
      (export "response-body" (func $response-body)) (export "body-stream" (func $body-stream))
      (export "finish-body" (func $finish-body)) (export "send" (func $send))))))

  ;; ---- What it exports. ----
  (func $handle (param "request" (own $incoming-request)) (param "response-out" (own $response-outparam))
    (canon lift (core func $main "handle")))
  (instance $handler (export "handle" (func $handle)))
  (export "wasi:http/incoming-handler@0.2.0" (instance $handler)))
