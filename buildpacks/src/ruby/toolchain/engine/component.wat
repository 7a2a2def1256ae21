;; Joins the interpreter to the world of a component. The interpreter's own door to its host (its `js` extension: a string
;; goes out, a string comes back) is answered here: a string is an order to call one function of WASI, the string that comes
;; back is what that function gave. All that decides anything is Ruby, in bridge.rb; here is only the canonical ABI.
(module
  (import "ruby" "memory" (memory 1))
  (import "ruby" "_initialize" (func $ruby_initialize))
  (import "ruby" "ruby_realloc" (func $ruby_realloc (param i32 i32 i32 i32) (result i32)))
  (import "ruby" "cabi_post_rstring-ptr" (func $ruby_free_string (param i32)))
  (import "ruby" "canonical_abi_drop_rb-abi-value" (func $ruby_drop (param i32)))
  (import "ruby" "ruby-init: func(args: list<string>) -> ()" (func $ruby_init (param i32 i32)))
  (import "ruby" "rb-eval-string-protect: func(str: string) -> tuple<handle<rb-abi-value>, s32>" (func $ruby_eval (param i32 i32) (result i32)))
  (import "ruby" "rb-funcallv-protect: func(recv: handle<rb-abi-value>, mid: u32, args: list<handle<rb-abi-value>>) -> tuple<handle<rb-abi-value>, s32>"
    (func $ruby_call (param i32 i32 i32 i32) (result i32)))
  (import "ruby" "rb-intern: func(name: string) -> u32" (func $ruby_intern (param i32 i32) (result i32)))

  (import "wasi_snapshot_preview1" "building" (global $building (mut i32)))

  (import "wasi:cli/environment@0.2.10" "get-environment" (func $get_environment (param i32)))
  (import "wasi:cli/environment@0.2.10" "get-arguments" (func $get_arguments (param i32)))
  (import "wasi:http/types@0.2.10" "[method]incoming-request.method" (func $request_method (param i32 i32)))
  (import "wasi:http/types@0.2.10" "[method]incoming-request.scheme" (func $request_scheme (param i32 i32)))
  (import "wasi:http/types@0.2.10" "[method]incoming-request.authority" (func $request_authority (param i32 i32)))
  (import "wasi:http/types@0.2.10" "[method]incoming-request.path-with-query" (func $request_path (param i32 i32)))
  (import "wasi:http/types@0.2.10" "[method]incoming-request.headers" (func $request_headers (param i32) (result i32)))
  (import "wasi:http/types@0.2.10" "[method]incoming-request.consume" (func $request_consume (param i32 i32)))
  (import "wasi:http/types@0.2.10" "[resource-drop]incoming-request" (func $drop_request (param i32)))
  (import "wasi:http/types@0.2.10" "[method]incoming-body.stream" (func $body_stream (param i32 i32)))
  (import "wasi:http/types@0.2.10" "[resource-drop]incoming-body" (func $drop_incoming_body (param i32)))
  (import "wasi:http/types@0.2.10" "[method]fields.entries" (func $fields_entries (param i32 i32)))
  (import "wasi:http/types@0.2.10" "[static]fields.from-list" (func $fields_from_list (param i32 i32 i32)))
  (import "wasi:http/types@0.2.10" "[resource-drop]fields" (func $drop_fields (param i32)))
  (import "wasi:http/types@0.2.10" "[constructor]outgoing-response" (func $new_response (param i32) (result i32)))
  (import "wasi:http/types@0.2.10" "[method]outgoing-response.set-status-code" (func $set_status (param i32 i32) (result i32)))
  (import "wasi:http/types@0.2.10" "[method]outgoing-response.body" (func $response_body (param i32 i32)))
  (import "wasi:http/types@0.2.10" "[resource-drop]outgoing-response" (func $drop_response (param i32)))
  (import "wasi:http/types@0.2.10" "[static]response-outparam.set" (func $set_outparam (param i32 i32 i32 i32 i64 i32 i32 i32 i32)))
  (import "wasi:http/types@0.2.10" "[resource-drop]response-outparam" (func $drop_outparam (param i32)))
  (import "wasi:http/types@0.2.10" "[method]outgoing-body.write" (func $body_write (param i32 i32)))
  (import "wasi:http/types@0.2.10" "[static]outgoing-body.finish" (func $body_finish (param i32 i32 i32 i32)))
  (import "wasi:http/types@0.2.10" "[resource-drop]outgoing-body" (func $drop_outgoing_body (param i32)))
  (import "wasi:io/streams@0.2.10" "[method]input-stream.blocking-read" (func $blocking_read (param i32 i64 i32)))
  (import "wasi:io/streams@0.2.10" "[resource-drop]input-stream" (func $drop_input (param i32)))
  (import "wasi:io/streams@0.2.10" "[method]output-stream.check-write" (func $check_write (param i32 i32)))
  (import "wasi:io/streams@0.2.10" "[method]output-stream.write" (func $write (param i32 i32 i32 i32)))
  (import "wasi:io/streams@0.2.10" "[method]output-stream.subscribe" (func $subscribe (param i32) (result i32)))
  (import "wasi:io/streams@0.2.10" "[resource-drop]output-stream" (func $drop_output (param i32)))
  (import "wasi:io/poll@0.2.10" "[method]pollable.block" (func $block (param i32)))
  (import "wasi:io/poll@0.2.10" "[resource-drop]pollable" (func $drop_pollable (param i32)))
  (import "wasi:io/error@0.2.10" "[resource-drop]error" (func $drop_error (param i32)))

  ;; Only read while the snapshot is made, below the reach of any stack: the arguments of the interpreter, then what it runs.
  (data (i32.const 256) "ruby\00\00\00\00-EUTF-8\00-e_=0\00\00\00load '/.virga/boot.rb'; VirgaBridge\00\00\00serve\00\00\00command\00")


  (global $bridge (mut i32) (i32.const 0))
  (global $serve (mut i32) (i32.const 0))
  (global $command (mut i32) (i32.const 0))
  ;; 128 bytes for what functions of WASI give through a pointer.
  (global $area (mut i32) (i32.const 0))
  ;; What the last order gave.
  (global $out (mut i32) (i32.const 0))
  (global $out_length (mut i32) (i32.const 0))
  (global $out_room (mut i32) (i32.const 0))
  ;; Pieces of memory that the host asked for during an order: each begins with the address of the one before.
  (global $in_order (mut i32) (i32.const 0))
  (global $pieces (mut i32) (i32.const 0))
  ;; Handles of the request at hand; no handle is zero, which the canonical ABI never gives.
  (global $request (mut i32) (i32.const 0))
  (global $incoming_body (mut i32) (i32.const 0))
  (global $input (mut i32) (i32.const 0))
  (global $outparam (mut i32) (i32.const 0))
  (global $outgoing_body (mut i32) (i32.const 0))
  (global $output (mut i32) (i32.const 0))
  (global $failed (mut i32) (i32.const 0))

  (func $new (param $size i32) (result i32) (call $ruby_realloc (i32.const 0) (i32.const 0) (i32.const 8) (local.get $size)))

  ;; The only free that the interpreter exports is for a string it gave out.
  (func $free (param $address i32)
    (i32.store offset=120 (global.get $area) (local.get $address))
    (i32.store offset=124 (global.get $area) (i32.const 1))
    (call $ruby_free_string (i32.add (global.get $area) (i32.const 120))))

  ;; The interpreter's own of this name is renamed before they are joined.
  (func (export "cabi_realloc") (param $old i32) (param $old_size i32) (param $align i32) (param $size i32) (result i32)
    (local $piece i32)
    (if (i32.or (i32.eqz (global.get $in_order)) (i32.ne (local.get $old) (i32.const 0)))
      (then (return (call $ruby_realloc (local.get $old) (local.get $old_size) (local.get $align) (local.get $size)))))
    (local.set $piece (call $new (i32.add (local.get $size) (i32.const 16))))
    (i32.store (local.get $piece) (global.get $pieces))
    (global.set $pieces (local.get $piece))
    (i32.add (local.get $piece) (i32.const 16)))

  (func $free_pieces
    (local $next i32)
    (loop $more
      (if (global.get $pieces)
        (then
          (local.set $next (i32.load (global.get $pieces)))
          (call $free (global.get $pieces))
          (global.set $pieces (local.get $next))
          (br $more)))))

  ;; -- What comes back ------------------------------------------------------------------------------------------------

  (func $reserve (param $more i32)
    (local $needed i32)
    (local.set $needed (i32.add (global.get $out_length) (local.get $more)))
    (if (i32.gt_u (local.get $needed) (global.get $out_room))
      (then
        (local.set $needed (i32.shl (local.get $needed) (i32.const 1)))
        (global.set $out (call $ruby_realloc (global.get $out) (global.get $out_room) (i32.const 8) (local.get $needed)))
        (global.set $out_room (local.get $needed)))))

  (func $put_byte (param $byte i32)
    (call $reserve (i32.const 1))
    (i32.store8 (i32.add (global.get $out) (global.get $out_length)) (local.get $byte))
    (global.set $out_length (i32.add (global.get $out_length) (i32.const 1))))

  (func $put_bytes (param $from i32) (param $length i32)
    (call $reserve (local.get $length))
    (memory.copy (i32.add (global.get $out) (global.get $out_length)) (local.get $from) (local.get $length))
    (global.set $out_length (i32.add (global.get $out_length) (local.get $length))))

  ;; A text with its length before it.
  (func $put_text (param $from i32) (param $length i32)
    (call $reserve (i32.const 4))
    (i32.store (i32.add (global.get $out) (global.get $out_length)) (local.get $length))
    (global.set $out_length (i32.add (global.get $out_length) (i32.const 4)))
    (call $put_bytes (local.get $from) (local.get $length)))

  ;; A list of texts, or of pairs of them, which lie in memory alike.
  (func $put_texts (param $list i32) (param $count i32)
    (loop $more
      (if (local.get $count)
        (then
          (call $put_text (i32.load (local.get $list)) (i32.load offset=4 (local.get $list)))
          (local.set $list (i32.add (local.get $list) (i32.const 8)))
          (local.set $count (i32.sub (local.get $count) (i32.const 1)))
          (br $more)))))

  ;; An option<string> that was given: an empty text if none.
  (func $put_option
    (if (i32.load8_u (global.get $area))
      (then (call $put_text (i32.load offset=4 (global.get $area)) (i32.load offset=8 (global.get $area))))
      (else (call $put_text (i32.const 0) (i32.const 0)))))

  ;; -- Orders ---------------------------------------------------------------------------------------------------------

  ;; Q: method (the number of its case as one byte, or its name if it is none of the known), scheme (1 for HTTPS, else 0),
  ;; authority, path and query, then names and values of the headers.
  (func $order_request
    (local $fields i32)
    (call $request_method (global.get $request) (global.get $area))
    (if (i32.eq (i32.load8_u (global.get $area)) (i32.const 9))
      (then (call $put_text (i32.load offset=4 (global.get $area)) (i32.load offset=8 (global.get $area))))
      (else
        (i32.store8 offset=16 (global.get $area) (i32.load8_u (global.get $area)))
        (call $put_text (i32.add (global.get $area) (i32.const 16)) (i32.const 1))))
    (call $request_scheme (global.get $request) (global.get $area))
    (i32.store8 offset=16 (global.get $area)
      (i32.and (i32.load8_u (global.get $area)) (i32.eq (i32.load8_u offset=4 (global.get $area)) (i32.const 1))))
    (call $put_text (i32.add (global.get $area) (i32.const 16)) (i32.const 1))
    (call $request_authority (global.get $request) (global.get $area))
    (call $put_option)
    (call $request_path (global.get $request) (global.get $area))
    (call $put_option)
    (local.set $fields (call $request_headers (global.get $request)))
    (call $fields_entries (local.get $fields) (global.get $area))
    (call $put_texts (i32.load (global.get $area)) (i32.shl (i32.load offset=4 (global.get $area)) (i32.const 1)))
    (call $drop_fields (local.get $fields)))

  ;; B and how many bytes at most: 0 and bytes; 1 at the end; 2 where it broke off.
  (func $order_read (param $order i32)
    (if (i32.eqz (global.get $input))
      (then
        (call $request_consume (global.get $request) (global.get $area))
        (if (i32.load8_u (global.get $area)) (then (call $put_byte (i32.const 1)) (return)))
        (global.set $incoming_body (i32.load offset=4 (global.get $area)))
        (call $body_stream (global.get $incoming_body) (global.get $area))
        (if (i32.load8_u (global.get $area)) (then (call $put_byte (i32.const 1)) (return)))
        (global.set $input (i32.load offset=4 (global.get $area)))))
    (call $blocking_read (global.get $input) (i64.load32_u offset=4 (local.get $order)) (global.get $area))
    (if (i32.eqz (i32.load8_u (global.get $area)))
      (then
        (call $put_byte (i32.const 0))
        (call $put_bytes (i32.load offset=4 (global.get $area)) (i32.load offset=8 (global.get $area))))
      (else
        (if (i32.load8_u offset=4 (global.get $area))
          (then (call $put_byte (i32.const 1)))
          (else (call $drop_error (i32.load offset=8 (global.get $area))) (call $put_byte (i32.const 2)))))))

  ;; R, status, number of headers, a table of name, its length, value, its length (offsets from the order's begin), the texts:
  ;; 0 when the answer has begun; 1 for headers, 2 for a status that cannot be sent.
  (func $order_respond (param $order i32)
    (local $entry i32) (local $left i32) (local $response i32)
    (local.set $entry (i32.add (local.get $order) (i32.const 12)))
    (local.set $left (i32.shl (i32.load offset=8 (local.get $order)) (i32.const 1)))
    (loop $more
      (if (local.get $left)
        (then
          (i32.store (local.get $entry) (i32.add (i32.load (local.get $entry)) (local.get $order)))
          (local.set $entry (i32.add (local.get $entry) (i32.const 8)))
          (local.set $left (i32.sub (local.get $left) (i32.const 1)))
          (br $more))))
    (call $fields_from_list (i32.add (local.get $order) (i32.const 12)) (i32.load offset=8 (local.get $order)) (global.get $area))
    (if (i32.load8_u (global.get $area)) (then (call $put_byte (i32.const 1)) (return)))
    (local.set $response (call $new_response (i32.load offset=4 (global.get $area))))
    (if (call $set_status (local.get $response) (i32.load offset=4 (local.get $order)))
      (then (call $drop_response (local.get $response)) (call $put_byte (i32.const 2)) (return)))
    (call $response_body (local.get $response) (global.get $area))
    (global.set $outgoing_body (i32.load offset=4 (global.get $area)))
    (call $body_write (global.get $outgoing_body) (global.get $area))
    (global.set $output (i32.load offset=4 (global.get $area)))
    (call $set_outparam (global.get $outparam) (i32.const 0) (local.get $response) (i32.const 0) (i64.const 0)
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
    (global.set $outparam (i32.const 0))
    (call $put_byte (i32.const 0)))

  ;; W and bytes: 0 when all are on their way, 1 when nobody reads them any more.
  (func $order_write (param $from i32) (param $length i32)
    (local $room i32) (local $ready i32)
    (loop $more
      (if (local.get $length)
        (then
          (call $check_write (global.get $output) (global.get $area))
          (if (i32.load8_u (global.get $area))
            (then
              (if (i32.eqz (i32.load8_u offset=8 (global.get $area))) (then (call $drop_error (i32.load offset=12 (global.get $area)))))
              (call $put_byte (i32.const 1))
              (return)))
          (if (i64.eqz (i64.load offset=8 (global.get $area)))
            (then
              (local.set $ready (call $subscribe (global.get $output)))
              (call $block (local.get $ready))
              (call $drop_pollable (local.get $ready))
              (br $more)))
          (local.set $room (local.get $length))
          (if (i64.lt_u (i64.load offset=8 (global.get $area)) (i64.extend_i32_u (local.get $length)))
            (then (local.set $room (i32.wrap_i64 (i64.load offset=8 (global.get $area))))))
          (call $write (global.get $output) (local.get $from) (local.get $room) (global.get $area))
          (if (i32.load8_u (global.get $area))
            (then
              (if (i32.eqz (i32.load8_u offset=4 (global.get $area))) (then (call $drop_error (i32.load offset=8 (global.get $area)))))
              (call $put_byte (i32.const 1))
              (return)))
          (local.set $from (i32.add (local.get $from) (local.get $room)))
          (local.set $length (i32.sub (local.get $length) (local.get $room)))
          (br $more))))
    (call $put_byte (i32.const 0)))

  ;; F: the answer is complete.
  (func $order_finish
    (call $close_output)
    (if (global.get $outgoing_body)
      (then
        (call $body_finish (global.get $outgoing_body) (i32.const 0) (i32.const 0) (global.get $area))
        (global.set $outgoing_body (i32.const 0)))))

  (func $close_output
    (if (global.get $output) (then (call $drop_output (global.get $output)) (global.set $output (i32.const 0)))))

  ;; A stream goes before the body that it is of, and that before the request.
  (func $close_input
    (if (global.get $input) (then (call $drop_input (global.get $input)) (global.set $input (i32.const 0))))
    (if (global.get $incoming_body)
      (then (call $drop_incoming_body (global.get $incoming_body)) (global.set $incoming_body (i32.const 0)))))

  (func $carry_out (param $order i32) (param $length i32)
    (local $which i32)
    (global.set $out_length (i32.const 0))
    (global.set $in_order (i32.const 1))
    (local.set $which (i32.load8_u (local.get $order)))
    (block $done
      (if (i32.eq (local.get $which) (i32.const 0x57)) ;; W
        (then (call $order_write (i32.add (local.get $order) (i32.const 1)) (i32.sub (local.get $length) (i32.const 1))) (br $done)))
      (if (i32.eq (local.get $which) (i32.const 0x51)) (then (call $order_request) (br $done))) ;; Q
      (if (i32.eq (local.get $which) (i32.const 0x42)) (then (call $order_read (local.get $order)) (br $done))) ;; B
      (if (i32.eq (local.get $which) (i32.const 0x52)) (then (call $order_respond (local.get $order)) (br $done))) ;; R
      (if (i32.eq (local.get $which) (i32.const 0x46)) (then (call $order_finish) (br $done))) ;; F
      (if (i32.eq (local.get $which) (i32.const 0x43)) (then (call $close_input) (br $done))) ;; C: no more is read
      (if (i32.eq (local.get $which) (i32.const 0x45)) ;; E: names and values of the environment
        (then
          (call $get_environment (global.get $area))
          (call $put_texts (i32.load (global.get $area)) (i32.shl (i32.load offset=4 (global.get $area)) (i32.const 1)))
          (br $done)))
      (if (i32.eq (local.get $which) (i32.const 0x41)) ;; A: arguments of the command
        (then
          (call $get_arguments (global.get $area))
          (call $put_texts (i32.load (global.get $area)) (i32.load offset=4 (global.get $area)))
          (br $done)))
      (if (i32.eq (local.get $which) (i32.const 0x58)) (then (global.set $failed (i32.const 1)) (br $done))) ;; X: the command failed
      (unreachable))
    (global.set $in_order (i32.const 0))
    (call $free_pieces))

  ;; The interpreter lets go of its order itself, and of the answer, which is its own from here on.
  (func (export "order") (param $order i32) (param $length i32) (result i32)
    (call $carry_out (local.get $order) (local.get $length))
    (i32.const 1))

  (func (export "answer") (param $result i32)
    (i32.store (local.get $result) (global.get $out))
    (i32.store offset=4 (local.get $result) (global.get $out_length))
    (global.set $out (i32.const 0))
    (global.set $out_room (i32.const 0))
    (global.set $out_length (i32.const 0)))

  ;; -- What the component exports ---------------------------------------------------------------------------------------

  (func $call (param $method i32)
    (local $result i32)
    (local.set $result (call $ruby_call (global.get $bridge) (local.get $method) (i32.const 0) (i32.const 0)))
    ;; The bridge catches whatever Ruby can catch.
    (if (i32.load offset=4 (local.get $result)) (then (unreachable)))
    (call $ruby_drop (i32.load (local.get $result))))

  (func (export "wasi:http/incoming-handler@0.2.10#handle") (param $request i32) (param $outparam i32)
    (global.set $request (local.get $request))
    (global.set $outparam (local.get $outparam))
    (call $call (global.get $serve))
    (call $close_input)
    (call $drop_request (global.get $request))
    (call $close_output)
    ;; An answer that was not finished: the host sees it broken off.
    (if (global.get $outgoing_body)
      (then (call $drop_outgoing_body (global.get $outgoing_body)) (global.set $outgoing_body (i32.const 0))))
    (if (global.get $outparam) (then (call $drop_outparam (global.get $outparam)) (global.set $outparam (i32.const 0)))))

  (func (export "wasi:cli/run@0.2.10#run") (result i32)
    (call $call (global.get $command))
    (global.get $failed))

  ;; -- The snapshot -------------------------------------------------------------------------------------------------------

  (func (export "wizer.initialize")
    (local $result i32)
    (call $ruby_initialize)
    (global.set $area (call $new (i32.const 128)))
    (i32.store (global.get $area) (i32.const 256))
    (i32.store offset=4 (global.get $area) (i32.const 4))
    (i32.store offset=8 (global.get $area) (i32.const 264))
    (i32.store offset=12 (global.get $area) (i32.const 7))
    (i32.store offset=16 (global.get $area) (i32.const 272))
    (i32.store offset=20 (global.get $area) (i32.const 5))
    (call $ruby_init (global.get $area) (i32.const 3))
    (local.set $result (call $ruby_eval (i32.const 280) (i32.const 35)))
    (if (i32.load offset=4 (local.get $result)) (then (unreachable)))
    (global.set $bridge (i32.load (local.get $result)))
    (global.set $serve (call $ruby_intern (i32.const 318) (i32.const 5)))
    (global.set $command (call $ruby_intern (i32.const 326) (i32.const 7)))
    (global.set $building (i32.const 0)))
)
